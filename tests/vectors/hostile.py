"""Inputs that must be refused, each with the error's name (src/base/err.def)."""
import base64
import json

from forms import b64url, blob16, blob32, canonical, digest


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def row(kind, name, error, data):
    return {"kind": kind, "name": name, "error": error, "input": b64url(data if isinstance(data, bytes) else data.encode())}


def changed(text, path, value):
    """The JSON text with the member at the path set, or deleted where the value is None."""
    v = json.loads(text)
    *above, last = path.split(".")
    at = v
    for part in above:
        at = at[int(part)] if isinstance(at, list) else at[part]
    if value is None:
        del at[last]
    else:
        at[int(last) if isinstance(at, list) else last] = value
    return canonical(v)


def json_texts():
    deep = "[" * 17 + "]" * 17
    return [row("json", *r) for r in [
        ("nothing", "bad_json", ""), ("a comment", "bad_json", "[1,/**/2]"), ("a trailing comma", "bad_json", "[1,]"),
        ("a scalar", "bad_json", "1"), ("a byte order mark", "bad_json", b"\xef\xbb\xbf[]"), ("NaN", "bad_json", "[NaN]"),
        ("a leading zero", "bad_json", "[01]"), ("a raw control character", "bad_json", "[\"a\nb\"]"),
        ("NUL in a string", "bad_json", '["\\u0000"]'), ("a lone surrogate", "bad_json", '["\\ud800"]'),
        ("a duplicate member", "duplicate_member", '{"a":1,"a":1}'), ("a duplicate member by an escape", "duplicate_member", '{"a":1,"\\u0061":1}'),
        ("a real", "not_integer", "[1.5]"), ("an exponent", "not_integer", "[1e2]"), ("2^53", "not_integer", "[9007199254740992]"),
        ("beyond 64 bits", "not_integer", "[99999999999999999999]"), ("minus zero", "not_integer", "[-0]"),
        ("overlong UTF-8", "bad_utf8", b'["\xc0\xaf"]'), ("a surrogate in UTF-8", "bad_utf8", b'["\xed\xa0\x80"]'),
        ("Latin-1", "bad_utf8", b'["\xe4"]'), ("17 levels", "too_deep", deep), ("a second value", "trailing_bytes", "{}{}"),
        ("a byte after the value", "trailing_bytes", "{}x"), ("NUL after the value", "bad_json", "{}\x00"),
    ]]


def jws_texts(flat):
    """Of a flattened JWS."""
    def with_header(h):
        return json.dumps({**flat, "protected": b64url(h.encode())})

    h = unb64url(flat["protected"]).decode()
    nine = {"payload": flat["payload"], "signatures": [{m: flat[m] for m in ("protected", "signature")}] * 9}
    return [row("jws", *r) for r in [
        ("an unprotected header", "unknown_member", json.dumps({**flat, "header": {}})),
        ("both serializations", "unknown_member", json.dumps({**nine, "signatures": nine["signatures"][:1], "protected": flat["protected"]})),
        ("nine signatures", "bad_jws", json.dumps(nine)), ("no signatures", "bad_jws", json.dumps({**nine, "signatures": []})),
        ("an array", "bad_jws", "[]"), ("no payload", "missing_member", json.dumps({m: flat[m] for m in ("protected", "signature")})),
        ("padded base64url", "bad_base64url", json.dumps({**flat, "payload": "e30="})),
        ("base64 of the other alphabet", "bad_base64url", json.dumps({**flat, "payload": "+/+/"})),
        ("bits beyond the end", "bad_base64url", json.dumps({**flat, "payload": "e31"})),
        ("a short signature", "bad_signature", json.dumps({**flat, "signature": b64url(bytes(63))})),
        ("a long signature", "bad_signature", json.dumps({**flat, "signature": b64url(bytes(65))})),
        ("alg none", "bad_header", with_header(h.replace("ES256", "none"))), ("alg HS256", "bad_header", with_header(h.replace("ES256", "HS256"))),
        ("crit", "bad_header", with_header(h.replace('{"alg":"ES256",', '{"alg":"ES256","crit":["b64"],'))),
        ("an embedded key", "bad_header", with_header(h.replace('"kid"', '"jwk":{},"kid"'))),
        ("members in another order", "bad_header", with_header('{"kid":"%s","alg":"ES256","typ":"seb-epoch+jws"}' % h.split('"')[7])),
        ("white space in the header", "bad_header", with_header(h.replace(":", ": "))),
        ("alg twice", "bad_header", with_header(h.replace('{', '{"alg":"none",'))),
    ]]


def compact_texts(compact):
    h, p, s = compact.split(".")
    return [row("compact", *r) for r in [
        ("two parts", "bad_jws", h + "." + p), ("four parts", "bad_jws", compact + ".AA"), ("nothing", "bad_jws", ""),
        ("padding", "bad_base64url", h + "." + p + "=." + s), ("bits beyond the end", "bad_base64url", h + ".e31." + s),
        ("a short signature", "bad_signature", h + "." + p + "." + b64url(bytes(63))), ("no header", "bad_header", "." + p + "." + s),
        ("alg none", "bad_header", b64url(unb64url(h).replace(b"ES256", b"none")) + "." + p + "."  + s)]]


def document_texts(kind, text, members):
    rows = [row(kind, "an unknown member", "unknown_member", changed(text, "zz", 1)),
            row(kind, "a trailing value", "trailing_bytes", text + "{}"), row(kind, "an array", "bad_type", "[]"),
            row(kind, "cut short", "bad_json", text[:-1])]
    rows += [row(kind, "without " + m, "missing_member", changed(text, m, None)) for m in json.loads(text) if m not in ("ext", "crit")]
    return rows + [row(kind, "%s: %s" % (path, json.dumps(value)[:40]), error, changed(text, path, value)) for path, value, error in members]


CERTIFICATE = [
    ("aud", "a/b", "bad_value"), ("cid", "x" * 65, "too_long"), ("cid", "", "bad_value"), ("cnf.jwk.d", "AA", "bad_key"),
    ("cnf.jwk.crv", "P-384", "bad_key"), ("crit", ["note"], "bad_value"), ("epoch", -1, "bad_value"), ("epoch", "3", "bad_type"),
    ("exp", 1, "bad_value"), ("nonce", b64url(bytes(15)), "bad_value"), ("nonce", b64url(bytes(33)), "too_long"),
    ("policy_epoch", 0, "bad_value"), ("risk", "L2", "bad_value"), ("state", digest(b"other"), "bad_value"),
    ("contract.zz", 1, "unknown_member"), ("contract.risk", "L6", "bad_value"),
]
CONTRACT = [
    ("constraints.credential_s", 0, "bad_value"), ("constraints.credential_s", 61, "bad_value"), ("operation", "P/T", "bad_value"),
    ("parameters.body.length", 32769, "bad_value"), ("parameters.body.media_type", "a/b\r\nx: y", "bad_value"),
    ("parameters.body.media_type", " a/b", "bad_value"), ("parameters.body.sha256", "abc", "bad_value"),
    ("preconditions", {"absent": False}, "bad_value"), ("preconditions", {"absent": True, "etag": '"a"'}, "bad_value"),
    ("preconditions.etag", 'W/"a"', "bad_value"), ("preconditions.etag", '"a", "b"', "bad_value"), ("preconditions.etag", '""', "bad_value"),
    ("preconditions.version", 1, "unknown_member"), ("resource", "x" * 1025, "too_long"), ("resource", "a\tb", "bad_value"),
    ("risk", "high", "too_long"), ("target", "a b", "bad_value"),
]
OBJECT = [
    ("parameters.fields", [], "bad_value"), ("parameters.fields", {}, "bad_type"),
    ("parameters.fields.0", {"pointer": "/a", "sha256": digest(b"a")}, "bad_value"), ("parameters.fields.0.pointer", "a", "bad_value"),
    ("parameters.fields.0.pointer", "/a~", "bad_value"), ("parameters.fields.0.pointer", "/a=1", "bad_value"),
    ("parameters.fields.0.pointer", "/spec/paused", "bad_value"), ("parameters.fields.0.pointer", "/" + "x" * 256, "too_long"),
    ("parameters.fields.0.value", "x" * 1023, "too_long"), ("parameters.fields.0.absent", True, "bad_value"),
    ("parameters.fields.1.absent", False, "bad_value"), ("parameters.fields.1.absent", None, "missing_member"),
    ("parameters.fields", [{"pointer": "/%d" % i, "value": i} for i in range(33)], "too_long"),
    ("parameters.fields.0.zz", 1, "unknown_member"), ("parameters.field_manager", "a b", "bad_value"),
    ("parameters.field_manager", "x" * 129, "too_long"), ("parameters.force", 1, "bad_type"), ("parameters.grace_s", 86401, "bad_value"),
    ("parameters.propagation", "orphan", "bad_value"), ("preconditions.uid", "a/b", "bad_value"), ("preconditions.uid", "x" * 65, "too_long"),
    ("preconditions.resource_version", 8123, "bad_type"), ("preconditions.absent", True, "bad_value"),
    ("preconditions.fields", [], "bad_value"), ("constraints.dry_run", False, "bad_value"), ("constraints.dry_run", "yes", "bad_type"),
    ("postconditions", {}, "missing_member"), ("postconditions.uid", "a", "unknown_member"), ("postconditions.fields", [], "bad_value"),
]
REQUEST = [
    ("certificate", "abc", "bad_value"), ("id", "x" * 65, "too_long"), ("wait_ms", 60001, "bad_value"), ("wait_ms", -1, "bad_value"),
    ("iat", -1, "bad_value"), ("mutation.risk", "L0", "unknown_member"), ("mutation.target", None, "missing_member"),
]
POLICY = [
    ("authorities", [], "bad_value"), ("authorities.1.name", "authority-0", "bad_value"), ("authorities.0.admit", [], "bad_value"),
    ("authorities.0.admit.0.resources.0", {"prefix": "https://h/a"}, "bad_value"),
    ("authorities.0.admit.0.resources.0", {"exact": "a", "prefix": "a/"}, "bad_value"), ("body_bytes", 32769, "bad_value"),
    ("credential_s", 61, "bad_value"), ("freezes.0.until", 1, "bad_value"), ("policy_epoch", 0, "bad_value"),
    ("request_age_s", 3601, "bad_value"), ("signatures.L3", 0, "bad_value"), ("signatures.L6", 1, "unknown_member"),
    ("validity_s", 86401, "bad_value"), ("version_from", "L6", "bad_value"), ("attestation", "none", "unknown_member"), ("secrets", "fenced", "bad_value"),
    ("secrets", True, "bad_type"),
    ("hsm.serial", "x" * 17, "too_long"), ("verifiers", [], "bad_value"), ("verifiers.0.lease.crv", "P-384", "bad_key"),
    ("approval.needed", 2, "bad_value"), ("approval.countersigners", {}, "bad_type"),
]
EPOCH = [("domain", "", "bad_value"), ("epoch", -1, "bad_value"), ("exp", 1, "bad_value"), ("iat", "now", "bad_type")]


def frames(one):
    frame = unb64url(one["frame"])
    return [row("bus", *r) for r in [
        ("another magic", "bad_frame", b"SEB2" + frame[4:]), ("nothing", "truncated", b""), ("cut short", "truncated", frame[:-1]),
        ("a byte too many", "trailing_bytes", frame + b"\0"),
        ("more than 65,536 bytes", "too_long", b"SEB1" + blob32(bytes(65536)) + blob32(b"")),
        ("a length beyond the end", "truncated", b"SEB1" + b"\0\0\0\x09" + b"{}" + blob32(b""))]]


def entry_texts(entries):
    of = {e["type"]: e["entry"] for e in entries}
    texts = [("a space", of["stop"].replace(":", ": ", 1)), ("an unknown type", changed(of["stop"], "type", "pause")),
             ("another version", changed(of["stop"], "v", 2)), ("an unknown member", changed(of["stop"], "zz", 1)),
             ("a member missing", changed(of["epoch"], "epoch", None)), ("a member twice", of["stop"].replace("{", '{"v":1,', 1)),
             ("a permit that names a rule", changed([e for e in entries if e["permit"]][0]["entry"], "rule", "sig")),
             ("nothing", ""), ("an array", "[]")]
    permit = [e for e in entries if e["permit"]][-1]["entry"]
    texts += [("a credential that no cache takes longer", changed(permit, "accepted_until", json.loads(permit)["exp"])),
              ("a field's digest that is none", changed(permit, "live.fields.0", "abc")), ("no findings", changed(permit, "live.fields", [])),
              ("more findings than fields", changed(permit, "live.fields", [None] * 65)),
              ("a version that is a number", changed(permit, "live.resource_version", 8123)),
              ("findings where nothing is", changed(changed(permit, "live.exists", False), "live.uid", None))]
    refused = [e["entry"] for e in entries if "causes" in e["entry"]][0]
    texts += [("no causes", changed(refused, "causes", [])), ("a cause of another form", changed(refused, "causes.0.code", "x")),
              ("nine causes", changed(refused, "causes", [{"field": "a"}] * 9)),
              ("a cause's text of 257 bytes", changed(refused, "causes.0.field", "x" * 257))]
    return [row("entry", name, "bad_entry", text) for name, text in texts]


def notes(checkpoint):
    n = checkpoint["note"]
    return [row("note", *r) for r in [
        ("another size", "bad_signature", n.replace("\n1\n", "\n2\n")), ("a leading zero", "bad_note", n.replace("\n1\n", "\n01\n")),
        ("no signature", "bad_note", checkpoint["text"]), ("two signatures", "bad_note", n + n.split("\n\n")[1]),
        ("another name", "bad_note", n.replace("\u2014 prod", "\u2014 test")), ("nothing", "bad_note", ""),
        ("no last newline", "bad_note", n[:-1]), ("a byte after it", "bad_note", n + "x")]]


def preimages(quote):
    p = unb64url(quote["preimage"])
    return [row("preimage", *r) for r in [
        ("another purpose", "bad_quote", blob16(b"seb-quote-challenge-v1") + p[25:]), ("cut short", "truncated", p[:-1]),
        ("a byte too many", "trailing_bytes", p + b"\0")]]


def hostile(documents, contracts, frames_, entries, checkpoints, quotes, compact):
    of = {d["kind"]: d for d in reversed(documents)}
    es256 = {"payload": of["policy"]["jws"]["payload"], **of["policy"]["jws"]["signatures"][0]}
    rows = json_texts() + jws_texts(es256) + compact_texts(compact) + document_texts("contract", contracts[0]["contract"], CONTRACT)
    one = [c["contract"] for c in contracts if "postconditions" in c["contract"]][0]
    rows += [row("contract", "%s: %s" % (path, json.dumps(value)[:40]), error, changed(one, path, value)) for path, value, error in OBJECT]
    for kind, members in (("certificate", CERTIFICATE), ("request", REQUEST), ("policy", POLICY), ("epoch", EPOCH)):
        rows += document_texts(kind, of[kind]["payload"], members)
    payload = changed(changed(of["certificate"]["payload"], "ext", {"note": 1}), "crit", ["note"])
    rows.append(row("certificate", "an extension that must be understood", "unknown_critical", payload))
    return rows + frames(frames_[0]) + entry_texts(entries) + notes(checkpoints[1]) + preimages(quotes[0])
