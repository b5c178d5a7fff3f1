/* attest/ against a real TPM. Commands, each with what a test made by other people's tools:
 *   ek ROOTS CERTIFICATE PUBLIC NOW    the EK's chain and its public area (TPM2B_PUBLIC): "ok", or the name of what is wrong
 *   make PUBLIC NAME SECRET OUT        MakeCredential in software, as tpm2_activatecredential reads it
 *   quotes SCRIPT DIR                  appraises quotes; SCRIPT does the TPM's part, step by step, in DIR */
#include "config.h"

#include "attest/credential.h"
#include "attest/ek.h"
#include "tests/int/attest_quotes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX 65536
/* tpm2-tools' file of a credential: magic, version, the two TPM2Bs. */
#define CREDENTIAL_MAGIC 0xbadcc0de
#define CREDENTIAL_VERSION 1

static result sized(struct span tpm2b, struct span *ret)
{
    struct reader r = reader_of(tpm2b);
    TRY(read_blob16(&r, FILE_MAX, ret));
    return read_end(&r);
}

static result ek(char **arg)
{
    AUTO_BUF pem = BUF(FILE_MAX), der = BUF(FILE_MAX), file = BUF(FILE_MAX);
    AUTO_EK_ROOTS *roots = NULL;
    struct span public;
    struct ek ek;
    TRY(file_read(arg[0], FILE_MAX, &pem));
    TRY(file_read(arg[1], FILE_MAX, &der));
    TRY(file_read(arg[2], FILE_MAX, &file));
    TRY(sized(buf_span(&file), &public));
    TRY(ek_roots_read(buf_span(&pem), &roots));
    TRY(ek_certificate_check(roots, buf_span(&der), strtoll(arg[3], NULL, 10), &ek));
    return ek_public_check(buf_span(&der), public);
}

static result make(char **arg)
{
    AUTO_BUF file = BUF(FILE_MAX), name = BUF(FILE_MAX), secret = BUF(FILE_MAX), out = BUF(FILE_MAX);
    AUTO_BUF credential = BUF(CREDENTIAL_MAX), encrypted = BUF(CREDENTIAL_SEED_MAX);
    uint8_t ak_name[TPM_NAME_SIZE];
    struct span public;
    TRY(file_read(arg[0], FILE_MAX, &file));
    TRY(file_read(arg[1], FILE_MAX, &name));
    TRY(file_read(arg[2], FILE_MAX, &secret));
    TRY(sized(buf_span(&file), &public));
    TRY(span_copy(buf_span(&name), ak_name, sizeof ak_name));
    TRY(make_credential(public, ak_name, buf_span(&secret), &credential, &encrypted));
    TRY(buf_u32(&out, CREDENTIAL_MAGIC));
    TRY(buf_u32(&out, CREDENTIAL_VERSION));
    TRY(buf_blob16(&out, buf_span(&credential)));
    TRY(buf_blob16(&out, buf_span(&encrypted)));
    return file_write(arg[3], buf_span(&out), 0600, true);
}

int main(int argc, char **argv)
{
    result r = fail(E_usage);
    if (argc == 4 && span_is(span_text(argv[1]), "quotes"))
        return attest_quotes(argv[2], argv[3]);
    if (argc == 6 && span_is(span_text(argv[1]), "ek"))
        r = ek(argv + 2);
    if (argc == 6 && span_is(span_text(argv[1]), "make"))
        r = make(argv + 2);
    printf("%s\n", code_name(code_of(r)));
    return is_ok(r) ? 0 : 1;
}
