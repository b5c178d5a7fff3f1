package main

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v3"
)

// The files of tests/vectors, as far as peers can judge them.
type vectorKey struct {
	Name string          `json:"name"`
	JWK  jose.JSONWebKey `json:"jwk"`
}

type vectorCheckpoint struct {
	Key, Origin, Note string
}

type vectorCredential struct {
	Name, Entry, Audience, Issuer, Key, Claims, Compact string
}

type vectorAppraisal struct {
	Name, Evidence, Result string
	Verifier, AK           jose.JSONWebKey
}

type vectorMerkle struct {
	Leaves, Roots []digest
	Inclusion     []struct {
		Index, Size uint64
		Proof       []digest
	}
	Consistency []struct {
		From, To uint64
		Proof    []digest
	}
}

func loadVectors(dir string) (*evidence, error) {
	var keys []vectorKey
	var checkpoints []vectorCheckpoint
	var credentials []vectorCredential
	var appraisals []vectorAppraisal
	var tree vectorMerkle
	for name, into := range map[string]interface{}{"keys": &keys, "checkpoints": &checkpoints, "credentials": &credentials,
		"appraisals": &appraisals, "merkle": &tree} {
		if err := readJSON(filepath.Join(dir, name+".json"), into); err != nil {
			return nil, err
		}
	}
	named := map[string]jose.JSONWebKey{}
	for _, k := range keys {
		named[k.Name] = k.JWK
	}
	e := &evidence{record: named["record"], other: named["attestation"], mint: []jose.JSONWebKey{named["mint"]}}
	for _, c := range checkpoints {
		if e.origin != "" && c.Origin != e.origin || c.Key != "record" {
			return nil, fmt.Errorf("a checkpoint of %q by %q", c.Origin, c.Key)
		}
		e.origin = c.Origin
		e.notes = append(e.notes, []byte(c.Note))
	}
	for _, c := range credentials {
		var claims struct{ Iat int64 }
		if err := json.Unmarshal([]byte(c.Claims), &claims); err != nil {
			return nil, err
		}
		iss, err := issuerOf(c, named)
		if err != nil {
			return nil, err
		}
		e.credentials = append(e.credentials, credential{name: c.Name, token: c.Compact, audience: c.Audience, issuer: iss,
			seen: time.Unix(claims.Iat, 0), entry: []byte(c.Entry)})
	}
	for _, a := range appraisals {
		e.results = append(e.results, result{name: a.Name, token: a.Result, evidence: a.Evidence, verifier: a.Verifier, ak: a.AK})
	}
	e.addMerkle(&tree)
	return e, nil
}

// issuerOf is a cluster's issuer: one for each mint key, named by the key's thumbprint. Empty where the target has none of its own.
func issuerOf(c vectorCredential, keys map[string]jose.JSONWebKey) (string, error) {
	if c.Issuer == "" {
		return "", nil
	}
	key := keys[c.Key]
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	return c.Issuer + "/" + base64.RawURLEncoding.EncodeToString(thumbprint), err
}

func (e *evidence) addMerkle(tree *vectorMerkle) {
	for _, p := range tree.Inclusion {
		e.inclusions = append(e.inclusions, inclusion{name: fmt.Sprintf("leaf %d of %d", p.Index, p.Size), leaf: tree.Leaves[p.Index],
			index: p.Index, size: p.Size, proof: hashes(p.Proof), root: tree.Roots[p.Size]})
	}
	for _, p := range tree.Consistency {
		e.consistences = append(e.consistences, consistency{from: p.From, to: p.To, fromRoot: tree.Roots[p.From], toRoot: tree.Roots[p.To],
			proof: hashes(p.Proof)})
	}
}
