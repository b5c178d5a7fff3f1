"""Vectors of enrolment and appraisal: challenges, evidence of a TPM whose statements are made here by Part 2 of its specification, and the
claims of the result that is due."""
import approvals as approved
from approvals import DOMAIN, INSTANCE, NOW, PEOPLE, POLICY, be16, be32
from forms import Key, b64url, blob16, canonical, consistency, der, digest, jcs, jws, leaf, note, note_text, root, sha256, signing_input
from logs import EXECUTABLES, cel_log, firmware_log, ima_log

VERIFIER, AK, RECORD, MINT, LEASE = (Key(n, "ES256") for n in ("verifier", "attestation", "record", "mint", "lease"))
ORIGIN = DOMAIN + "/" + INSTANCE
NONCE, LEASE_NONCE, RUN = sha256(b"a verifier's nonce"), sha256(b"a session's nonce"), sha256(b"run")[:16]
IN_TPM = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 18  # fixedTPM fixedParent sensitiveDataOrigin sign
RESTRICTED, USER_WITH_AUTH, NO_DA = 1 << 16, 1 << 6, 1 << 10
LEAVES = [leaf(b"entry %d" % i) for i in range(9)]
QUOTED = (0, 1, 2, 3, 4, 5, 6, 7, 10, 12)


def public_area(key, attributes, policy=b""):
    """Part 2, TPMT_PUBLIC: ECC, SHA-256; no symmetric, ECDSA with SHA-256, P-256, no KDF."""
    numbers = key.private.public_key().public_numbers()
    return (be16(0x23) + be16(0x0B) + be32(attributes) + blob16(policy) + be16(0x10) + be16(0x18) + be16(0x0B) + be16(3) + be16(0x10) +
            blob16(numbers.x.to_bytes(32, "big")) + blob16(numbers.y.to_bytes(32, "big")))


def name_of(public):
    return be16(0x0B) + sha256(public)


def attested(kind, extra, clock=1000, resets=3, restarts=1, safe=1, firmware=0x2019102300163636):
    """Part 2, TPMS_ATTEST, up to what is attested."""
    return (b"\xffTCG" + be16(kind) + blob16(name_of(b"signer")) + blob16(extra) + clock.to_bytes(8, "big") + be32(resets) + be32(restarts) +
            bytes((safe,)) + firmware.to_bytes(8, "big"))


AK_PUBLIC = public_area(AK, IN_TPM | RESTRICTED | USER_WITH_AUTH | NO_DA)
AK_NAME = name_of(AK_PUBLIC)
REF = approved.policy_ref(ORIGIN, AK_NAME)
KEY_POLICY = approved.key_policy(POLICY, REF)


def key_evidence(public):
    attest = attested(0x8017, b"nonce") + blob16(name_of(public)) + blob16(name_of(public))
    return jcs({"attest": b64url(attest), "public": b64url(public), "signature": b64url(der(AK.sign(attest)))})


def keys(bound=True):
    attributes, policy = (IN_TPM | NO_DA, KEY_POLICY) if bound else (IN_TPM | NO_DA | USER_WITH_AUTH, b"")
    made = {"attestation": (AK, AK_PUBLIC), "record": (RECORD, public_area(RECORD, IN_TPM | NO_DA, KEY_POLICY)),
            "mint": (MINT, public_area(MINT, attributes, policy))}
    return {n: {"backend": "tpm", "evidence": b64url(key_evidence(p)), "kid": k.kid} for n, (k, p) in made.items()}


MEASURED = [(n, sha256(n.encode())) for n in EXECUTABLES + ("configuration",)] + [
    (n, sha256(jcs(k.jwk))) for n, k in (("key.attestation", AK), ("key.record", RECORD), ("policy_authority", POLICY))]
REFERENCE = {"configuration": [digest(b"configuration")], "domain": DOMAIN, "executables": {n: [digest(n.encode())] for n in EXECUTABLES},
             "iat": NOW, "pcrs": {"4": [b64url(firmware_log()[2][4])]}, "version": "1"}
POLICY_DIGEST = digest(b"the signed policy's payload")


def approval(pcr_value, epoch):
    counter_name = b"\x00\x0b" + sha256(b"counter")
    policy = approved.approved_policy(12, pcr_value, 5, counter_name, LEASE, REF)
    payload = {"ak": AK.kid, "counter": 5, "counter_name": b64url(counter_name), "domain": DOMAIN, "epoch": epoch, "iat": NOW - 100,
               "instance": INSTANCE, "lease": LEASE.jwk, "measured": {n: b64url(d) for n, d in MEASURED}, "pcr": 12,
               "pcr_value": b64url(pcr_value), "policy": b64url(policy), "ref": b64url(REF)}
    text = canonical({"approval": jws([POLICY, PEOPLE[0]], "seb-approval+jws", jcs(payload)),
                      "signature": b64url(POLICY.sign(policy + REF))})
    return digest(jcs(payload)), text


def preimage(nonce, with_note, policy_epoch=7, epoch=3):
    text = sha256(note_text(ORIGIN, 9, root(LEAVES)).encode()) if with_note else b""
    return (blob16(b"seb-quote-challenge-v1") + blob16(nonce) + blob16(LEASE_NONCE) + blob16(text) + blob16(policy_epoch.to_bytes(8, "big")) +
            blob16(epoch.to_bytes(8, "big")))


def quote(pcrs, extra, **clock):
    select = bytes(sum(1 << p % 8 for p in pcrs if p // 8 == i) for i in range(3))
    attest = attested(0x8018, extra, **clock) + be32(1) + be16(0x0B) + b"\x03" + select + blob16(sha256(b"".join(pcrs[p] for p in sorted(pcrs))))
    return attest, der(AK.sign(attest))


def challenge(op="appraise", seen=5, **more):
    v = {"domain": DOMAIN, "iat": NOW, "instance": INSTANCE, "nonce": b64url(NONCE), "op": op, "seen": None, **more}
    if seen is not None:
        v["seen"] = {"root": b64url(root(LEAVES[:seen])), "size": seen}
    return v


VECTOR = {"configuration": 2, "executables": 3, "hardware": 2, "instance-identity": 2, "storage-opaque": 2}
WORST = {"nonce_mismatch": ("instance-identity", 99), "log_forked": ("instance-identity", 96), "key_without_policy": ("storage-opaque", 96),
         "clock_unsafe": ("hardware", 32), "epoch_not_approved": ("configuration", 32), "event_log_mismatch": ("executables", 99),
         "state_not_approved": ("configuration", 32)}


def appraised(name, codes=(), nonce=NONCE, bound=True, seen=5, fork=False, junk=False, epoch=3, **clock):
    cel, _, values = cel_log(12, MEASURED)
    firmware, ima = firmware_log(), ima_log()
    pcrs = {p: firmware[2].get(p, bytes(32)) for p in range(8)} | {10: ima[2][10], 12: values[12]}
    approval_digest, approval_text = approval(values[12], 3)
    if junk:
        pcrs[12] = sha256(pcrs[12] + bytes(32))
    bytes_of_preimage = preimage(nonce, True, epoch=epoch)
    attest, signature = quote(pcrs, sha256(bytes_of_preimage), **clock)
    proof = consistency(seen, LEAVES) if seen else []
    if fork:
        proof = [sha256(p) for p in proof]
    evidence = {"approval": approval_digest, "attest": b64url(attest), "cel": digest(cel), "firmware": digest(firmware[0]),
                "ima": {"length": len(ima[0])}, "keys": keys(bound), "lease_nonce": b64url(LEASE_NONCE),
                "note": note(RECORD, ORIGIN, 9, root(LEAVES)), "pcrs": {str(p): v.hex() for p, v in pcrs.items()}, "policy": POLICY_DIGEST,
                "preimage": b64url(bytes_of_preimage), "proof": [b64url(p) for p in proof], "run": b64url(RUN), "signature": b64url(signature)}
    statement = {"activated": NOW - 500, "ak": AK.kid, "ak_name": b64url(AK_NAME), "domain": DOMAIN, "ek": digest(b"EK"),
                 "ek_certificate": digest(b"EK certificate"), "instance": INSTANCE, "verifier": VERIFIER.kid}
    # Who isn't shown a quote for the challenge affirms nothing, and quotes no epochs.
    fresh = "nonce_mismatch" not in codes
    vector = dict(VECTOR) if fresh else {claim: 0 for claim in VECTOR}
    for code in codes:
        claim, value = WORST[code]
        vector[claim] = max(vector[claim], value)
    worst = max(vector.values())
    before = {"root": b64url(root(LEAVES[:seen or 0])), "size": seen or 0}
    shown = {"root": b64url(root([])), "size": 0} if fork else {"root": b64url(root(LEAVES)), "size": 9}
    claims = {"ear.verifier-id": {"build": "seb-verifier 1", "developer": "seb"}, "eat_nonce": b64url(NONCE),
              "eat_profile": "tag:github.com,2023:veraison/ear", "exp": NOW + 30, "iat": NOW, "submods": {INSTANCE: {
                  "ear.appraisal-policy-id": "seb-appraisal-v1",
                  "ear.status": "contraindicated" if worst >= 96 else "warning" if worst >= 32 else "affirming",
                  "ear.trustworthiness-vector": vector,
                  "seb": {"codes": list(codes), "domain": DOMAIN, "enrolment": digest(jcs(statement)), "epoch": epoch if fresh else 0,
                          "evidence": digest(jcs(evidence)), "instance": INSTANCE,
                          "keys": {"attestation": AK.kid, "mint": MINT.kid, "record": RECORD.kid}, "log": shown, "log_before": before,
                          "policy_epoch": 7 if fresh else 0, "quote": digest(attest), "reference": digest(jcs(REFERENCE))}}}}
    signed = signing_input(VERIFIER, "eat+jwt", jcs(claims))
    return {"name": name, "challenge": canonical(challenge(seen=seen)), "evidence": canonical(evidence), "cel": b64url(cel),
            "firmware": b64url(firmware[0]), "ima": b64url(ima[0]), "approval": approval_text, "reference": canonical(REFERENCE),
            "policy": POLICY_DIGEST, "policy_epoch": 7, "policy_key": POLICY.jwk, "countersigner": PEOPLE[0].jwk, "verifier": VERIFIER.jwk,
            "ak": AK.jwk, "ak_public": b64url(AK_PUBLIC), "ak_name": AK_NAME.hex(), "record": RECORD.jwk,
            "statement": jws([VERIFIER], "seb-enrolment+jws", jcs(statement)), "now": NOW, "seconds": 30, "claims": canonical(claims),
            "result": signed.decode() + "." + b64url(VERIFIER.sign(signed))}


def appraisals():
    return [appraised("good"), appraised("seen for the first time", seen=0), appraised("another nonce", ("nonce_mismatch",), sha256(b"another")),
            appraised("a mint key without a policy", ("key_without_policy",), bound=False), appraised("a forked log", ("log_forked",), fork=True),
            appraised("an epoch that nobody approved", ("epoch_not_approved",), epoch=4),
            appraised("a PCR that somebody extended", ("state_not_approved", "event_log_mismatch"), junk=True)]


def challenges():
    rows = [("the first", challenge(seen=None)), ("of a log", challenge()), ("for a document", challenge("document", None, name="ima", offset=24000)),
            ("to enrol", challenge("enrol", None)), ("to activate", challenge("activate", None, credential=b64url(b"id object"), secret=b64url(b"seed")))]
    return [{"name": name, "payload": canonical(v), "jws": jws([VERIFIER], "seb-challenge+jws", jcs(v)), "verifier": VERIFIER.jwk,
             "preimage": b64url(preimage(NONCE, v["seen"] is not None)), "qualifying": digest(preimage(NONCE, v["seen"] is not None))}
            for name, v in rows]
