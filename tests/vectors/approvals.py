"""Vectors of what is approved and measured: policies as TPM 2.0 Part 3 computes them, approval files, event logs, reference values."""
from forms import Key, b64url, blob16, canonical, digest, jcs, jws, sha256
from logs import EXECUTABLES, cel_log, firmware_log, ima_log, measured

NOW = 1767225600
DOMAIN, INSTANCE = "prod.example", "seb-1"
POLICY, LEASE, AK = Key("policy", "ES256"), Key("lease", "ES256"), Key("attestation", "ES256")
PEOPLE = [Key("countersigner-%d" % i, alg) for i, alg in enumerate(("ES256", "EdDSA"))]
AK_NAME = b"\x00\x0b" + sha256(b"the AK's public area")
COUNTER_NAME = b"\x00\x0b" + sha256(b"the counter's public area")


def be16(n):
    return n.to_bytes(2, "big")


def be32(n):
    return (n % 2**32).to_bytes(4, "big")


def external_name(key):
    """Part 2, TPMT_PUBLIC: ECC, SHA-256, sign and userWithAuth, no policy; no symmetric, ECDSA with SHA-256, P-256, no KDF."""
    x, y = (int(b).to_bytes(32, "big") for b in (key.private.public_key().public_numbers().x, key.private.public_key().public_numbers().y))
    public = be16(0x23) + be16(0x0B) + be32(1 << 18 | 1 << 6) + be16(0) + be16(0x10) + be16(0x18) + be16(0x0B) + be16(3) + be16(0x10)
    return be16(0x0B) + sha256(public + blob16(x) + blob16(y))


def policy_ref(origin, ak_name):
    return sha256(blob16(b"seb-approval-v1") + blob16(origin.encode()) + blob16(ak_name))


def policy_update(old, code, name, ref):
    return sha256(sha256(old + be32(code) + name) + ref)


def key_policy(key, ref):
    return policy_update(bytes(32), 0x16A, external_name(key), ref)


def approved_policy(pcr, value, counter, counter_name, lease, ref):
    select = bytes(1 << pcr % 8 if pcr // 8 == i else 0 for i in range(3))
    policy = sha256(bytes(32) + be32(0x17F) + be32(1) + be16(0x0B) + b"\x03" + select + sha256(value))
    policy = sha256(policy + be32(0x149) + sha256(counter.to_bytes(8, "big") + be16(0) + be16(0)) + counter_name)
    return policy_update(policy, 0x160, external_name(lease), ref)


def approval(pcr=12, counter=5, epoch=3, build="one"):
    _, _, values = cel_log(pcr, measured(build))
    ref = policy_ref(DOMAIN + "/" + INSTANCE, AK_NAME)
    plan = {"ak": AK.kid, "counter": counter, "counter_name": b64url(COUNTER_NAME), "domain": DOMAIN, "epoch": epoch, "iat": NOW,
            "instance": INSTANCE, "lease": LEASE.jwk, "measured": {n: b64url(d) for n, d in measured(build)}, "pcr": pcr,
            "pcr_value": b64url(values[pcr]), "ref": b64url(ref)}
    policy = approved_policy(pcr, values[pcr], counter, COUNTER_NAME, LEASE, ref)
    return plan, {**plan, "policy": b64url(policy)}, policy, ref


def approvals():
    rows = []
    for name, signers, arguments in (("alone", [POLICY], {}), ("countersigned", [POLICY, *PEOPLE], {"counter": 2**53 - 1, "pcr": 23}),
                                     ("countersigned before", [PEOPLE[0], POLICY], {"pcr": 0, "epoch": 0, "counter": 0})):
        plan, payload, policy, ref = approval(**arguments)
        nonce = sha256(name.encode())
        rows.append({
            "name": name, "policy_key": POLICY.jwk, "policy_key_name": external_name(POLICY).hex(), "lease": LEASE.jwk,
            "lease_name": external_name(LEASE).hex(), "people": [k.jwk for k in PEOPLE], "countersigned": len(signers) - 1,
            "origin": DOMAIN + "/" + INSTANCE, "ak_name": AK_NAME.hex(), "ref": b64url(ref), "key_policy": b64url(key_policy(POLICY, ref)),
            "policy": b64url(policy), "approval_hash": digest(policy + ref), "nonce": b64url(nonce), "seconds": 30,
            "lease_hash": digest(nonce + be32(-30) + ref), "plan": canonical(plan), "payload": canonical(payload),
            "file": canonical({"approval": jws(signers, "seb-approval+jws", jcs(payload)), "signature": b64url(POLICY.sign(policy + ref))})})
    return rows


def event_logs():
    """`state`: what the broker's own log says in the end."""
    again = measured() + [(n, d) for n, d in measured("two") if n in ("sebd", "configuration")]
    rows = []

    def row(kind, name, made, **more):
        log, _, values = made
        rows.append({"kind": kind, "name": name, "log": b64url(log), "pcrs": {str(p): v.hex() for p, v in sorted(values.items())}, **more})

    def state(values):
        return {n: b64url(d) for n, d in values}

    row("cel", "one state", cel_log(12, measured()), state=state(measured()))
    row("cel", "changed", cel_log(12, again), state=state(again))
    row("cel", "nothing", cel_log(12, []), state={})
    row("firmware", "no locality", firmware_log())
    row("firmware", "locality 3, other order", firmware_log(3, (0x0B, 0x04)))
    row("firmware", "started by an H-CRTM, one bank", firmware_log(4, (0x0B,), ((0x0B, 32),)))
    row("ima", "ima-ng", ima_log())
    row("ima", "ima-sig", ima_log(b"ima-sig"))
    return rows


def references():
    v = {"configuration": [digest(b"configuration one"), digest(b"configuration two")], "domain": DOMAIN,
         "executables": {n: [digest(("%s one" % n).encode())] for n in EXECUTABLES}, "iat": NOW, "pcrs": {}, "version": "1.2.3"}
    pinned = {**v, "pcrs": {"0": [digest(b"a"), digest(b"b")], "7": [digest(b"c")], "23": [b64url(bytes(32))]}, "version": "x"}
    return [{"name": name, "payload": canonical(r), "digest": digest(jcs(r)), "jws": jws([POLICY], "seb-reference+jws", jcs(r))}
            for name, r in (("any PCR", v), ("with PCRs", pinned))]
