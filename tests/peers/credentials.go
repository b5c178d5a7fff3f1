package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v3"
	"github.com/transparency-dev/merkle/rfc6962"
)

// A relying party is who verifies a credential: which issuer's, for which audience, by which keys, when.
type party struct {
	issuer, audience string
	keys             oidc.KeySet
	now              time.Time
}

func (p party) verify(token string) (*oidc.IDToken, error) {
	return oidc.NewVerifier(p.issuer, p.keys, &oidc.Config{
		ClientID:             p.audience,
		SupportedSigningAlgs: []string{oidc.ES256},
		Now:                  func() time.Time { return p.now },
	}).Verify(context.Background(), token)
}

func (p party) refuses(token string) error {
	_, err := p.verify(token)
	return err
}

func static(keys ...jose.JSONWebKey) oidc.KeySet {
	set := &oidc.StaticKeySet{}
	for _, k := range keys {
		set.PublicKeys = append(set.PublicKeys, k.Key)
	}
	return set
}

func (e *evidence) party(c credential) party {
	iss := c.issuer
	if iss == "" {
		iss = issuer(e.origin)
	}
	return party{issuer: iss, audience: c.audience, keys: static(e.mint...), now: c.seen}
}

func judgeCredentials(r *report, e *evidence) {
	for _, c := range e.credentials {
		token, err := e.party(c).verify(c.token)
		if err == nil {
			err = says(token, c)
		}
		if err != nil {
			r.accepted("each credential is accepted", fmt.Errorf("%s: %w", c.name, err))
			return
		}
	}
	n := len(e.credentials)
	r.say(n > 1, fmt.Sprintf("each credential is accepted, and says whose record it is minted for and what it is sent with (%d)", n),
		"there are too few")
	attackCredential(r, e, e.credentials[n-1], e.credentials[0])
	judgeKeyID(r, e, e.credentials[n-1])
}

// says holds a credential to the decision's record, and to the call that an HTTP library read where it was sent.
func says(token *oidc.IDToken, c credential) error {
	var claims struct {
		Jti, Htm, Hth, Htu, Ctype, SHA256 string
		IfMatch                           string `json:"if_match"`
	}
	if err := token.Claims(&claims); err != nil {
		return err
	}
	leaf := base64.RawURLEncoding.EncodeToString(rfc6962.DefaultHasher.HashLeaf(c.entry))
	if claims.Jti != leaf || !strings.HasSuffix(token.Subject, ":"+leaf) {
		return fmt.Errorf("jti %s, subject %s, but the decision's leaf hash is %s", claims.Jti, token.Subject, leaf)
	}
	if c.call == nil {
		return nil
	}
	sum := sha256.Sum256(c.call.body)
	if claims.Htm != c.call.method || claims.Hth != c.call.host || claims.Htu != c.call.path || claims.Ctype != c.call.mediaType ||
		claims.IfMatch != c.call.ifMatch || claims.SHA256 != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("it says %+v, and was sent with %+v", claims, *c.call)
	}
	return nil
}

func attackCredential(r *report, e *evidence, c, earlier credential) {
	honest := e.party(c)
	parts := strings.Split(c.token, ".")
	for i, name := range []string{"header", "claims", "signature"} {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		r.accepted("a credential's "+name+" is canonical base64url", err)
		var variants [][]byte
		for _, changed := range flips(raw) {
			variants = append(variants, []byte(join(parts, i, base64.RawURLEncoding.EncodeToString(changed))))
		}
		allRefused(r, "a credential's "+name+" with a bit flipped", variants, func(t []byte) error { return honest.refuses(string(t)) })
	}
	allRefused(r, "a truncated credential", prefixes([]byte(c.token)), func(t []byte) error { return honest.refuses(string(t)) })
	r.refused("another credential's signature is refused", "failed to verify signature",
		honest.refuses(join(parts, 2, strings.Split(earlier.token, ".")[2])))

	token, _ := honest.verify(c.token)
	for _, p := range []struct {
		name, reason string
		change       func(*party)
	}{
		{"in its last second a credential is accepted", "", func(p *party) { p.now = token.Expiry.Add(-time.Millisecond) }},
		{"an expired credential is refused", "token is expired", func(p *party) { p.now = token.Expiry.Add(time.Millisecond) }},
		{"a credential is refused for another audience", "expected audience", func(p *party) { p.audience += "x" }},
		{"a credential is refused from another issuer", "different provider", func(p *party) { p.issuer = "https://elsewhere.example/seb-1" }},
		{"a credential is refused under another key", "failed to verify signature", func(p *party) { p.keys = static(e.other) }},
		{"a credential is refused under the record key", "failed to verify signature", func(p *party) { p.keys = static(e.record) }},
	} {
		changed := honest
		p.change(&changed)
		if p.reason == "" {
			r.accepted(p.name, changed.refuses(c.token))
		} else {
			r.refused(p.name, p.reason, changed.refuses(c.token))
		}
	}
	forgeCredential(r, e, honest, parts)
}

func join(parts []string, i int, part string) string {
	changed := append([]string(nil), parts...)
	changed[i] = part
	return strings.Join(changed, ".")
}

// forgeCredential tries the same claims under keys and algorithms that anybody has.
func forgeCredential(r *report, e *evidence, honest party, parts []string) {
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		r.accepted("a credential's claims", err)
		return
	}
	mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.accepted("a key to forge with", err)
		return
	}
	spki, err := x509.MarshalPKIXPublicKey(e.mint[0].Key)
	if err != nil {
		r.accepted("the mint key as SPKI", err)
		return
	}
	forge := func(alg jose.SignatureAlgorithm, key interface{}) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
		if err != nil {
			panic(err)
		}
		jws, err := signer.Sign(claims)
		if err != nil {
			panic(err)
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			panic(err)
		}
		return token
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	r.refused("a credential signed by anybody is refused", "failed to verify signature", honest.refuses(forge(jose.ES256, mine)))
	r.refused("a credential with the mint key's public half as an HMAC secret is refused", "unsupported algorithm",
		honest.refuses(forge(jose.HS256, spki)))
	r.refused("a credential without a signature is refused", "", honest.refuses(none))
}

// judgeKeyID has the peer choose the mint key by `kid` out of a key set, as a relying party does that keeps one: it is the RFC 7638
// thumbprint that the peer's own library computes.
func judgeKeyID(r *report, e *evidence, c credential) {
	named, misnamed := jose.JSONWebKeySet{}, jose.JSONWebKeySet{}
	for _, key := range append([]jose.JSONWebKey{e.record, e.other}, e.mint...) {
		thumbprint, err := key.Thumbprint(crypto.SHA256)
		if err != nil {
			r.accepted("a key's thumbprint", err)
			return
		}
		key.KeyID, key.Algorithm, key.Use = base64.RawURLEncoding.EncodeToString(thumbprint), string(jose.ES256), "sig"
		named.Keys = append(named.Keys, key)
		key.KeyID = strings.ToLower(key.KeyID)
		misnamed.Keys = append(misnamed.Keys, key)
	}
	for _, s := range []struct {
		name   string
		set    jose.JSONWebKeySet
		reason string
	}{
		{"the mint key is found by kid in a key set", named, ""},
		{"a credential is refused where no key has its kid", misnamed, "failed to verify"},
	} {
		p := e.party(c)
		keys, end := serveKeys(s.set)
		p.keys = keys
		if s.reason == "" {
			r.accepted(s.name, p.refuses(c.token))
		} else {
			r.refused(s.name, s.reason, p.refuses(c.token))
		}
		end()
	}
	var header struct{ Alg, Kid, Typ string }
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(c.token, ".")[0])
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(&header)
	}
	if err == nil && (header.Alg != "ES256" || header.Typ != "JWT" || header.Kid == "") {
		err = errors.New(string(raw))
	}
	r.accepted("a credential's header is alg ES256, typ JWT and a kid", err)
}

// serveKeys offers a key set on loopback.
func serveKeys(set jose.JSONWebKeySet) (keys oidc.KeySet, end func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_ = json.NewEncoder(w).Encode(set)
	}))
	// A proxy of the environment has no business between the two.
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	return oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), client), server.URL), server.Close
}
