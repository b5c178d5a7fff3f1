#include <config.h>

#include "config/config_tpm.h"

#include "config/member.h"

#define C(field) FIELD(struct config, field)
#define PATH_ROW(member, field, standard)                                  \
    {                                                                      \
        .name = member, .type = MEMBER_PATH, C(field), .text = (standard), \
        .where = "tpm." member ": absolute path of at most 255 bytes"      \
    }
#define PCR_ROW(field, standard)                                                       \
    {                                                                                  \
        .name = #field, .type = MEMBER_INT, C(field), .number = (standard), .max = 20, \
        .where = "tpm." #field ": a PCR from 0 to 20, but not 16"                      \
    }
#define HANDLE_ROW(member, standard)                                                      \
    {                                                                                     \
        .name = #member, .type = MEMBER_HANDLE, C(handle_##member), .number = (standard), \
        .where = "tpm.handles." #member ": \"0x81000000\" to \"0x817fffff\", as a string" \
    }
#define NV_ROW(member, standard)                                                     \
    {                                                                                \
        .name = #member, .type = MEMBER_NV, C(nv_##member), .number = (standard),    \
        .where = "tpm.nv." #member ": \"0x01000000\" to \"0x01bfffff\", as a string" \
    }

static const struct member members[] = {
    PATH_ROW("path", tpm, "/dev/tpmrm0"),
    PATH_ROW("firmware_log", firmware_log, "/sys/kernel/security/tpm0/binary_bios_measurements"),
    PATH_ROW("ima_log", ima_log, "/sys/kernel/security/ima/binary_runtime_measurements"),
    PCR_ROW(measured_pcr, 12),
    PCR_ROW(epoch_pcr, 13),
    { .name = "handles" },
    { .name = "nv" },
    { .name = "pcrs" },
};
static const struct member handle_members[] = {
    HANDLE_ROW(attestation, 0x81000a01),
    HANDLE_ROW(record, 0x81000a02),
    HANDLE_ROW(mint, 0x81000a03),
    HANDLE_ROW(mint_other, 0x81000a05),
    HANDLE_ROW(pin, 0x81000a04),
};
static const struct member nv_members[] = {
    NV_ROW(epoch, 0x01500a01),
    NV_ROW(anchor, 0x01500a02),
};

/* The approved state holds for as long as the machine runs only in a PCR that nobody can set back (PC Client Platform TPM Profile,
 * section 4.6: 16 and 21 to 23 can be, 23 by anybody), and only those void a satisfied session when they are extended. */
static result measuring_read(struct config *c, const char **ret_where)
{
    if (c->measured_pcr == 16)
        return no_config("tpm.measured_pcr: a PCR from 0 to 20, but not 16", ret_where);
    if (c->epoch_pcr == 16)
        return no_config("tpm.epoch_pcr: a PCR from 0 to 20, but not 16", ret_where);
    if (c->measured_pcr == c->epoch_pcr)
        return no_config("tpm.epoch_pcr: another PCR than tpm.measured_pcr, whose approved value must stay as it is", ret_where);
    return OK;
}

static result pcrs_read(const json_t *o, struct config *c, const char **ret_where)
{
    static const char where[] = "tpm.pcrs: 1 to 24 distinct numbers from 0 to 23";
    const json_t *list;
    json_t *pcr;
    size_t i;
    c->pcr_mask = 0x4ff; /* what the firmware measures (PC Client Platform Firmware Profile, section 3.3.4), and IMA's 10 */
    if (!json_has(o, "pcrs"))
        return OK;
    if (!is_ok(json_array_at(o, "pcrs", 1, 24, &list)))
        return no_config(where, ret_where);
    c->pcr_mask = 0;
    json_array_foreach (list, i, pcr) {
        json_int_t n = json_is_integer(pcr) ? json_integer_value(pcr) : -1;
        if (n < 0 || n > 23 || c->pcr_mask >> n & 1)
            return no_config(where, ret_where);
        c->pcr_mask |= UINT32_C(1) << n;
    }
    return OK;
}

static result part_read(const json_t *o, const char *name, const struct member *table, unsigned n, struct config *c,
    const char *where, const char **ret_where)
{
    AUTO_JSON *empty = json_object();
    const json_t *part = json_has(o, name) ? json_object_get(o, name) : empty;
    return members_read(part, table, n, c, where, ret_where);
}

static bool are_distinct(const uint32_t *handle, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < i; j++)
            if (handle[i] == handle[j])
                return false;
    return true;
}

result tpm_read(const json_t *o, struct config *c, const char **ret_where)
{
    TRY(members_read(o, MEMBERS(members), c, "tpm: an object with no other members than sebd.json(5) has", ret_where));
    TRY(measuring_read(c, ret_where));
    TRY(pcrs_read(o, c, ret_where));
    c->pcr_mask |= UINT32_C(1) << c->measured_pcr;
    TRY(part_read(o, "handles", MEMBERS(handle_members), c,
        "tpm.handles: an object of attestation, record, mint, mint_other and pin", ret_where));
    TRY(part_read(o, "nv", MEMBERS(nv_members), c, "tpm.nv: an object of epoch and anchor", ret_where));
    const uint32_t handles[] = { c->handle_attestation, c->handle_record, c->handle_mint, c->handle_mint_other, c->handle_pin };
    if (!are_distinct(handles, sizeof handles / sizeof *handles))
        return no_config("tpm.handles: distinct handles", ret_where);
    return c->nv_epoch == c->nv_anchor ? no_config("tpm.nv: two distinct indices", ret_where) : OK;
}

result tpm_no_mint_key(const json_t *o, struct config *c, const char **ret_where)
{
    const json_t *handles = json_object_get(o, "handles");
    c->handle_mint = c->handle_mint_other = 0;
    if (json_has(handles, "mint"))
        return no_config("tpm.handles.mint: only where mint_key.backend is tpm", ret_where);
    if (json_has(handles, "mint_other"))
        return no_config("tpm.handles.mint_other: only where mint_key.backend is tpm", ret_where);
    return OK;
}
