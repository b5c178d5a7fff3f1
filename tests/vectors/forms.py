"""The forms that the formats are made of, from their standards; shares no code with seb."""
import base64
import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

import p256


def b64url(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def sha256(b):
    return hashlib.sha256(b).digest()


def digest(b):
    return b64url(sha256(b))


def canonical(v):
    """RFC 8785, for values whose numbers are integers within 2^53."""
    if isinstance(v, dict):
        members = sorted(v.items(), key=lambda m: m[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical(k) + ":" + canonical(m) for k, m in members) + "}"
    if isinstance(v, list):
        return "[" + ",".join(canonical(m) for m in v) + "]"
    return json.dumps(v, ensure_ascii=False)


def jcs(v):
    return canonical(v).encode()


class Key:
    """A fixed key: its private part is SHA-256 of its name."""

    def __init__(self, name, alg):
        self.name, self.alg = name, alg
        secret = sha256(b"seb test key " + name.encode())
        if alg == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
            raw = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64url(raw)}
        else:
            self.d = int.from_bytes(secret, "big") % (p256.N - 1) + 1
            x, y = p256.public(self.d)
            self.private = ec.derive_private_key(self.d, ec.SECP256R1())
            self.jwk = {"crv": "P-256", "kty": "EC", "x": b64url(x.to_bytes(32, "big")), "y": b64url(y.to_bytes(32, "big"))}
        self.kid = digest(jcs(self.jwk))  # RFC 7638
        self.spki = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.pem = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, message):
        if self.alg == "EdDSA":
            return self.private.sign(message)
        raw = p256.sign(self.d, message)
        self.private.public_key().verify(der(raw), message, ec.ECDSA(hashes.SHA256()))
        return raw


def der(raw):
    return utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def header(key, typ):
    return jcs({"alg": key.alg, "kid": key.kid, "typ": typ})


def signing_input(key, typ, payload):
    return (b64url(header(key, typ)) + "." + b64url(payload)).encode()


def signature(key, typ, payload):
    return {"protected": b64url(header(key, typ)), "signature": b64url(key.sign(signing_input(key, typ, payload)))}


def jws(keys, typ, payload):
    """RFC 7515 section 7.2.1."""
    return {"payload": b64url(payload), "signatures": [signature(k, typ, payload) for k in keys]}


def flattened(key, typ, payload):
    """RFC 7515 section 7.2.2."""
    return {"payload": b64url(payload), **signature(key, typ, payload)}


def blob16(b):
    return struct.pack(">H", len(b)) + b


def blob32(b):
    return struct.pack(">I", len(b)) + b


# RFC 9162 section 2.1, by its recursive definitions.
def leaf(entry):
    return sha256(b"\x00" + entry)


def node(left, right):
    return sha256(b"\x01" + left + right)


def split(n):
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    k = split(len(leaves))
    return node(root(leaves[:k]), root(leaves[k:]))


def inclusion(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return inclusion(m, leaves[:k]) + [root(leaves[k:])]
    return inclusion(m - k, leaves[k:]) + [root(leaves[:k])]


def consistency(m, leaves):
    def subproof(m, leaves, whole):
        if m == len(leaves):
            return [] if whole else [root(leaves)]
        k = split(len(leaves))
        if m <= k:
            return subproof(m, leaves[:k], whole) + [root(leaves[k:])]
        return subproof(m - k, leaves[k:], False) + [root(leaves[:k])]

    return subproof(m, leaves, True) if 0 < m < len(leaves) else []


def note_text(origin, size, hash_):
    """C2SP tlog-checkpoint."""
    return "%s\n%d\n%s\n" % (origin, size, base64.b64encode(hash_).decode())


def note(key, origin, size, hash_):
    """C2SP signed-note, signature type 0x02."""
    text = note_text(origin, size, hash_)
    sig = sha256(key.spki)[:4] + der(key.sign(text.encode()))
    return "%s\n\u2014 %s %s\n" % (text, origin, base64.b64encode(sig).decode())
