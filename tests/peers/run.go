package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-jose/go-jose/v3"
	"github.com/transparency-dev/merkle/rfc6962"
)

// What a run leaves in its folder:
//
//	trust.json      sebctl pubkeys --trust
//	replies/*.json  the broker's answers, as seb-submit --json prints them
//	tap/*.request   mutations as they were overheard on their way to the fence; the file's time is when
//	export/         sebctl export
type trust struct {
	Origin              string
	Record, Attestation jose.JSONWebKey
	Mint                []jose.JSONWebKey
	Audiences           map[string]string
}

type record struct {
	Index uint64
	Entry string
	Proof []digest
}

type reply struct {
	Status            string
	Checkpoint        string
	Decision, Outcome *record
}

func loadRun(dir string) (*evidence, error) {
	var t trust
	if err := readJSON(filepath.Join(dir, "trust.json"), &t); err != nil {
		return nil, err
	}
	if len(t.Audiences) != 1 || len(t.Mint) == 0 {
		return nil, errors.New("trust.json: want one target and a mint key")
	}
	e := &evidence{origin: t.Origin, record: t.Record, other: t.Attestation, mint: t.Mint, export: filepath.Join(dir, "export")}
	if err := e.addNotes(); err != nil {
		return nil, err
	}
	permits, err := e.addReplies(filepath.Join(dir, "replies"))
	if err != nil {
		return nil, err
	}
	for _, audience := range t.Audiences {
		err = e.addCredentials(filepath.Join(dir, "tap"), audience, permits)
	}
	return e, err
}

// addNotes takes the stored checkpoints; the newest must be the one that the export shows.
func (e *evidence) addNotes() error {
	file, err := os.Open(filepath.Join(e.export, "checkpoints.jsonl"))
	if err != nil {
		return err
	}
	defer file.Close()
	lines := json.NewDecoder(file)
	for {
		var line struct{ Note string }
		if err := lines.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		e.notes = append(e.notes, []byte(line.Note))
	}
	newest, err := os.ReadFile(filepath.Join(e.export, "checkpoint"))
	if err == nil && (len(e.notes) == 0 || !bytes.Equal(newest, e.notes[len(e.notes)-1])) {
		err = errors.New("the export's checkpoint isn't the newest of checkpoints.jsonl")
	}
	return err
}

// addReplies takes the records' inclusion proofs under the replies' own checkpoints, and gives the permits' entries by certificate name.
func (e *evidence) addReplies(dir string) (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	permits := map[string]string{}
	for _, path := range paths {
		var answer reply
		if err := readJSON(path, &answer); err != nil {
			return nil, err
		}
		checkpoint, err := e.open([]byte(answer.Checkpoint))
		if err != nil {
			return nil, fmt.Errorf("%s: the reply's checkpoint: %w", path, err)
		}
		for what, rec := range map[string]*record{"decision": answer.Decision, "outcome": answer.Outcome} {
			if rec == nil {
				continue
			}
			e.inclusions = append(e.inclusions, inclusion{name: path + ": " + what, leaf: rfc6962.DefaultHasher.HashLeaf([]byte(rec.Entry)),
				index: rec.Index, size: checkpoint.Size, proof: hashes(rec.Proof), root: checkpoint.Hash})
		}
		if answer.Status == "done" && answer.Decision != nil {
			var entry struct{ Cid string }
			if err := json.Unmarshal([]byte(answer.Decision.Entry), &entry); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			permits[entry.Cid] = answer.Decision.Entry
		}
	}
	return permits, err
}

func (e *evidence) addCredentials(dir, audience string, permits map[string]string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.request"))
	for _, path := range paths {
		c, err := overheard(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		cid, err := cidOf(c.token)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		entry, ok := permits[cid]
		if !ok {
			return fmt.Errorf("%s: a credential for %q, of which no reply tells", path, cid)
		}
		c.audience, c.entry = audience, []byte(entry)
		e.credentials = append(e.credentials, *c)
	}
	return err
}

func overheard(path string) (*credential, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	request, err := http.ReadRequest(bufio.NewReader(file))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	authorization := request.Header.Get("Authorization")
	token := strings.TrimPrefix(authorization, "Bearer ")
	if token == authorization {
		return nil, errors.New("no credential")
	}
	return &credential{name: path, token: token, seen: info.ModTime(), call: &call{method: request.Method, host: request.Host,
		path: request.URL.RequestURI(), mediaType: request.Header.Get("Content-Type"), ifMatch: request.Header.Get("If-Match"), body: body}}, nil
}

func cidOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("not three parts")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct{ Cid string }
	err = json.Unmarshal(raw, &claims)
	return claims.Cid, err
}
