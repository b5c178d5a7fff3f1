/* Does to hsm/ what a test script writes to its standard input, a command a line, and answers each with one line: the code's name,
 * and what the command found. So a script can end and restart the hardware between two commands. */
#include "config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRYPTOKI_COMPAT 1
#include <openssl/crypto.h>
#include <p11-kit/pkcs11.h>

#include "attest/quote.h"
#include "hsm/pkcs11.h"
#include "hsm/tpm.h"

#define WORDS_MAX 6
#define THREADS_MAX 16
#define EVIDENCE_MAX 8192

struct driver {
    struct tpm *tpm;
    struct hsm_key *ak, *key; /* the key that sign uses, of either backend */
    struct p11_token *token;
    char *word[WORDS_MAX];
    char note[256]; /* follows the code in the answer */
};

static void close_all(struct driver *d)
{
    hsm_close(d->key);
    hsm_close(d->ak);
    tpm_close(d->tpm);
    p11_close(d->token);
    d->key = d->ak = NULL;
    d->tpm = NULL;
    d->token = NULL;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 0);
}

static result do_tpm(struct driver *d)
{
    int fd;
    enum tpm_transport transport;
    TRY(tpm_connect(d->word[1], &fd, &transport));
    return tpm_open(fd, transport, &d->tpm);
}

static result do_close(struct driver *d)
{
    close_all(d);
    return OK;
}

static result do_provision(struct driver *d)
{
    static const enum tpm_role roles[] = { ['a'] = TPM_ATTESTATION, ['r'] = TPM_RECORD, ['m'] = TPM_MINT };
    bool made;
    TRY(tpm_provision(d->tpm, roles[(unsigned)d->word[1][0]], number(d->word[2]), d->word[3], NULL, &made));
    snprintf(d->note, sizeof d->note, made ? "made" : "kept");
    return OK;
}

static result do_ak(struct driver *d)
{
    hsm_close(d->ak);
    d->ak = NULL;
    return tpm_attestation_key(d->tpm, number(d->word[1]), &d->ak);
}

static result do_key(struct driver *d)
{
    hsm_close(d->key);
    d->key = NULL;
    return tpm_signing_key(d->tpm, number(d->word[1]), d->ak, NULL, &d->key);
}

static result sign_and_verify(struct hsm_key *k, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct digest message = sha256((struct span){ (const uint8_t *)&i, sizeof i });
        struct digest d = sha256(digest_span(&message));
        uint8_t raw[SIGNATURE_SIZE];
        TRY(hsm_sign(k, &d, raw));
        TRY(pubkey_verify(hsm_public(k), digest_span(&message), SPAN(raw)));
    }
    return OK;
}

static result do_sign(struct driver *d)
{
    return sign_and_verify(d->key, number(d->word[1]));
}

static result do_sign_ak(struct driver *d)
{
    return sign_and_verify(d->ak, 1);
}

static result do_thumbprint(struct driver *d)
{
    char text[DIGEST_TEXT + 1];
    struct hsm_key *k = d->word[1][0] == 'a' ? d->ak : d->key;
    snprintf(d->note, sizeof d->note, "%s %s", digest_text(pubkey_thumbprint(hsm_public(k)), text), hsm_backend(k));
    return OK;
}

static result write_in(const char *folder, const char *name, struct span content)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_write(path, content, 0600, true);
}

/* A quote of PCRs 0 and 12 over SHA-256 of "quote", verified by attest/ and laid down for tpm2_checkquote. */
static result do_quote(struct driver *d)
{
    struct digest q = sha256(span_text("quote"));
    struct tpm_quote quote;
    TRY(tpm_quote(d->ak, 1u << 12 | 1, &q, &quote));
    AUTO_BUF attest = quote.attest, signature = quote.signature, pem = BUF(1024);
    struct attest a;
    TRY(attest_open(buf_span(&attest), buf_span(&signature), hsm_public(d->ak), &a));
    if (!a.is_quote || !span_equal(a.extra, digest_span(&q)) || a.pcr_selection.n != 10 || a.pcr_digest.n != DIGEST_SIZE)
        return fail(E_bad_quote);
    TRY(pubkey_pem(hsm_public(d->ak), &pem));
    TRY(write_in(d->word[1], "quote", buf_span(&attest)));
    TRY(write_in(d->word[1], "signature", buf_span(&signature)));
    TRY(write_in(d->word[1], "ak.pem", buf_span(&pem)));
    snprintf(d->note, sizeof d->note, "%u", a.clock.reset_count);
    return OK;
}

static result evidence_read(struct hsm_key *k, json_t **ret)
{
    AUTO_BUF text = BUF(EVIDENCE_MAX);
    TRY(hsm_evidence(k, &text));
    TRY(json_strict(buf_span(&text), EVIDENCE_MAX, ret));
    return json_is_canonical(*ret, buf_span(&text));
}

/* As an auditor does: the certification is the attestation key's, and names the public area, which holds this key. */
static result do_evidence(struct driver *d)
{
    AUTO_JSON *e = NULL;
    TRY(evidence_read(d->word[1][0] == 'a' ? d->ak : d->key, &e));
    AUTO_BUF attest = BUF(1024), signature = BUF(256), public = BUF(512);
    TRY(json_bytes_at(e, "attest", 1024, &attest));
    TRY(json_bytes_at(e, "signature", 256, &signature));
    TRY(json_bytes_at(e, "public", 512, &public));
    struct attest a;
    TRY(attest_open(buf_span(&attest), buf_span(&signature), hsm_public(d->ak), &a));
    struct digest name;
    AUTO_PUBKEY *key = NULL;
    uint32_t attributes;
    TRY(tpm_public_read(buf_span(&public), &name, &key, &attributes));
    if (a.is_quote || a.name.n != 2 + DIGEST_SIZE || !span_equal(span_part(a.name, 2, DIGEST_SIZE), digest_span(&name)))
        return fail(E_bad_quote);
    snprintf(d->note, sizeof d->note, "0x%x", attributes);
    return pubkey_equal(key, hsm_public(d->word[1][0] == 'a' ? d->ak : d->key)) ? OK : fail(E_key_mismatch);
}

static result do_p11(struct driver *d)
{
    const struct p11_args args = { .module = d->word[1], .token = d->word[2], .pin_file = d->word[3] };
    return p11_open(&args, &d->token);
}

static result do_p11_restart(struct driver *d)
{
    hsm_close(d->key);
    d->key = NULL;
    return p11_restart(d->token);
}

static result do_p11_provision(struct driver *d)
{
    bool made;
    TRY(p11_provision(d->token, d->word[1], &made));
    snprintf(d->note, sizeof d->note, made ? "made" : "kept");
    return OK;
}

static result do_p11_key(struct driver *d)
{
    hsm_close(d->key);
    d->key = NULL;
    return p11_key(d->token, d->word[1], &d->key);
}

static result do_p11_evidence(struct driver *d)
{
    AUTO_JSON *e = NULL;
    struct p11_identity id;
    const json_t *attributes;
    const char *serial;
    bool extractable;
    TRY(evidence_read(d->key, &e));
    TRY(json_object_at(e, "attributes", &attributes));
    TRY(json_flag(attributes, "extractable", &extractable));
    TRY(json_text(e, "serial", 16, &serial));
    p11_identity_of(d->token, &id);
    snprintf(d->note, sizeof d->note, "%s", id.manufacturer);
    return !extractable && span_is(span_text(serial), id.serial) ? OK : fail(E_bad_value);
}

struct worker {
    pthread_t thread;
    struct p11_token *token;
    const char *label;
    unsigned n;
    result r;
};

static void *work(void *argument)
{
    struct worker *w = argument;
    struct hsm_key *k = NULL;
    w->r = p11_key(w->token, w->label, &k);
    if (is_ok(w->r))
        w->r = sign_and_verify(k, w->n);
    hsm_close(k);
    return NULL;
}

static result do_p11_threads(struct driver *d)
{
    struct worker w[THREADS_MAX];
    unsigned n = number(d->word[2]);
    for (unsigned i = 0; i < n && i < THREADS_MAX; i++) {
        w[i] = (struct worker){ .token = d->token, .label = d->word[1], .n = number(d->word[3]) };
        if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
            abort();
    }
    result r = OK;
    for (unsigned i = 0; i < n && i < THREADS_MAX; i++) {
        pthread_join(w[i].thread, NULL);
        if (!is_ok(w[i].r))
            r = w[i].r;
    }
    return r;
}

/* Behind p11-kit's back, as another library in the process or a reset of the token would. */
static result behind(const char *module, CK_FUNCTION_LIST **ret, CK_SLOT_ID *ret_slot)
{
    union {
        void *object;
        CK_RV (*get)(CK_FUNCTION_LIST **);
    } f = { .object = dlsym(dlopen(module, RTLD_NOW), "C_GetFunctionList") };
    CK_FUNCTION_LIST *m;
    CK_SLOT_ID slots[8];
    CK_ULONG n = sizeof slots / sizeof slots[0];
    if (!f.object || f.get(&m) != CKR_OK || m->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK || n == 0)
        return fail(E_hsm_unavailable);
    *ret = m;
    *ret_slot = slots[0];
    return OK;
}

static result do_p11_close_sessions(struct driver *d)
{
    CK_FUNCTION_LIST *m;
    CK_SLOT_ID slot;
    TRY(behind(d->word[1], &m, &slot));
    return m->C_CloseAllSessions(slot) == CKR_OK ? OK : fail(E_hsm_refused);
}

static result do_p11_logout(struct driver *d)
{
    CK_FUNCTION_LIST *m;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE s;
    TRY(behind(d->word[1], &m, &slot));
    bool done = m->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s) == CKR_OK && m->C_Logout(s) == CKR_OK &&
                m->C_CloseSession(s) == CKR_OK;
    return done ? OK : fail(E_hsm_refused);
}

/* While logged in: another PIN, from the two files. */
static result do_p11_new_pin(struct driver *d)
{
    CK_FUNCTION_LIST *m;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE s;
    AUTO_BUF old = BUF(64), new = BUF(64);
    TRY(file_read(d->word[2], 64, &old));
    TRY(file_read(d->word[3], 64, &new));
    TRY(behind(d->word[1], &m, &slot));
    bool done = m->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s) == CKR_OK &&
                m->C_SetPIN(s, old.p, old.n, new.p, new.n) == CKR_OK && m->C_CloseSession(s) == CKR_OK;
    return done ? OK : fail(E_hsm_refused);
}

/* Whether what ESYS calls is ours: the same context each time, and not the default one. */
static result do_cured(struct driver *d)
{
    union {
        void *object;
        OSSL_LIB_CTX *(*make)(void);
    } f = { .object = dlsym(RTLD_DEFAULT, "OSSL_LIB_CTX_new") };
    OSSL_LIB_CTX *a = f.make(), *b = f.make();
    return a && a == b && a != OSSL_LIB_CTX_get0_global_default() ? OK : fail(E_crypto);
}

static const struct {
    const char *name;
    unsigned words;
    result (*run)(struct driver *d);
} commands[] = {
    { "tpm", 2, do_tpm }, /* SOCKET */
    { "close", 1, do_close },
    { "provision", 4, do_provision }, /* attestation|record|mint HANDLE PEM */
    { "ak", 2, do_ak }, /* HANDLE */
    { "key", 2, do_key }, /* HANDLE */
    { "sign", 2, do_sign }, /* N */
    { "sign-ak", 1, do_sign_ak },
    { "thumbprint", 2, do_thumbprint }, /* ak|key */
    { "quote", 2, do_quote }, /* FOLDER */
    { "evidence", 2, do_evidence }, /* ak|key */
    { "p11", 4, do_p11 }, /* MODULE TOKEN PINFILE */
    { "p11-restart", 1, do_p11_restart },
    { "p11-provision", 2, do_p11_provision }, /* LABEL */
    { "p11-key", 2, do_p11_key }, /* LABEL */
    { "p11-evidence", 1, do_p11_evidence },
    { "p11-threads", 4, do_p11_threads }, /* LABEL THREADS N */
    { "p11-logout", 2, do_p11_logout }, /* MODULE */
    { "p11-close-sessions", 2, do_p11_close_sessions }, /* MODULE */
    { "p11-new-pin", 4, do_p11_new_pin }, /* MODULE OLDFILE NEWFILE */
    { "cured", 1, do_cured },
};

static result run(struct driver *d, char *line)
{
    unsigned n = 0;
    char *rest = line;
    for (char *w; n < WORDS_MAX && (w = strtok_r(rest, " \n", &rest)); n++)
        d->word[n] = w;
    for (size_t i = 0; n > 0 && i < sizeof commands / sizeof commands[0]; i++)
        if (span_is(span_text(d->word[0]), commands[i].name) && commands[i].words == n)
            return commands[i].run(d);
    return fail(E_usage);
}

int main(void)
{
    struct driver d = { 0 };
    char line[2048];
    while (fgets(line, sizeof line, stdin)) {
        d.note[0] = '\0';
        result r = run(&d, line);
        printf("%s%s%s", code_name(code_of(r)), d.note[0] ? " " : "", d.note);
        if (foreign_of(r) != FOREIGN_NONE)
            printf(" 0x%x", foreign_code(r));
        printf("\n");
        fflush(stdout);
    }
    close_all(&d);
    return 0;
}
