package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v3"
	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/note"
)

const algECDSA = 0x02

// verifierKey is a key as the note library takes it: name, key id, and type with SPKI.
func verifierKey(name string, key jose.JSONWebKey) (string, error) {
	spki, err := x509.MarshalPKIXPublicKey(key.Key)
	if err != nil {
		return "", err
	}
	id := sha256.Sum256(spki)
	return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(append([]byte{algECDSA}, spki...))), nil
}

// openCheckpoint has the peer verify a note by this name and key, and parse it for this origin.
func openCheckpoint(text []byte, origin, name string, key jose.JSONWebKey) (*log.Checkpoint, error) {
	vkey, err := verifierKey(name, key)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	checkpoint, rest, _, err := log.ParseCheckpoint(text, origin, verifier)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("lines that a checkpoint of ours doesn't have: %q", rest)
	}
	return checkpoint, err
}

func (e *evidence) open(text []byte) (*log.Checkpoint, error) {
	return openCheckpoint(text, e.origin, e.origin, e.record)
}

func judgeCheckpoints(r *report, e *evidence) {
	var size uint64
	for i, text := range e.notes {
		checkpoint, err := e.open(text)
		if err == nil && i > 0 && checkpoint.Size <= size {
			err = fmt.Errorf("number %d has size %d after %d", i, checkpoint.Size, size)
		}
		if err != nil {
			r.accepted("each checkpoint is accepted", fmt.Errorf("%w\n%s", err, text))
			return
		}
		size = checkpoint.Size
	}
	r.say(len(e.notes) > 1, fmt.Sprintf("each checkpoint is accepted (%d, up to size %d)", len(e.notes), size), "there are too few")
	attackCheckpoint(r, e, e.notes[len(e.notes)-1], e.notes[0])
}

func attackCheckpoint(r *report, e *evidence, honest, earlier []byte) {
	try := func(text []byte) error {
		_, err := e.open(text)
		return err
	}
	text, signature, err := splitNote(honest, e.origin)
	if err != nil {
		r.accepted("a checkpoint's parts", err)
		return
	}
	name := "\u2014 " + e.origin + " "
	// The library decodes base64 leniently, so a signature's bits are flipped before they are encoded.
	var variants [][]byte
	for _, s := range flips(signature) {
		variants = append(variants, joinNote(text, name, s))
	}
	allRefused(r, "a checkpoint's key id or signature with a bit flipped", variants, try)
	variants = nil
	for _, head := range flips(append(append(append([]byte(nil), text...), '\n'), name...)) {
		variants = append(variants, append(head, base64.StdEncoding.EncodeToString(signature)+"\n"...))
	}
	allRefused(r, "a checkpoint's text or name with a bit flipped", variants, try)
	allRefused(r, "a truncated checkpoint", prefixes(honest), try)
	allRefused(r, "a truncated signature", truncatedSignatures(text, name, signature), try)

	_, other, err := splitNote(earlier, e.origin)
	r.accepted("an earlier checkpoint's parts", err)
	unverified := "failed to verify signatures"
	r.refused("an earlier checkpoint's signature over this text is refused", unverified, try(joinNote(text, name, other)))
	_, err = openCheckpoint(honest, e.origin, e.origin, e.other)
	r.refused("a checkpoint is refused under another key", unverified, err)
	_, err = openCheckpoint(honest, e.origin, e.origin+"x", e.record)
	r.refused("a checkpoint is refused under another name", unverified, err)
	_, err = openCheckpoint(honest, "elsewhere.example/seb-1", e.origin, e.record)
	r.refused("a checkpoint is refused for another origin", "got Origin", err)
}

// splitNote takes a note with one signature apart: text with its last newline, and key id with signature.
func splitNote(note []byte, origin string) (text, signature []byte, err error) {
	text, line, found := bytes.Cut(note, []byte("\n\n\u2014 "+origin+" "))
	if !found {
		return nil, nil, errors.New("no signature line under the origin's name")
	}
	signature, err = base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSuffix(line, []byte("\n"))))
	return append(text[:len(text):len(text)], '\n'), signature, err
}

func joinNote(text []byte, name string, signature []byte) []byte {
	return []byte(string(text) + "\n" + name + base64.StdEncoding.EncodeToString(signature) + "\n")
}

func truncatedSignatures(text []byte, name string, signature []byte) [][]byte {
	var all [][]byte
	for _, s := range prefixes(signature) {
		all = append(all, joinNote(text, name, s))
	}
	return all
}
