/* Prints what attest/ makes of what it is given, for tests/int/attested-by-a-tpm to compare with a TPM:
 *   name PEM · ref ORIGIN AK-NAME · key-policy PEM REF · approved PCR VALUE COUNTER COUNTER-NAME PEM · approval-hash POLICY REF
 *   lease-hash NONCE SECONDS REF · firmware FILE · ima FILE PCR WANTED · cel FILE PCR
 * Bytes are hexadecimal. Exit code 1 with the error's name on stderr. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "attest/cel.h"
#include "attest/ima.h"
#include "attest/policy_digest.h"
#include "attest/tcg_log.h"

static result print_hex(struct span s)
{
    AUTO_BUF text = BUF(256);
    TRY(hex_put(&text, s));
    printf("%.*s\n", (int)text.n, (const char *)text.p);
    return OK;
}

static result bytes(const char *hex, uint8_t *ret, size_t n)
{
    AUTO_BUF b = BUF(n);
    TRY(hex_read(span_text(hex), &b));
    return span_copy(buf_span(&b), ret, n);
}

static result key_of(const char *path, struct pubkey **ret)
{
    AUTO_BUF pem = BUF(4096);
    TRY(file_read(path, 4096, &pem));
    return pubkey_from_pem(buf_span(&pem), ret);
}

static result do_name(char **a)
{
    AUTO_PUBKEY *k = NULL;
    uint8_t name[TPM_NAME_SIZE];
    TRY(key_of(a[0], &k));
    TRY(tpm_external_name(k, name));
    return print_hex(SPAN(name));
}

static result do_ref(char **a)
{
    uint8_t name[TPM_NAME_SIZE];
    struct digest d;
    TRY(bytes(a[1], name, sizeof name));
    TRY(policy_ref(a[0], name, &d));
    return print_hex(digest_span(&d));
}

static result do_key_policy(char **a)
{
    AUTO_PUBKEY *k = NULL;
    struct digest ref, d;
    TRY(key_of(a[0], &k));
    TRY(bytes(a[1], ref.b, DIGEST_SIZE));
    TRY(key_policy(k, &ref, &d));
    return print_hex(digest_span(&d));
}

static result do_approved(char **a)
{
    AUTO_PUBKEY *k = NULL;
    struct digest d;
    struct approved_state s = { .pcr = (unsigned)atoi(a[0]), .counter = strtoull(a[2], NULL, 10) };
    TRY(bytes(a[1], s.pcr_value.b, DIGEST_SIZE));
    TRY(bytes(a[3], s.counter_name, TPM_NAME_SIZE));
    TRY(key_of(a[4], &k));
    TRY(bytes(a[5], s.ref.b, DIGEST_SIZE));
    s.lease = k;
    TRY(approved_policy(&s, &d));
    return print_hex(digest_span(&d));
}

static result do_approval_hash(char **a)
{
    struct digest policy, ref, d;
    TRY(bytes(a[0], policy.b, DIGEST_SIZE));
    TRY(bytes(a[1], ref.b, DIGEST_SIZE));
    d = approval_hash(&policy, &ref);
    return print_hex(digest_span(&d));
}

static result do_lease_hash(char **a)
{
    uint8_t nonce[32];
    struct digest ref, d;
    TRY(bytes(a[0], nonce, sizeof nonce));
    TRY(bytes(a[2], ref.b, DIGEST_SIZE));
    TRY(lease_hash(nonce, (uint32_t)atoi(a[1]), &ref, &d));
    return print_hex(digest_span(&d));
}

static result do_firmware(char **a)
{
    AUTO_BUF log = BUF(TCG_LOG_MAX);
    struct tcg_replay r;
    TRY(file_read(a[0], TCG_LOG_MAX, &log));
    TRY(tcg_log_replay(buf_span(&log), &r));
    for (unsigned i = 0; i < TPM_PCRS; i++) {
        if (!(r.extended >> i & 1))
            continue;
        printf("%u ", i);
        TRY(print_hex(digest_span(&r.pcr[i])));
    }
    return OK;
}

static result do_ima(char **a)
{
    AUTO_BUF log = BUF(1 << 20);
    struct digest wanted;
    struct ima_state s = { 0 };
    TRY(file_read(a[0], 1 << 20, &log));
    TRY(bytes(a[2], wanted.b, DIGEST_SIZE));
    TRY(ima_advance(buf_span(&log), (unsigned)atoi(a[1]), &wanted, &s));
    printf("%llu entries, %llu violations\n", (unsigned long long)s.entries, (unsigned long long)s.violations);
    return OK;
}

static result do_cel(char **a)
{
    AUTO_BUF log = BUF(CEL_LOG_MAX);
    struct digest value;
    struct cel_state s;
    TRY(file_read(a[0], CEL_LOG_MAX, &log));
    TRY(cel_replay(buf_span(&log), (unsigned)atoi(a[1]), &value, &s));
    return print_hex(digest_span(&value));
}

static const struct {
    const char *name;
    int arguments;
    result (*run)(char **a);
} commands[] = {
    { "name", 1, do_name },
    { "ref", 2, do_ref },
    { "key-policy", 2, do_key_policy },
    { "approved", 6, do_approved },
    { "approval-hash", 2, do_approval_hash },
    { "lease-hash", 3, do_lease_hash },
    { "firmware", 1, do_firmware },
    { "ima", 3, do_ima },
    { "cel", 2, do_cel },
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (argc != commands[i].arguments + 2 || !span_is(span_text(argv[1]), commands[i].name))
            continue;
        result r = commands[i].run(argv + 2);
        if (!is_ok(r))
            fprintf(stderr, "%s\n", code_name(code_of(r)));
        return is_ok(r) ? 0 : 1;
    }
    return 2;
}
