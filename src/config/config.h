/* The broker's configuration: one JSON file (sebd.json(5)), strict, no secrets in it. The supervisor reads it, and hands its
 * RFC 8785 form to each process as a sealed memfd; sebctl reads the same file. */
#ifndef SEB_CONFIG_CONFIG_H
#define SEB_CONFIG_CONFIG_H

#include "base/digest.h"
#include "base/pubkey.h"

#define CONFIG_MAX (256 * 1024)
#define CONFIG_TARGETS 64
#define STATE_DATABASE "log.db" /* in state_dir */

struct config_http_fence { /* of an http target: what sebctl fence prints from */
    char listen[128], backend[128]; /* host:port */
    char certificate[256]; /* PEM with key, of the fence's TLS */
    char backend_ca[256], backend_certificate[256]; /* PEM: who the service is; certificate and key that it lets in */
    char directory[256]; /* where mint-<kid>.pem and kids.map lie at the fence */
    char runtime_socket[256]; /* HAProxy's runtime API */
};
struct config_target {
    char name[65], kind[16], prefix[1025], audience[129];
    char ca[256]; /* PEM file */
    int64_t timeout_ms; /* for one call */
    int64_t settle_ms; /* how long after a credential's end a call may still land: fence's and service's timeouts */
    int64_t answer_bytes; /* largest body that is read */
    bool has_fence;
    struct config_http_fence fence;
    char issuer[201]; /* of a kubernetes target: a credential's iss is <issuer>/<kid of the mint key>; "" elsewhere */
    bool groups; /* of a kubernetes target: its claims travel as groups too, where a cluster maps nothing else */
};
struct config {
    char domain[129], instance[65];
    char state_dir[200], run_dir[100]; /* database and instance.json; sockets and lock */
    char agents_socket[108], admin_socket[108], agents_group[33]; /* paths; group "" for root's */
    bool has_verifier_door; /* bus.verifier: */
    char verifier_listen[128]; /* host:port */
    char verifier_certificate[256], verifier_key[256], verifier_ca[256]; /* PEM files: the front's TLS, no key of the broker */
    int64_t pipes, in_flight_per_uid, rate_per_s_per_uid; /* of the bus */
    int64_t in_flight_per_agent, refusals_per_minute_per_agent; /* of the core */
    char tpm[256]; /* path of device or swtpm socket */
    uint32_t handle_attestation, handle_record, handle_mint; /* persistent handles */
    uint32_t handle_mint_other; /* of every second epoch's mint key; 0 as handle_mint where it is in an HSM */
    uint32_t handle_pin; /* the HSM's PIN, sealed */
    uint32_t nv_epoch, nv_anchor; /* NV indices: the revocation epoch's counter, the log's anchor */
    uint32_t pcr_mask; /* quoted PCRs of the SHA-256 bank; measured_pcr is one of them */
    int64_t measured_pcr, epoch_pcr; /* what the broker measures; what an epoch extends, outside of any policy */
    int64_t anchor_every; /* checkpoints between two anchors */
    char firmware_log[256], ima_log[256]; /* the kernel's event logs */
    bool mint_in_hsm;
    char module[256], token[33], pin_file[256], mint_label[65];
    int64_t hsm_sessions; /* threads that mint, 1 to 16 */
    struct pubkey *policy_key, *revocation_key; /* pinned; owned */
    unsigned targets;
    struct config_target target[CONFIG_TARGETS];
    struct digest digest; /* of the RFC 8785 form */
};
/* no_config with *ret_where (a static or member name, for the message) on failure. The caller frees with config_free. */
MUST_USE result config_parse(struct span text, struct config **ret, const char **ret_where);
MUST_USE result config_load(const char *path, struct config **ret, const char **ret_where);
/* Any configuration's text: a plain file that nobody but root and who runs this may write. no_config, as above. */
MUST_USE result config_file_read(const char *path, size_t max, struct buf *out, const char **ret_where);
void config_free(struct config *c); /* accepts NULL */
/* RFC 8785 form of the file's content, as the other processes get it. */
MUST_USE result config_canonical(struct span text, struct buf *out);
const struct config_target *config_target_named(const struct config *c, const char *name); /* NULL: none */
/* "<domain>/<instance>": the log's origin. */
MUST_USE result config_origin(const struct config *c, struct buf *out);
MUST_USE result config_state_path(const struct config *c, const char *file, struct buf *out); /* with NUL */

/* What init recorded: state_dir/instance.json. */
#define INSTANCE_RETIRED 64
#define INSTANCE_NO_EPOCH (-1)
#define INSTANCE_ROLES 3
extern const char *const instance_roles[INSTANCE_ROLES]; /* "attestation", "record", "mint": enum key_role's order */
struct instance {
    char domain[129], instance[65];
    struct pubkey *key[INSTANCE_ROLES]; /* attestation, record, mint; owned */
    int64_t mint_epoch; /* the revocation epoch that the mint key is for; INSTANCE_NO_EPOCH: none yet */
    unsigned retired_n; /* keys that were, oldest first: what they signed is still to be verified */
    struct {
        unsigned role;
        struct pubkey *key; /* owned */
    } retired[INSTANCE_RETIRED];
};
/* key_missing where it isn't there, key_mismatch where it is another instance's. */
MUST_USE result instance_load(const struct config *c, struct instance *ret);
/* exists where another is there; the same content: ok, and *ret_made false. */
MUST_USE result instance_write(const struct config *c, const struct instance *i, bool *ret_made);
/* In the place of what is there, at once. */
MUST_USE result instance_update(const struct config *c, const struct instance *i);
/* One more retired key, newest last; the oldest mint key makes room, and where there is none too_long. Held. Known already: ok. */
MUST_USE result instance_retire(struct instance *i, unsigned role, struct pubkey *key);
void instance_free(struct instance *i);

/* Makes run_dir (0755: agents reach their socket through it) and state_dir (0700) where they aren't there. Refused (no_config,
 * with *ret_where) where one is somebody else's, or may be written, and state_dir read, by others. */
MUST_USE result place_make(const struct config *c, const char **ret_where);
/* Takes the instance's lock (run_dir/lock). Whoever works with the instance's keys or log holds it, as long as a descriptor
 * of it is open anywhere. Waits for it at most so long, since a killed broker's processes need a moment to die; then locked. */
MUST_USE result place_lock(const struct config *c, unsigned wait_ms, int *ret_fd);

#endif
