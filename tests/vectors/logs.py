#!/usr/bin/python3
"""Event logs as firmware, kernel and broker write them, from their specifications; shares no code with seb.

    logs.py firmware|ima|ima-sig|cel FILE     writes the log, and prints what was extended, "<pcr> <hex>" a line, for a TPM to replay
    logs.py firmware-long FILE KB             the same, of some 60 KB and more
    logs.py ima-more FILE FIRST COUNT         entries that an IMA log goes on with, of files that are numbered from FIRST on
"""
import hashlib
import struct
import sys

from forms import b64url, canonical, jcs, sha256

ALG_SHA1, ALG_SHA256 = 0x0004, 0x000B
EV_NO_ACTION, EV_SEPARATOR, EV_EVENT_TAG, EV_S_CRTM_VERSION, EV_IPL = 3, 4, 6, 8, 13
ZERO, ONES = bytes(32), b"\xff" * 32


def u16(n):
    return struct.pack("<H", n)


def u32(n):
    return struct.pack("<I", n)


def extended(value, by):
    return sha256(value + by)


# TCG PC Client Platform Firmware Profile 1.05, section 10: little-endian.
def spec_id(algorithms=((ALG_SHA1, 20), (ALG_SHA256, 32)), vendor=b""):
    event = (b"Spec ID Event03\0" + u32(0) + bytes((0, 2, 105, 2)) + u32(len(algorithms)) +
             b"".join(u16(a) + u16(n) for a, n in algorithms) + bytes((len(vendor),)) + vendor)
    return u32(0) + u32(EV_NO_ACTION) + bytes(20) + u32(len(event)) + event


def event2(pcr, kind, event, sha1=None, sha2=None, order=(ALG_SHA1, ALG_SHA256)):
    sha1, sha2 = sha1 or hashlib.sha1(event).digest(), sha2 or sha256(event)
    digests = b"".join(u16(a) + (sha1 if a == ALG_SHA1 else sha2) for a in order)
    return u32(pcr) + u32(kind) + u32(len(order)) + digests + u32(len(event)) + event


def no_action(pcr, event, order=(ALG_SHA1, ALG_SHA256)):
    return event2(pcr, EV_NO_ACTION, event, bytes(20), bytes(32), order)


FIRMWARE_EVENTS = [(0, EV_S_CRTM_VERSION, "1.0".encode("utf-16-le")), (1, EV_EVENT_TAG, b"settings"),
                   *[(pcr, EV_SEPARATOR, bytes(4)) for pcr in range(8)], (4, EV_IPL, b"boot loader"), (8, EV_IPL, b"kernel"),
                   (9, EV_IPL, b""), (14, EV_IPL, b"x" * 300)]


def firmware_events_long(more):
    return FIRMWARE_EVENTS + [(5, EV_EVENT_TAG, bytes(1000))] * more + [
        (pcr, EV_EVENT_TAG, b"%d" % n * 1000) for pcr in range(8) for n in range(7)]


def firmware_log(locality=None, order=(ALG_SHA1, ALG_SHA256), algorithms=((ALG_SHA1, 20), (ALG_SHA256, 32)),
                 events=tuple(FIRMWARE_EVENTS)):
    """The log, what it extends the SHA-256 bank with, and the PCRs' values behind it."""
    log, extends = spec_id(algorithms, b"abc"), []
    values = {pcr: ZERO for pcr, _, _ in events}
    if locality is not None:
        log += no_action(0, b"StartupLocality\0" + bytes((locality,)), order)
        values[0] = bytes(31) + bytes((locality,))
    if locality is not None:  # tpm2_eventlog extends it, or stumbles over the PCR that it isn't of: not in the log that both read
        log += no_action(6, b"SP800-155 Event3\0", order) + no_action(0xFFFFFFFF, b"SP800-155 Event3\0", order)
    for pcr, kind, event in events:
        log += event2(pcr, kind, event, order=order)
        extends.append((pcr, sha256(event)))
        values[pcr] = extended(values[pcr], sha256(event))
    return log, extends, values


# Linux, Documentation/security/IMA-templates.rst and security/integrity/ima/ima_fs.c: little-endian.
def ima_data(path, content, signature=None, algorithm=b"sha256"):
    fields = [algorithm + b":\0" + hashlib.new(algorithm.decode(), content).digest(), path + b"\0"]
    return b"".join(u32(len(f)) + f for f in fields + ([signature] if signature is not None else []))


def ima_entry(pcr, data, template, violation=False):
    return u32(pcr) + (bytes(20) if violation else hashlib.sha1(data).digest()) + u32(len(template)) + template + u32(len(data)) + data


def ima_log(template=b"ima-ng"):
    """As firmware_log. With a violation, an entry for another PCR, and a digest that isn't SHA-256."""
    sig = (lambda n: bytes((3, 2, 4)) + bytes(n)) if template == b"ima-sig" else (lambda n: None)
    rows = [(10, ima_data(b"boot_aggregate", b"boot", sig(0)), False), (10, ima_data(b"/usr/sbin/sebd", b"sebd", sig(72)), False),
            (10, ima_data(b"/var/log/x", b"", sig(0)), True), (11, ima_data(b"/etc/other", b"other", sig(1)), False),
            (10, ima_data(b"/usr/bin/old", b"old", sig(0), b"sha1"), False), (10, ima_data(b"/a b\xc3\xa4", b"", sig(8)), False)]
    log, extends, value = b"", [], ZERO
    for pcr, data, violation in rows:
        log += ima_entry(pcr, data, template, violation)
        extends.append((pcr, ONES if violation else sha256(data)))
        if pcr == 10:
            value = extended(value, extends[-1][1])
    return log, extends, {10: value}


def ima_more(first, count):
    """Entries of an ima-ng log's later days; the paths are long, so that there is something to page through."""
    log, extends = b"", []
    for n in range(first, first + count):
        data = ima_data(b"/usr/lib/a/file/that/was/read/when/it/was/wanted/" + b"%d" % n * 30, b"%d" % n)
        log += ima_entry(10, data, b"ima-ng")
        extends.append((10, sha256(data)))
    return log, extends, None


# TCG Canonical Event Log Format 1.0, JSON encoding; the content is seb's.
def cel_record(recnum, pcr, name, digest):
    content = {"digest": b64url(digest), "name": name, "version": 1}
    event = sha256(jcs(content))
    return canonical({"content": content, "content_type": "seb", "digests": [{"digest": event.hex(), "hashAlg": "sha256"}], "pcr": pcr,
                      "recnum": recnum}) + "\n", event


def cel_log(pcr, values):
    text, extends, value = "", [], ZERO
    for recnum, (name, digest) in enumerate(values):
        line, event = cel_record(recnum, pcr, name, digest)
        text += line
        extends.append((pcr, event))
        value = extended(value, event)
    return text.encode(), extends, {pcr: value}


EXECUTABLES = ("sebd", "seb-front", "seb-core", "seb-keeper", "seb-runner")


def measured(build="one"):
    return [(name, sha256(("%s %s" % (name, build)).encode())) for name in EXECUTABLES + (
        "configuration", "key.attestation", "key.record", "policy_authority")]


def main():
    log, extends, _ = {"firmware": firmware_log, "firmware-long": lambda: firmware_log(events=firmware_events_long(int(sys.argv[3]))),
                       "ima-more": lambda: ima_more(int(sys.argv[3]), int(sys.argv[4])), "ima": ima_log,
                       "ima-sig": lambda: ima_log(b"ima-sig"),
                       "cel": lambda: cel_log(12, measured())}[sys.argv[1]]()
    with open(sys.argv[2], "wb") as f:
        f.write(log)
    for pcr, by in extends:
        print(pcr, by.hex())


if __name__ == "__main__":
    main()
