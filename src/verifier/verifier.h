/* The commands of seb-verifier. */
#ifndef SEB_VERIFIER_VERIFIER_H
#define SEB_VERIFIER_VERIFIER_H

#include "base/json.h"
#include "verifier/keys.h"
#include "verifier/settings.h"
#include "verifier/state.h"

#define VERIFIER_OK 0
#define VERIFIER_FAILED 1 /* refused or failed; the reason is on stderr */
#define VERIFIER_USAGE 2

enum verifier_option {
    OPT_CONFIG, /* may come several times for `reference` */
    OPT_JSON,
    OPT_JWT,
    OPT_EK,
    OPT_SIZE,
    OPT_ROOT,
    OPT_FIRMWARE,
    OPT_LIBEXEC,
    OPT_SEBD,
    OPT_RELEASE,
    OPT_PCR, /* may come several times */
    OPT_NAME,
    OPT_REFERENCE,
    OPT_POLICY_KEY,
    OPT_VERIFIER,
    OPT_RESULT,
    OPT_LOGS,
    VERIFIER_OPTIONS
};
#define VALUES_MAX 32
struct verifier_args {
    const char *value[VERIFIER_OPTIONS]; /* NULL where it wasn't given; "" for a flag; the last where there are several */
    const char *config[VALUES_MAX], *pcr[VALUES_MAX];
    unsigned configs, pcrs;
    const char *operand; /* NULL where there is none */
    const char *about; /* what an error is about, for its message */
    struct settings *settings; /* of commands that need them; owned by main */
};
MUST_USE result verifier_serve(struct verifier_args *a);
MUST_USE result verifier_enrol(struct verifier_args *a);
MUST_USE result verifier_confirm(struct verifier_args *a);
MUST_USE result verifier_withdraw(struct verifier_args *a);
MUST_USE result verifier_list(struct verifier_args *a);
MUST_USE result verifier_acknowledge(struct verifier_args *a);
MUST_USE result verifier_keys(struct verifier_args *a);
MUST_USE result verifier_results(struct verifier_args *a);
MUST_USE result verifier_reference(struct verifier_args *a);
MUST_USE result verifier_appraise(struct verifier_args *a);

/* The instance that the operand names in the settings: not_found. */
MUST_USE result verifier_instance(struct verifier_args *a, const struct settings_instance **ret);
/* The text and a newline, flushed. */
MUST_USE result verifier_print(struct span text);
MUST_USE result verifier_print_json(const json_t *v);

#endif
