/* The broker's own log (c), the firmware's (f), IMA's (i). The first byte says which. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "attest/cel.h"
#include "attest/ima.h"
#include "attest/tcg_log.h"

#include <stdlib.h>

/* What is taken is exactly what is written for the state that it gives, record by record. */
static void own(struct span s)
{
    struct digest value, events[CEL_NAMES_MAX];
    struct cel_state state, again;
    AUTO_BUF log = BUF(CEL_LOG_MAX);
    unsigned n;
    size_t prefix;
    if (!is_ok(cel_replay(s, 12, &value, &state)))
        return;
    if (!is_ok(cel_prefix(s, 12, &value, &prefix)) || prefix != s.n)
        abort();
    if (!is_ok(cel_advance(&log, 12, &state, events, &n)) || !is_ok(cel_replay(buf_span(&log), 12, &value, &again)) ||
        !cel_equal(&state, &again))
        abort();
}

static void firmware(struct span s)
{
    struct tcg_replay r;
    if (!is_ok(tcg_log_replay(s, &r)))
        return;
    for (unsigned i = 1; i < TPM_PCRS; i++)
        if (digest_is_zero(&r.pcr[i]) != !(r.extended >> i & 1))
            abort();
}

static void ima(struct span s)
{
    struct ima_entry e;
    struct reader r = reader_of(s);
    struct ima_state state = { .entries = 0 };
    const struct digest nobody = { { 1 } };
    uint64_t entries = 0;
    while (is_ok(ima_next(&r, &e)))
        entries++;
    enum seb_code code = code_of(ima_advance(s, IMA_PCR, &nobody, &state));
    if (code != (r.at == s.n ? E_ima_log_mismatch : E_bad_ima_log) || state.entries || entries > s.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span s = { data + 1, size - 1 };
    if (data[0] == 'c')
        own(s);
    else if (data[0] == 'f')
        firmware(s);
    else
        ima(s);
    return 0;
}
