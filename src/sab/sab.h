/* The commands of sab. */
#ifndef SEB_SAB_SAB_H
#define SEB_SAB_SAB_H

#include "base/json.h"
#include "signer/signer.h"

#define SAB_OK 0
#define SAB_FAILED 1 /* refused or failed; the reason is on stderr */
#define SAB_USAGE 2

enum sab_option {
    OPT_MODULE,
    OPT_TOKEN,
    OPT_PIN_FILE,
    OPT_KEY,
    OPT_TPM,
    OPT_HANDLE,
    OPT_ATTESTATION,
    OPT_FOLDER, /* up to here: where the key is */
    OPT_BODY,
    OPT_CONTRACT,
    OPT_AGENT,
    OPT_EVIDENCE,
    OPT_DOMAIN,
    OPT_CID,
    OPT_POLICY_EPOCH,
    OPT_EPOCH,
    OPT_VALID_S,
    OPT_NOT_BEFORE,
    OPT_PLAN,
    OPT_REFERENCE,
    OPT_COUNTERSIGN,
    OPT_COUNTER,
    OPT_INSTANCE,
    OPT_SIZE,
    OPT_ROOT,
    OPT_WHAT,
    OPT_JSON,
    OPT_JWK,
    OPT_PEM,
    SAB_OPTIONS
};
struct sab_args {
    const char *value[SAB_OPTIONS]; /* NULL where it wasn't given; "" for a flag */
    const char *operand;
    const char *about; /* what an error is about, for its message */
};
/* Each prints its result to stdout only when it is whole. */
MUST_USE result sab_key_new(struct sab_args *a);
MUST_USE result sab_key_show(struct sab_args *a);
MUST_USE result sab_contract(struct sab_args *a);
MUST_USE result sab_certify(struct sab_args *a);
MUST_USE result sab_countersign(struct sab_args *a);
MUST_USE result sab_policy_sign(struct sab_args *a);
MUST_USE result sab_epoch_sign(struct sab_args *a);
MUST_USE result sab_acknowledge(struct sab_args *a);
MUST_USE result sab_approve(struct sab_args *a);
MUST_USE result sab_reference_sign(struct sab_args *a);
/* Takes its own argv (argv[0] is "fence") and returns the exit code. */
int sab_fence(int argc, char **argv);
/* The same of "contract kubernetes". */
int sab_contract_kubernetes(int argc, char **argv);

/* The key that the options name. usage where they name none, or two. */
MUST_USE result sab_key_open(struct sab_args *a, struct signer **ret);
/* A decimal number from min to max; missing where it wasn't given. usage. */
MUST_USE result sab_number(struct sab_args *a, enum sab_option o, int64_t min, int64_t max, int64_t missing, int64_t *ret);
/* A whole file, or stdin for "-"; one JSON value in it. */
MUST_USE result sab_read(struct sab_args *a, const char *path, size_t max, struct buf *out);
MUST_USE result sab_read_json(struct sab_args *a, const char *path, json_t **ret);
/* The text and a newline, flushed. */
MUST_USE result sab_print(struct span text);
MUST_USE result sab_print_json(const json_t *v);

#endif
