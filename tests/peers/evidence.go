package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/go-jose/go-jose/v3"
)

// evidence is what there is to judge, from the test vectors or from a run.
type evidence struct {
	origin       string // of the checkpoints: <domain>/<instance>
	record       jose.JSONWebKey
	other        jose.JSONWebKey // another P-256 key, which signed none of it
	mint         []jose.JSONWebKey
	notes        [][]byte // checkpoints by size, the newest last
	credentials  []credential
	inclusions   []inclusion
	consistences []consistency
	results      []result
	export       string // folder of tiles, or empty
}

type credential struct {
	name, token, audience string
	issuer                string    // empty: the one of the log's origin
	seen                  time.Time // when it was on its way
	entry                 []byte    // the decision that it was minted for
	call                  *call     // what it was sent with, or nil
}

// call is a request as an HTTP library reads it off the wire.
type call struct {
	method, host, path, mediaType, ifMatch string
	body                                   []byte
}

type inclusion struct {
	name        string
	leaf        []byte // hash
	index, size uint64
	proof       [][]byte
	root        []byte
}

type consistency struct {
	from, to         uint64
	fromRoot, toRoot []byte
	proof            [][]byte
}

func issuer(origin string) string { return "https://" + origin }

// digest is a digest in JSON: unpadded, canonical base64url.
type digest []byte

func (d *digest) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil && len(b) != 32 {
		err = fmt.Errorf("a digest of %d bytes", len(b))
	}
	*d = b
	return err
}

func hashes(digests []digest) [][]byte {
	all := make([][]byte, 0, len(digests))
	for _, d := range digests {
		all = append(all, d)
	}
	return all
}

func readJSON(path string, into interface{}) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
