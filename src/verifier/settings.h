/* The verifier's configuration: one JSON file (seb-verifier(1), FILES), strict, no secrets in it. */
#ifndef SEB_VERIFIER_SETTINGS_H
#define SEB_VERIFIER_SETTINGS_H

#include "base/pubkey.h"
#include "signer/signer.h"

#define SETTINGS_MAX (4 * 1024 * 1024)
#define SETTINGS_INSTANCES 4096
#define SETTINGS_ROOTS 64

/* A key of the verifier's own, in a token or in a TPM; what wasn't given is empty. */
struct settings_key {
    char module[256], token[33], pin_file[256], key[65];
    char tpm[256], handle[11], attestation[11];
};
struct settings_instance {
    char name[65]; /* the verifier's name for it, unique */
    char instance[65], domain[129]; /* the broker's own */
    char address[129]; /* host:port of its third door */
    char reference[256]; /* the file of its signed reference values */
    bool local; /* its ledger is its own: no second instance of the domain */
    bool needs_firmware_log, needs_ima; /* not affirmed without */
    struct pubkey *policy_key; /* of the domain's policy authority, pinned; owned */
};
struct settings {
    char state[256]; /* the database */
    struct settings_key result_key, lease_key;
    unsigned roots;
    char root[SETTINGS_ROOTS][256]; /* PEM files of EK manufacturers */
    char tls_certificate[256], tls_key[256], tls_ca[256];
    int64_t interval_s, jitter_percent, timeout_ms; /* of a challenge; how much earlier it may come; of one exchange */
    int64_t result_s, lease_s; /* how long they hold */
    int64_t connections; /* exchanges at once */
    bool strict_clock; /* a TPM's clock that isn't safe is contraindicated, else a warning */
    unsigned instances;
    struct settings_instance *instance; /* owned */
};
/* no_config with *ret_where (static) on failure. The caller frees with settings_free. */
MUST_USE result settings_parse(struct span text, struct settings **ret, const char **ret_where);
MUST_USE result settings_load(const char *path, struct settings **ret, const char **ret_where);
void settings_free(struct settings *s); /* accepts NULL */
void settings_free_pointer(struct settings **s);
#define AUTO_SETTINGS __attribute__((cleanup(settings_free_pointer))) struct settings
const struct settings_instance *settings_named(const struct settings *s, const char *name); /* NULL: none */
/* Views k. */
struct signer_place settings_place(const struct settings_key *k);

#endif
