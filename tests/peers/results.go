package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"

	"github.com/go-jose/go-jose/v3"
	"github.com/google/go-tpm/tpm2"
)

// result is an attestation result and the evidence that it judges.
type result struct {
	name, token, evidence string
	verifier, ak          jose.JSONWebKey
}

// EAR (draft-ietf-rats-ear), with seb's private claims.
type ear struct {
	Profile  string `json:"eat_profile"`
	Nonce    digest `json:"eat_nonce"`
	Iat, Exp int64
	Verifier struct{ Build, Developer string } `json:"ear.verifier-id"`
	Submods  map[string]struct {
		Policy string         `json:"ear.appraisal-policy-id"`
		Status string         `json:"ear.status"`
		Vector map[string]int `json:"ear.trustworthiness-vector"`
		Seb    struct {
			Codes                                 []string
			Domain, Instance                      string
			Enrolment, Evidence, Quote, Reference digest
			Keys                                  struct{ Attestation, Mint, Record digest }
			Log                                   struct {
				Root digest
				Size uint64
			}
			LogBefore struct {
				Root digest
				Size uint64
			} `json:"log_before"`
			Epoch       uint64
			PolicyEpoch uint64 `json:"policy_epoch"`
		}
	}
}

// text is bytes in JSON: unpadded base64url.
type text []byte

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(s)
	*t = decoded
	return err
}

type quoteEvidence struct {
	Attest, Signature, Preimage text
	Pcrs                        map[string]string
	Keys                        map[string]struct {
		Backend  string
		Kid      digest
		Evidence text
	}
}

func verifyResult(token string, key jose.JSONWebKey) ([]byte, error) {
	jws, err := jose.ParseSigned(token)
	if err != nil {
		return nil, err
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	head := jws.Signatures[0].Protected
	if head.Algorithm != string(jose.ES256) || head.KeyID != base64.RawURLEncoding.EncodeToString(thumbprint) ||
		head.ExtraHeaders[jose.HeaderType] != "eat+jwt" {
		return nil, fmt.Errorf("its header is %+v", head)
	}
	return jws.Verify(key.Key)
}

// tier is AR4SI's (draft-ietf-rats-ar4si section 2.3.2), worst last.
func tier(v int) int {
	if v < 0 {
		v = -v - 1
	}
	switch {
	case v >= 96:
		return 3
	case v >= 32:
		return 2
	case v >= 2:
		return 1
	}
	return 0
}

// claims reads an EAR and holds it to itself.
func claims(payload []byte) (*ear, error) {
	var e ear
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return nil, err
	}
	if e.Profile != "tag:github.com,2023:veraison/ear" || e.Exp <= e.Iat || e.Exp > e.Iat+300 || e.Verifier.Build == "" ||
		e.Verifier.Developer == "" || len(e.Submods) != 1 {
		return nil, fmt.Errorf("not an EAR of one submodule: %+v", e)
	}
	for name, sub := range e.Submods {
		worst := 0
		for _, v := range sub.Vector {
			if t := tier(v); t > worst {
				worst = t
			}
		}
		if sub.Status != []string{"none", "affirming", "warning", "contraindicated"}[worst] {
			return nil, fmt.Errorf("status %s of %v", sub.Status, sub.Vector)
		}
		if (sub.Status == "affirming") != (len(sub.Seb.Codes) == 0) || sub.Seb.Instance != name || sub.Policy == "" {
			return nil, fmt.Errorf("it contradicts itself: %+v", sub)
		}
	}
	return &e, nil
}

func verifyAttest(ak jose.JSONWebKey, attest, signature []byte) (*tpm2.AttestationData, error) {
	sum := sha256.Sum256(attest)
	if !ecdsa.VerifyASN1(ak.Key.(*ecdsa.PublicKey), sum[:], signature) {
		return nil, errors.New("not signed by the attestation key")
	}
	return tpm2.DecodeAttestationData(attest)
}

// quoted holds the quote to its preimage and to the PCR values that came.
func quoted(ak jose.JSONWebKey, e *quoteEvidence) error {
	a, err := verifyAttest(ak, e.Attest, e.Signature)
	if err != nil {
		return err
	}
	if a.AttestedQuoteInfo == nil {
		return errors.New("no quote")
	}
	if sum := sha256.Sum256(e.Preimage); !bytes.Equal(sum[:], a.ExtraData) {
		return errors.New("of another preimage")
	}
	var numbers []int
	for name := range e.Pcrs {
		n, err := strconv.Atoi(name)
		if err != nil {
			return err
		}
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	hash := sha256.New()
	for _, n := range numbers {
		value, err := hex.DecodeString(e.Pcrs[strconv.Itoa(n)])
		if err != nil {
			return err
		}
		hash.Write(value)
	}
	if a.AttestedQuoteInfo.PCRSelection.Hash != tpm2.AlgSHA256 || fmt.Sprint(a.AttestedQuoteInfo.PCRSelection.PCRs) != fmt.Sprint(numbers) ||
		!bytes.Equal(hash.Sum(nil), a.AttestedQuoteInfo.PCRDigest) {
		return errors.New("of other PCRs")
	}
	return nil
}

// certified holds each key to TPM2_Certify by the attestation key, and to its Name.
func certified(ak jose.JSONWebKey, e *quoteEvidence) error {
	for role, k := range e.Keys {
		var proof struct{ Attest, Public, Signature text }
		if err := json.Unmarshal(k.Evidence, &proof); err != nil {
			return err
		}
		a, err := verifyAttest(ak, proof.Attest, proof.Signature)
		if err != nil {
			return fmt.Errorf("%s: %w", role, err)
		}
		public, err := tpm2.DecodePublic(proof.Public)
		if err != nil {
			return fmt.Errorf("%s: %w", role, err)
		}
		name, err := public.Name()
		if err != nil {
			return err
		}
		key, err := public.Key()
		if err != nil {
			return err
		}
		thumbprint, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
		if err != nil {
			return err
		}
		if a.AttestedCertifyInfo == nil || !bytes.Equal(a.AttestedCertifyInfo.Name.Digest.Value, name.Digest.Value) ||
			!bytes.Equal(thumbprint, k.Kid) {
			return fmt.Errorf("%s: another key is certified", role)
		}
		if want := tpm2.FlagFixedTPM | tpm2.FlagFixedParent | tpm2.FlagSensitiveDataOrigin | tpm2.FlagSign; public.Attributes&want != want ||
			public.Attributes&tpm2.FlagDecrypt != 0 || (public.Attributes&tpm2.FlagRestricted != 0) != (role == "attestation") {
			return fmt.Errorf("%s: attributes %x", role, public.Attributes)
		}
	}
	return nil
}

func judgeResult(v result) error {
	payload, err := verifyResult(v.token, v.verifier)
	if err != nil {
		return err
	}
	e, err := claims(payload)
	if err != nil {
		return err
	}
	var quote quoteEvidence
	if err := json.Unmarshal([]byte(v.evidence), &quote); err != nil {
		return err
	}
	for _, sub := range e.Submods {
		whole, attest := sha256.Sum256([]byte(v.evidence)), sha256.Sum256(quote.Attest)
		if !bytes.Equal(sub.Seb.Evidence, whole[:]) || !bytes.Equal(sub.Seb.Quote, attest[:]) {
			return errors.New("of other evidence")
		}
		for role, kid := range map[string]digest{"attestation": sub.Seb.Keys.Attestation, "mint": sub.Seb.Keys.Mint, "record": sub.Seb.Keys.Record} {
			if !bytes.Equal(quote.Keys[role].Kid, kid) {
				return fmt.Errorf("of another %s key", role)
			}
		}
	}
	if err := quoted(v.ak, &quote); err != nil {
		return fmt.Errorf("its quote: %w", err)
	}
	return certified(v.ak, &quote)
}

func judgeResults(r *report, e *evidence) {
	if len(e.results) == 0 {
		return
	}
	for _, v := range e.results {
		if err := judgeResult(v); err != nil {
			r.accepted("each attestation result is accepted", fmt.Errorf("%s: %w", v.name, err))
			return
		}
	}
	r.say(len(e.results) > 1, fmt.Sprintf("each attestation result is accepted, and so are its quote and its keys' certifications (%d)", len(e.results)),
		"there are too few")
	v := e.results[0]
	_, err := verifyResult(v.token, e.other)
	r.refused("a result is refused under another key", "its header is", err)
	allRefused(r, "a truncated result", prefixes([]byte(v.token)), func(t []byte) error {
		_, err := verifyResult(string(t), v.verifier)
		return err
	})
	var quote quoteEvidence
	if err := json.Unmarshal([]byte(v.evidence), &quote); err != nil {
		r.accepted("evidence", err)
		return
	}
	allRefused(r, "a quote with a bit flipped", flips(quote.Attest), func(b []byte) error {
		changed := quote
		changed.Attest = b
		return quoted(v.ak, &changed)
	})
	allRefused(r, "a preimage with a bit flipped", flips(quote.Preimage), func(b []byte) error {
		changed := quote
		changed.Preimage = b
		return quoted(v.ak, &changed)
	})
}
