#!/usr/bin/python3
"""Writes the test vectors for docs/formats.md into the folder given (default: its own). The same bytes each time."""
import json
import os
import sys

import objects
import p256
from appraisals import appraisals, challenges
from approvals import approvals, event_logs, references
from forms import (Key, b64url, blob16, blob32, canonical, consistency, digest, flattened, header, inclusion, jcs, jws, leaf, note,
                   note_text, root, sha256, signing_input)
from hostile import hostile

NOW = 1767225600
DOMAIN, INSTANCE = "prod.example", "seb-1"
BODY = b"hello"
KEYS = {k.name: k for k in (
    Key("authority-0", "ES256"), Key("authority-1", "ES256"), Key("authority-2", "EdDSA"), Key("agent-ed25519", "EdDSA"),
    Key("agent-p256", "ES256"), Key("policy", "ES256"), Key("revocation", "EdDSA"), Key("record", "ES256"), Key("mint", "ES256"),
    Key("attestation", "ES256"), Key("verifier", "ES256"), Key("lease", "ES256"), Key("countersigner", "EdDSA"))}
RUN = b64url(bytes(range(16)))


def keys():
    return [{"name": k.name, "alg": k.alg, "jwk": k.jwk, "kid": k.kid, "spki": b64url(k.spki), "pem": k.pem} for k in KEYS.values()]


def canonical_forms():
    texts = [
        '{}', '[]', '{"b":1,"a":2}', ' { "a" : [ 1 , 2 ] } ', '{"\\u20ac":"Euro Sign","\\r":"Carriage Return",'
        '"\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control",'
        '"\\u00f6":"Latin Small Letter O With Diaeresis"}',
        '{"numbers":[0,-1,9007199254740991,-9007199254740991]}', '{"literals":[null,true,false]}',
        '{"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"}',
        '["\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\\u2028"]',
        '{"a":{"\\ue000":1,"\\ud800\\udc00":2}}',
    ]
    return [{"input": t, "canonical": canonical(json.loads(t)), "sha256": digest(jcs(json.loads(t)))} for t in texts]


def contract(**changes):
    return {"constraints": {"credential_s": 10}, "operation": "PUT",
            "parameters": {"body": {"length": len(BODY), "media_type": "text/plain; charset=utf-8", "sha256": digest(BODY)}},
            "preconditions": {"etag": '"v1"', "sha256": digest(b"old")}, "resource": "https://docs.example:8443/pages/index",
            "risk": "L1", "target": "docs", **changes}


def state(c):
    return digest(jcs({"preconditions": c["preconditions"]}))


def certificate(agent, c, **changes):
    return {"aud": DOMAIN, "cid": "change-1", "cnf": {"jwk": KEYS[agent].jwk}, "contract": c, "epoch": 3,
            "evidence": digest(b"evidence"), "exp": NOW + 600, "iat": NOW - 100, "nbf": NOW - 60, "nonce": b64url(bytes(range(16))),
            "policy_epoch": 7, "risk": c["risk"], "state": state(c), **changes}


def request(certificate_payload, c, **changes):
    return {"certificate": digest(certificate_payload), "iat": NOW - 10, "id": "request-1",
            "mutation": {m: c[m] for m in ("operation", "parameters", "resource", "target")}, "wait_ms": 2000, **changes}


def policy():
    admit = [{"operations": ["DELETE", "PUT"], "resources": [{"prefix": "https://docs.example:8443/pages/"},
              {"exact": "https://docs.example:8443/index"}], "risk": "L4", "target": "docs"}]
    return {"approval": {"countersigners": [KEYS["countersigner"].jwk], "needed": 1},
            "authorities": [{"admit": admit, "jwk": KEYS["authority-%d" % i].jwk, "name": "authority-%d" % i} for i in range(3)],
            "body_bytes": 32768, "credential_s": 30, "domain": DOMAIN,
            "freezes": [{"from": NOW + 86400, "targets": ["docs"], "until": NOW + 90000}],
            "hsm": {"manufacturer": "SoftHSM project", "model": "SoftHSM v2", "serial": "0123456789abcdef"}, "policy_epoch": 7,
            "request_age_s": 300, "signatures": {"L0": 1, "L1": 1, "L2": 2, "L3": 2, "L4": 3, "L5": 8}, "validity_s": 3600,
            "verifiers": [{"jwk": KEYS["verifier"].jwk, "lease": KEYS["lease"].jwk, "name": "verifier-1"}], "version_from": "L2"}


def result():
    """An attestation result: EAR claims (draft-ietf-rats-ear), with seb's own beside them."""
    return {"ear.verifier-id": {"build": "seb 0.1.0", "developer": "https://seb.example"}, "eat_nonce": b64url(bytes(range(32))),
            "eat_profile": "tag:github.com,2023:veraison/ear", "exp": NOW + 25, "iat": NOW - 5,
            "submods": {INSTANCE: {
                "ear.appraisal-policy-id": "urn:seb:appraisal:1", "ear.status": "affirming",
                "ear.trustworthiness-vector": {"configuration": 2, "executables": 2, "hardware": 2, "instance-identity": 2,
                                               "storage-opaque": 2},
                "seb": {"codes": [], "domain": DOMAIN, "enrolment": digest(b"enrolment"), "epoch": 3, "evidence": digest(b"evidence JSON"),
                        "instance": INSTANCE, "keys": {n: KEYS[n].kid for n in ("attestation", "mint", "record")},
                        "log": {"root": b64url(root([])), "size": 0}, "log_before": {"root": b64url(root([])), "size": 0},
                        "policy_epoch": 7, "quote": digest(b"attest"), "reference": digest(b"reference")}}}}


def epoch():
    return {"domain": DOMAIN, "epoch": 3, "exp": NOW + 3600, "iat": NOW - 600}


def acknowledge(what):
    return {"domain": DOMAIN, "iat": NOW, "instance": INSTANCE, "root": digest(b"root"), "size": 41, "what": what}


CONTRACTS = {
    "put": contract(),
    "create": contract(preconditions={"absent": True}),
    "delete": contract(operation="DELETE", parameters={}, preconditions={"etag": '"v1"'}),
    "by-content": contract(preconditions={"sha256": digest(b"old")}, risk="L0"),
}


def document(name, kind, typ, signers, v, **more):
    payload = jcs(v)
    return {"name": name, "kind": kind, "typ": typ, "signers": signers, "payload": payload.decode(), "digest": digest(payload),
            "jws": jws([KEYS[s] for s in signers], typ, payload), **more}


def documents():
    certificate_typ, request_typ = "seb-certificate+jws", "seb-request+jws"
    one = certificate("agent-ed25519", CONTRACTS["put"])
    three = certificate("agent-p256", CONTRACTS["delete"], cid="change-2", ext={"note": {"by": "x"}})
    asked = request(jcs(one), CONTRACTS["put"])
    core = {m: asked[m] for m in ("certificate", "id", "mutation")}
    return [
        document("certificate, one signature", "certificate", certificate_typ, ["authority-0"], one, authorities=1),
        document("certificate, ES256 and EdDSA", "certificate", certificate_typ, ["authority-2", "authority-0", "authority-1"], three,
                 authorities=7),
        document("request, EdDSA", "request", request_typ, ["agent-ed25519"], asked, core=digest(jcs(core)), of=0),
        document("request, ES256", "request", request_typ, ["agent-p256"],
                 request(jcs(three), CONTRACTS["delete"], id="request-2"), of=1,
                 core=digest(jcs({"certificate": digest(jcs(three)), "id": "request-2",
                                  "mutation": {m: CONTRACTS["delete"][m] for m in ("operation", "parameters", "resource", "target")}}))),
        document("policy", "policy", "seb-policy+jws", ["policy"], policy()),
        document("policy for a cluster", "policy", "seb-policy+jws", ["policy"], objects.policy(policy())),
        document("epoch statement", "epoch", "seb-epoch+jws", ["revocation"], epoch()),
        document("attestation result", "result", "eat+jwt", ["verifier"], result()),
        document("acknowledgement of a log behind its anchor", "acknowledge", "seb-acknowledge+jws", ["policy"], acknowledge("rollback")),
        document("acknowledgement of an unclean start", "acknowledge", "seb-acknowledge+jws", ["policy"], acknowledge("unclean")),
    ]


def key_statements():
    """By the record key: of a mint key on a token; of the keys that take its own place and the others'."""
    mint = KEYS["mint"]
    attributes = {"attributes": {"always_sensitive": True, "extractable": False, "local": True, "never_extractable": True, "sensitive": True},
                  "label": "seb-mint", "manufacturer": "maker", "model": "HSM 1", "serial": "0123", "spki": b64url(mint.spki)}
    of = {"domain": DOMAIN, "instance": INSTANCE}
    old = {n: KEYS[n].jwk for n in ("attestation", "mint", "record")}
    new = {"attestation": KEYS["authority-0"].jwk, "mint": KEYS["mint"].jwk, "record": KEYS["authority-1"].jwk}
    return [
        document("mint key on a token", "mint", "seb-key+jws", ["record"], {"attributes": attributes, "jwk": mint.jwk, "use": "mint", **of}),
        document("rekey", "rekey", "seb-key+jws", ["record"], {"new": new, "old": old, "use": "rekey", **of}),
    ]


def contracts():
    return [{"name": n, "contract": canonical(c), "digest": digest(jcs(c)), "state": state(c)}
            for n, c in (CONTRACTS | objects.CONTRACTS).items()]


def signatures():
    """The steps of one signature of each kind."""
    payload = jcs(epoch())
    rows = []
    for name in ("authority-0", "agent-ed25519"):
        k = KEYS[name]
        compact = signing_input(k, "seb-epoch+jws", payload) + b"." + b64url(k.sign(signing_input(k, "seb-epoch+jws", payload))).encode()
        rows.append({"key": name, "compact": compact.decode(), "typ": "seb-epoch+jws", "payload": payload.decode(), "header": header(k, "seb-epoch+jws").decode(),
                     "signing_input": signing_input(k, "seb-epoch+jws", payload).decode(),
                     "flattened": flattened(k, "seb-epoch+jws", payload), "general": jws([k], "seb-epoch+jws", payload),
                     "digest": digest(jcs(jws([k], "seb-epoch+jws", payload)))})
    return rows


def bus():
    one = jws([KEYS["authority-0"]], "seb-certificate+jws", jcs(certificate("agent-ed25519", CONTRACTS["put"])))
    asked = jws([KEYS["agent-ed25519"]], "seb-request+jws",
                jcs(request(jcs(certificate("agent-ed25519", CONTRACTS["put"])), CONTRACTS["put"])))
    frames = [("submit", jcs({"op": "submit", "certificate": one, "request": asked}), BODY), ("status", jcs({"op": "status"}), b""),
              ("reply", jcs({"status": "refused", "code": "expired", "rule": "time"}), b"")]
    return [{"name": n, "json": j.decode(), "body": b64url(b), "frame": b64url(b"SEB1" + blob32(j) + blob32(b))} for n, j, b in frames]


def entries():
    certificate_payload = jcs(certificate("agent-ed25519", CONTRACTS["put"]))
    certificate_digest = digest(certificate_payload)
    signed = digest(jcs(jws([KEYS["authority-0"]], "seb-certificate+jws", certificate_payload)))
    request_digest = digest(jcs(request(certificate_payload, CONTRACTS["put"])))
    mint_key = KEYS["mint"].kid
    ms = NOW * 1000

    def key(name, backend):
        return {"backend": backend, "evidence": digest(b"evidence of " + name.encode()), "kid": KEYS[name].kid}

    def kids(attestation, record, mint):
        return {"attestation": KEYS[attestation].kid, "record": KEYS[record].kid, "mint": KEYS[mint].kid}

    decision = {"type": "decision", "v": 1, "run": RUN, "agent": KEYS["agent-ed25519"].kid, "request_id": "request-1",
                "request": request_digest, "certificate": certificate_digest, "signed": signed, "cid": "change-1", "policy": digest(jcs(policy())),
                "policy_epoch": 7, "statement": digest(jcs(epoch())), "epoch": 3,
                "target": {"kind": "http", "prefix": "https://docs.example:8443/pages/"}, "body": digest(BODY), "attestation": digest(jcs(result())),
                "used": False}
    live = {"read": 4, "exists": True, "sha256": digest(b"old"), "length": 3, "etag": '"v1"'}
    read = {"type": "read", "v": 1, "run": RUN, "attestation": digest(jcs(result())), "certificate": certificate_digest, "signed": signed, "target": "docs",
            "resource": "https://docs.example:8443/pages/index", "iat": NOW, "exp": NOW + 10, "mint_key": mint_key}
    permit = {**decision, "time": ms + 50, "live": live, "verdict": "permit", "iat": NOW, "exp": NOW + 10, "mint_key": mint_key}
    outcome = {"type": "outcome", "v": 1, "decision": 5, "leaf": b64url(leaf(jcs(permit)))}
    rows = [
        {"type": "start", "v": 1, "time": ms, "run": RUN, "domain": DOMAIN, "instance": INSTANCE, "program": "seb 0.1.0",
         "config": digest(b"{}"), "certificates_from": 0, "counter": 4, "head": 0,
         "measured": {"configuration": digest(b"{}"), "sebd": digest(b"sebd")},
         "keys": {"attestation": key("attestation", "tpm"), "record": key("record", "tpm"), "mint": key("mint", "pkcs11")}},
        {"type": "policy", "v": 1, "time": ms + 1, "policy": digest(jcs(policy())), "policy_epoch": 7},
        {"type": "epoch", "v": 1, "time": ms + 2, "statement": digest(jcs(epoch())), "epoch": 3},
        {"type": "noise", "v": 1, "time": ms + 3, "from": ms - 60000, "until": ms, "counts": {"bad_frame": 2, "certificate_forged": 1}},
        {**read, "time": ms + 40, "purpose": "drift"},
        permit,
        {**outcome, "time": ms + 60, "result": "open", "final": False, "evidence": "none", "code": "no_answer"},
        {**read, "time": ms + 90, "purpose": "reconcile", "decision": 5},
        {**outcome, "time": ms + 95, "result": "applied", "final": True, "evidence": "state", "etag": '"v2"', "read": 7},
        {**decision, "time": ms + 100, "live": None, "verdict": "refuse", "rule": "replay", "code": "certificate_used", "used": True},
        {**decision, "time": ms + 110, "attestation": "none", "target": None, "body": None, "live": None, "verdict": "refuse", "rule": "scope",
         "code": "target_unknown"},
        {**decision, "time": ms + 120, "live": {"read": 4, "exists": False}, "verdict": "refuse", "rule": "drift",
         "code": "state_drifted"},
        {**outcome, "time": ms + 130, "result": "rejected", "final": True, "evidence": "response", "http_status": 412},
        {"type": "attestation", "v": 1, "time": ms + 140, "result": digest(jcs(result())), "evidence": digest(b"evidence JSON"),
         "status": "affirming"},
        {"type": "keys", "v": 1, "time": ms + 150, "run": RUN, "epoch": 4,
         "keys": {"attestation": key("attestation", "tpm"), "record": key("record", "tpm"), "mint": key("mint", "tpm")}},
        {"type": "enrolment", "v": 1, "time": ms + 160, "statement": digest(b"enrolment")},
        {"type": "acknowledge", "v": 1, "time": ms + 170, "size": 12, "root": digest(b"root"), "statement": digest(b"acknowledge"),
         "what": "unclean"},
        {"type": "rekey", "v": 1, "time": ms + 180, "old": kids("attestation", "record", "mint"),
         "new": kids("verifier", "lease", "authority-0"), "statement": None},
        {"type": "stop", "v": 1, "time": ms + 200, "run": RUN},
    ]
    return rows + objects.entries(decision, read, ms, len(rows))


def log_entries():
    return [{"type": e["type"], "permit": e.get("verdict") == "permit", "entry": canonical(e), "leaf": b64url(leaf(jcs(e)))}
            for e in entries()]


def merkle():
    leaves = [leaf(b"entry %d" % i) for i in range(21)]
    sizes = (1, 2, 3, 4, 6, 7, 8, 13, 16, 21)

    def texts(hashes):
        return [b64url(h) for h in hashes]

    return {
        "entries": ["entry %d" % i for i in range(21)],
        "leaves": texts(leaves),
        "roots": [b64url(root(leaves[:n])) for n in range(22)],
        "inclusion": [{"index": i, "size": n, "proof": texts(inclusion(i, leaves[:n]))} for n in sizes for i in range(n)],
        "consistency": [{"from": m, "to": n, "proof": texts(consistency(m, leaves[:n]))} for n in sizes for m in range(1, n + 1)],
    }


def checkpoints():
    key, origin = KEYS["record"], DOMAIN + "/" + INSTANCE
    leaves = [leaf(jcs(e)) for e in entries()]
    return [{"key": "record", "origin": origin, "size": n, "root": b64url(root(leaves[:n])),
             "text": note_text(origin, n, root(leaves[:n])), "note": note(key, origin, n, root(leaves[:n]))} for n in (0, 1, len(leaves))]


def quotes():
    rows = []
    for c, policy_epoch, revocation_epoch in ((0, 7, 3), (2, 2**53 - 1, 0)):
        text = sha256(checkpoints()[c]["text"].encode())
        preimage = (blob16(b"seb-quote-checkpoint-v1") + blob16(text) + blob16(policy_epoch.to_bytes(8, "big")) +
                    blob16(revocation_epoch.to_bytes(8, "big")))
        rows.append({"note_text": b64url(text), "policy_epoch": policy_epoch, "epoch": revocation_epoch, "preimage": b64url(preimage),
                     "qualifying": digest(preimage)})
    return rows


def credential(name, use, c, entry_index):
    entry, key = entries()[entry_index], KEYS["mint"]
    jti = b64url(leaf(jcs(entry)))
    authority, path = c["resource"][len("https://"):].split("/", 1)
    body = BODY if use == "mutate" and "body" in c["parameters"] else b""
    claims = {"iss": "https://%s/%s" % (DOMAIN, INSTANCE), "sub": "seb:%s:%s" % (INSTANCE, jti), "aud": "documents", "iat": entry["iat"],
              "exp": entry["exp"], "jti": jti, "cid": "change-1", "dom": DOMAIN, "ins": INSTANCE, "att": entry["attestation"], "use": use,
              "htm": "GET" if use == "read" else c["operation"], "hth": authority, "htu": "/" + path, "sha256": sha256(body).hex()}
    if body:
        claims["ctype"] = c["parameters"]["body"]["media_type"]
    if use == "mutate" and "absent" in c["preconditions"]:
        claims["if_none_match"] = "*"
    elif use == "mutate":
        claims["if_match"] = c["preconditions"].get("etag") or entry["live"]["etag"]
    return {"name": name, "use": use, "kind": "http", "issuer": "", "mapping": "", "contract": canonical(c), "entry": canonical(entry),
            "audience": "documents", "cid": "change-1", "domain": DOMAIN, "instance": INSTANCE,
            "live_etag": (entry.get("live") or {}).get("etag", ""), "key": "mint", **signed(key, claims)}


def signed(key, claims):
    si = signing_input(key, "JWT", jcs(claims))
    return {"claims": canonical(claims), "signing_input": si.decode(), "compact": si.decode() + "." + b64url(key.sign(si))}


def object_credential(name, use, mapping="extra"):
    c, key = objects.CONTRACTS[name], KEYS["mint"]
    entry = [e for e in entries() if e.get("resource") == objects.DEPLOYMENT or e.get("accepted_until")][use == "mutate"]
    claims = objects.claims(use, c, entry, mapping, key, DOMAIN, INSTANCE)
    return {"name": "%s: %s, %s" % (name, use, mapping), "use": use, "kind": "kubernetes", "issuer": objects.ISSUER, "mapping": mapping,
            "contract": canonical(c), "entry": canonical(entry), "audience": objects.AUDIENCE, "cid": "change-3", "domain": DOMAIN,
            "instance": INSTANCE, "live_etag": "", "key": "mint", **signed(key, claims)}


def credentials():
    return [credential("put", "mutate", CONTRACTS["put"], 5), credential("create", "mutate", CONTRACTS["create"], 5),
            credential("delete", "mutate", CONTRACTS["delete"], 5), credential("by content", "mutate", CONTRACTS["by-content"], 5),
            credential("read for drift", "read", CONTRACTS["put"], 4), credential("read to reconcile", "read", CONTRACTS["put"], 7),
            *(object_credential(n, "mutate") for n in objects.CONTRACTS),
            *(object_credential(n, "read") for n in ("patch an object", "scale", "evict a pod", "patch a Secret")),
            object_credential("patch an object", "mutate", "groups"), object_credential("delete a namespace", "mutate", "groups"),
            object_credential("create an object", "read", "groups")]


def main():
    p256.self_test()
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    samples = {d["kind"] + str(i): d for i, d in enumerate(documents())}
    files = {"keys": keys(), "canonical": canonical_forms(), "signatures": signatures(), "contracts": contracts(),
             "documents": documents(), "bus": bus(), "entries": log_entries(), "merkle": merkle(), "checkpoints": checkpoints(),
             "quotes": quotes(), "credentials": credentials(), "approvals": approvals(), "eventlogs": event_logs(),
             "references": references(), "appraisals": appraisals(), "challenges": challenges(),
             "keystatements": key_statements(),
             "hostile": hostile(list(samples.values()), contracts(), bus(), log_entries(), checkpoints(), quotes(),
                                signatures()[0]["compact"])}
    for name, content in files.items():
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8", newline="\n") as f:
            json.dump(content, f, ensure_ascii=True, indent=1)
            f.write("\n")


main()
