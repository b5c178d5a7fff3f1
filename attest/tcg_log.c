#include "config.h"

#include "attest/little.h"
#include "attest/tcg_log.h"

/* PC Client Platform Firmware Profile 1.05, sections 10.2 to 10.4. */
#define EV_NO_ACTION 0x00000003
#define SPEC_ID "Spec ID Event03" /* with its NUL */
#define STARTUP_LOCALITY "StartupLocality" /* with its NUL */
#define NO_PCR UINT32_MAX /* of an EV_NO_ACTION alone */
#define SHA1_SIZE 20
#define ALG_SHA256 0x000b
#define ALGORITHMS_MAX 8
#define DIGEST_BYTES_MAX 128
#define EVENT_BYTES_MAX (1u << 20)
#define EVENTS_MAX 65536
#define LOCALITY_HCRTM 4

/* PCRs 17 to 22 are of a dynamic launch, whose log is another; their first value isn't zero. */
#define STATIC_PCRS 0x0081ffffu

struct algorithms {
    uint32_t n;
    struct {
        uint16_t alg, size;
    } one[ALGORITHMS_MAX];
};

struct replay {
    struct reader r;
    struct algorithms algorithms;
    struct tcg_replay out;
    bool has_locality;
};

/* TCG_EfiSpecIdEvent: the banks, and how long each one's digests are. */
static result read_spec_id(struct span event, struct algorithms *ret)
{
    struct reader r = reader_of(event);
    struct span signature, platform, vendor;
    uint8_t vendor_size;
    bool has_sha256 = false;
    TRY(read_bytes(&r, sizeof SPEC_ID, &signature));
    TRY(read_bytes(&r, 8, &platform)); /* platformClass, version, errata, uintnSize */
    TRY(little_u32(&r, &ret->n));
    if (!span_equal(signature, SPAN(SPEC_ID)) || ret->n < 1 || ret->n > ALGORITHMS_MAX)
        return fail(E_bad_firmware_log);
    for (uint32_t i = 0; i < ret->n; i++) {
        TRY(little_u16(&r, &ret->one[i].alg));
        TRY(little_u16(&r, &ret->one[i].size));
        if (ret->one[i].size < 1 || ret->one[i].size > DIGEST_BYTES_MAX)
            return fail(E_bad_firmware_log);
        for (uint32_t j = 0; j < i; j++)
            if (ret->one[j].alg == ret->one[i].alg)
                return fail(E_bad_firmware_log);
        has_sha256 = has_sha256 || (ret->one[i].alg == ALG_SHA256 && ret->one[i].size == DIGEST_SIZE);
    }
    TRY(read_u8(&r, &vendor_size));
    TRY(read_bytes(&r, vendor_size, &vendor));
    TRY(read_end(&r));
    return has_sha256 ? OK : fail(E_bad_firmware_log);
}

/* The first event is TCG_PCClientPCREvent, of the older format. */
static result read_header(struct replay *p)
{
    uint32_t pcr, type;
    struct span sha1, event;
    TRY(little_u32(&p->r, &pcr));
    TRY(little_u32(&p->r, &type));
    TRY(read_bytes(&p->r, SHA1_SIZE, &sha1));
    TRY(little_blob32(&p->r, EVENT_BYTES_MAX, &event));
    if (pcr != 0 || type != EV_NO_ACTION)
        return fail(E_bad_firmware_log);
    return read_spec_id(event, &p->algorithms);
}

static uint16_t size_of(const struct algorithms *a, uint16_t alg)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (a->one[i].alg == alg)
            return a->one[i].size;
    return 0;
}

/* TPML_DIGEST_VALUES: digests of the header's banks in any order, SHA-256's once. */
static result read_digests(struct replay *p, struct digest *ret)
{
    uint32_t count, seen = 0;
    TRY(little_u32(&p->r, &count));
    if (count > p->algorithms.n)
        return fail(E_bad_firmware_log);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t alg;
        struct span digest;
        TRY(little_u16(&p->r, &alg));
        uint16_t size = size_of(&p->algorithms, alg);
        if (!size)
            return fail(E_bad_firmware_log);
        TRY(read_bytes(&p->r, size, &digest));
        if (alg != ALG_SHA256)
            continue;
        TRY(span_copy(digest, ret->b, DIGEST_SIZE));
        seen++;
    }
    return seen == 1 ? OK : fail(E_bad_firmware_log);
}

/* Section 10.4.5.3: the locality that TPM2_Startup came from, or an H-CRTM, is in PCR 0's first value. Said once, before PCR 0 is
 * extended. */
static result read_no_action(struct replay *p, uint32_t pcr, struct span event)
{
    struct span name = span_part(event, 0, sizeof STARTUP_LOCALITY);
    if (pcr != NO_PCR && pcr >= TPM_PCRS)
        return fail(E_bad_firmware_log);
    if (!span_equal(name, SPAN(STARTUP_LOCALITY)))
        return OK;
    if (pcr != 0 || event.n != sizeof STARTUP_LOCALITY + 1 || p->has_locality || (p->out.extended & 1))
        return fail(E_bad_firmware_log);
    uint8_t locality = event.p[sizeof STARTUP_LOCALITY];
    if (locality != 0 && locality != 3 && locality != LOCALITY_HCRTM)
        return fail(E_bad_firmware_log);
    p->has_locality = true;
    p->out.pcr[0].b[DIGEST_SIZE - 1] = locality;
    return OK;
}

/* TCG_PCR_EVENT2. */
static result read_event(struct replay *p)
{
    uint32_t pcr, type;
    struct digest digest = { { 0 } };
    struct span event;
    if (p->out.events == EVENTS_MAX)
        return fail(E_bad_firmware_log);
    TRY(little_u32(&p->r, &pcr));
    TRY(little_u32(&p->r, &type));
    TRY(read_digests(p, &digest));
    TRY(little_blob32(&p->r, EVENT_BYTES_MAX, &event));
    p->out.events++;
    if (type == EV_NO_ACTION)
        return read_no_action(p, pcr, event);
    if (pcr >= TPM_PCRS || !(STATIC_PCRS >> pcr & 1))
        return fail(E_bad_firmware_log);
    const struct span parts[] = { digest_span(&p->out.pcr[pcr]), digest_span(&digest) };
    p->out.pcr[pcr] = sha256_parts(parts, 2);
    p->out.extended |= UINT32_C(1) << pcr;
    return OK;
}

static result replay_all(struct replay *p)
{
    TRY(read_header(p));
    while (p->r.at < p->r.s.n)
        TRY(read_event(p));
    return OK;
}

result tcg_log_replay(struct span log, struct tcg_replay *ret)
{
    struct replay p = { .r = reader_of(log) };
    if (log.n > TCG_LOG_MAX || !is_ok(replay_all(&p)))
        return fail(E_bad_firmware_log);
    *ret = p.out;
    return OK;
}
