/* The configuration: what is read from it, and that every member has a refusal of its own. */
#include <config.h>

#include "tests/unit/check.h"

#include "config/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLICY                                                                                 \
    "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\"," \
    "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}"
#define REVOCATION "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define TARGET "{\"kind\":\"http\",\"prefix\":\"https://h:8443/d/\",\"audience\":\"docs\",\"ca\":\"/ca.pem\"}"
#define SMALL                                                                                                \
    "{\"domain\":\"d\",\"instance\":\"i\",\"mint_key\":{\"backend\":\"tpm\"},\"pinned\":{\"policy\":" POLICY \
    ",\"revocation\":" REVOCATION "},\"targets\":{\"t\":" TARGET "}}"

static result parse(const char *text, struct config **ret, const char **ret_where)
{
    *ret_where = "";
    return config_parse(span_text(text), ret, ret_where);
}

static void defaults(struct checks *t)
{
    struct config *c = NULL;
    const char *where;
    check_code(t, parse(SMALL, &c, &where), E_ok, "the smallest configuration is read");
    if (!c)
        return;
    check_that(t, !strcmp(c->state_dir, "/var/lib/seb") && !strcmp(c->run_dir, "/run/seb"), "folders have defaults");
    check_that(t,
        !strcmp(c->agents_socket, "/run/seb/agents.sock") && !strcmp(c->admin_socket, "/run/seb/admin.sock") && !c->agents_group[0],
        "sockets lie in run_dir");
    check_that(t, !c->has_verifier_door, "there is no door for verifiers");
    check_that(t,
        c->pipes == 256 && c->in_flight_per_uid == 256 && c->rate_per_s_per_uid == 2000 && c->in_flight_per_agent == 16 &&
            c->refusals_per_minute_per_agent == 120,
        "limits have defaults");
    check_that(t,
        !strcmp(c->tpm, "/dev/tpmrm0") && c->handle_attestation == 0x81000a01 && c->handle_record == 0x81000a02 &&
            c->handle_mint == 0x81000a03 && c->pcr_mask == 0x14ff,
        "so has the TPM");
    check_that(t,
        c->handle_mint_other == 0x81000a05 && c->handle_pin == 0x81000a04 && c->nv_epoch == 0x01500a01 &&
            c->nv_anchor == 0x01500a02 && c->measured_pcr == 12 && c->epoch_pcr == 13 && c->anchor_every == 4096,
        "and what holds the approved state");
    check_that(t,
        !strcmp(c->firmware_log, "/sys/kernel/security/tpm0/binary_bios_measurements") &&
            !strcmp(c->ima_log, "/sys/kernel/security/ima/binary_runtime_measurements"),
        "and the kernel's event logs");
    check_that(t, !c->mint_in_hsm && c->hsm_sessions == 1, "the mint key is in the TPM");
    check_that(t,
        c->policy_key && pubkey_alg(c->policy_key) == ALG_ES256 && c->revocation_key && pubkey_alg(c->revocation_key) == ALG_EDDSA,
        "both keys are pinned");
    const struct config_target *target = config_target_named(c, "t");
    check_that(t,
        c->targets == 1 && target && !config_target_named(c, "u") && !strcmp(target->kind, "http") && target->timeout_ms == 10000 &&
            target->settle_ms == 60000 && target->answer_bytes == 1048576 && !target->has_fence,
        "and the target has its defaults");
    AUTO_BUF origin = BUF(300);
    check_that(t, is_ok(config_origin(c, &origin)) && span_is(buf_span(&origin), "d/i"), "the origin is domain/instance");
    config_free(c);
}

static void example(struct checks *t)
{
    struct config *c = NULL, *again = NULL;
    const char *where = "", *dir = getenv("srcdir");
    AUTO_BUF path = BUF(4096), text = BUF(CONFIG_MAX), canonical = BUF(CONFIG_MAX);
    bool read = is_ok(buf_printf(&path, "%s/docs/examples/sebd.json", dir ? dir : ".")) && is_ok(buf_u8(&path, 0)) &&
                is_ok(file_read((char *)path.p, CONFIG_MAX, &text));
    check_that(t, read, "the example is there");
    check_code(t, config_parse(buf_span(&text), &c, &where), E_ok, "the example is read");
    printf("# %s\n", where);
    check_code(t, config_canonical(buf_span(&text), &canonical), E_ok, "it has an RFC 8785 form");
    check_code(t, config_parse(buf_span(&canonical), &again, &where), E_ok, "which is read too");
    check_that(t, c && again && digest_equal(&c->digest, &again->digest), "and has the same digest");
    struct digest whole = sha256(buf_span(&canonical));
    check_that(t, c && digest_equal(&c->digest, &whole), "the digest is of the RFC 8785 form");
    check_that(t,
        c && c->mint_in_hsm && !c->handle_mint && !c->handle_mint_other && c->hsm_sessions == 2 && c->target[0].has_fence &&
            !strcmp(c->target[0].fence.backend, "10.0.0.7:443"),
        "HSM and fence are read");
    check_that(t,
        c && c->has_verifier_door && !strcmp(c->verifier_listen, "10.0.0.5:8788") &&
            !strcmp(c->verifier_ca, "/etc/seb/verifiers-ca.pem") && !strcmp(c->verifier_certificate, "/etc/seb/front.pem") &&
            !strcmp(c->verifier_key, "/etc/seb/front.key"),
        "so is the verifiers' door");
    config_free(c);
    config_free(again);
}

/* The small configuration with its first `part` replaced. */
struct change {
    const char *part, *by, *where; /* where the message must begin with */
};
static const struct change changes[] = {
    { "\"domain\":\"d\",", "", "domain" },
    { "\"d\"", "\"\"", "domain" },
    { "\"d\"", "\"a b\"", "domain" },
    { "\"d\"", "7", "domain" },
    { "\"i\"", "\"a/b\"", "instance" },
    { "\"i\"", "\"12345678901234567890123456789012345678901234567890123456789012345\"", "instance" },
    { "{\"domain\"", "{\"more\":1,\"domain\"", "the file" },
    { "{\"domain\"", "{\"domain\":\"d\",\"domain\"", "a JSON object has a member twice" },
    { "{\"domain\"", "{\"state_dir\":\"lib\",\"domain\"", "state_dir" },
    { "{\"domain\"", "{\"state_dir\":\"/a/../b\",\"domain\"", "state_dir" },
    { "{\"domain\"", "{\"run_dir\":\"/a/\",\"domain\"", "run_dir" },
    { "{\"domain\"", "{\"run_dir\":\"/a//b\",\"domain\"", "run_dir" },
    { "{\"domain\"", "{\"run_dir\":\"/a b\",\"domain\"", "run_dir" },
    { "{\"domain\"",
        "{\"run_dir\":\"/45678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\","
        "\"domain\"",
        "run_dir" },
    { "{\"domain\"", "{\"bus\":[],\"domain\"", "bus" },
    { "{\"domain\"", "{\"bus\":{\"tcp\":1},\"domain\"", "bus" },
    { "{\"domain\"", "{\"bus\":{\"agents_socket\":\"x\"},\"domain\"", "bus.agents_socket" },
    { "{\"domain\"", "{\"bus\":{\"admin_socket\":\"\"},\"domain\"", "bus.admin_socket" },
    { "{\"domain\"", "{\"bus\":{\"admin_socket\":\"/run/seb/agents.sock\"},\"domain\"", "bus.admin_socket" },
    { "{\"domain\"", "{\"bus\":{\"agents_group\":\"a:b\"},\"domain\"", "bus.agents_group" },
    { "{\"domain\"", "{\"bus\":{\"verifier\":[]},\"domain\"", "bus.verifier" },
    { "{\"domain\"", "{\"bus\":{\"verifier\":{}},\"domain\"", "bus.verifier.listen" },
    { "{\"domain\"",
        "{\"bus\":{\"verifier\":{\"listen\":\"h:1\",\"certificate\":\"/c\",\"key\":\"/k\",\"ca\":\"/a\",\"x\":1}},\"domain\"",
        "bus.verifier" },
    { "{\"domain\"", "{\"bus\":{\"verifier\":{\"listen\":\"h:1\",\"certificate\":\"/c\",\"key\":\"/k\"}},\"domain\"",
        "bus.verifier.ca" },
    { "{\"domain\"", "{\"bus\":{\"verifier\":{\"listen\":\"h:1\",\"certificate\":\"/c\",\"ca\":\"/a\"}},\"domain\"",
        "bus.verifier.key" },
    { "{\"domain\"", "{\"bus\":{\"verifier\":{\"listen\":\"h:1\",\"key\":\"/k\",\"ca\":\"/a\"}},\"domain\"",
        "bus.verifier.certificate" },
    { "{\"domain\"", "{\"bus\":{\"verifier\":{\"listen\":\"h:1\",\"certificate\":\"c\",\"key\":\"/k\",\"ca\":\"/a\"}},\"domain\"",
        "bus.verifier.certificate" },
    { "{\"domain\"", "{\"bus\":{\"verifier\":{\"listen\":\"h\",\"certificate\":\"/c\",\"key\":\"/k\",\"ca\":\"/a\"}},\"domain\"",
        "bus.verifier.listen" },
    { "{\"domain\"", "{\"bus\":{\"verifier\":{\"listen\":\"h:0\",\"certificate\":\"/c\",\"key\":\"/k\",\"ca\":\"/a\"}},\"domain\"",
        "bus.verifier.listen" },
    { "{\"domain\"",
        "{\"bus\":{\"verifier\":{\"listen\":\"h:65536\",\"certificate\":\"/c\",\"key\":\"/k\",\"ca\":\"/a\"}},\"domain\"",
        "bus.verifier.listen" },
    { "{\"domain\"",
        "{\"bus\":{\"verifier\":{\"listen\":\"tls+tcp://h:1\",\"certificate\":\"/c\",\"key\":\"/k\",\"ca\":\"/a\"}},\"domain\"",
        "bus.verifier.listen" },
    { "{\"domain\"", "{\"limits\":7,\"domain\"", "limits" },
    { "{\"domain\"", "{\"limits\":{\"x\":7},\"domain\"", "limits" },
    { "{\"domain\"", "{\"limits\":{\"pipes\":0},\"domain\"", "limits.pipes" },
    { "{\"domain\"", "{\"limits\":{\"pipes\":4097},\"domain\"", "limits.pipes" },
    { "{\"domain\"", "{\"limits\":{\"in_flight_per_uid\":0},\"domain\"", "limits.in_flight_per_uid" },
    { "{\"domain\"", "{\"limits\":{\"rate_per_s_per_uid\":\"9\"},\"domain\"", "limits.rate_per_s_per_uid" },
    { "{\"domain\"", "{\"limits\":{\"rate_per_s_per_uid\":1.5},\"domain\"", "a number isn't an integer" },
    { "{\"domain\"", "{\"limits\":{\"in_flight_per_agent\":-1},\"domain\"", "limits.in_flight_per_agent" },
    { "{\"domain\"", "{\"limits\":{\"refusals_per_minute_per_agent\":0},\"domain\"", "limits.refusals_per_minute_per_agent" },
    { "{\"domain\"", "{\"tpm\":null,\"domain\"", "tpm" },
    { "{\"domain\"", "{\"tpm\":{\"tcti\":\"x\"},\"domain\"", "tpm" },
    { "{\"domain\"", "{\"tpm\":{\"path\":\"swtpm\"},\"domain\"", "tpm.path" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":1},\"domain\"", "tpm.handles" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"x\":\"0x81000001\"}},\"domain\"", "tpm.handles" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"attestation\":\"0x81800000\"}},\"domain\"", "tpm.handles.attestation" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"record\":\"0x80ffffff\"}},\"domain\"", "tpm.handles.record" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"mint\":2164260865}},\"domain\"", "tpm.handles.mint" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"mint\":\"0x8100000g\"}},\"domain\"", "tpm.handles.mint" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"mint\":\"8100000001\"}},\"domain\"", "tpm.handles.mint" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"mint\":\"0x81000a01\"}},\"domain\"", "tpm.handles: distinct" },
    { "{\"domain\"", "{\"tpm\":{\"pcrs\":[]},\"domain\"", "tpm.pcrs" },
    { "{\"domain\"", "{\"tpm\":{\"pcrs\":[24]},\"domain\"", "tpm.pcrs" },
    { "{\"domain\"", "{\"tpm\":{\"pcrs\":[-1]},\"domain\"", "tpm.pcrs" },
    { "{\"domain\"", "{\"tpm\":{\"pcrs\":[7,7]},\"domain\"", "tpm.pcrs" },
    { "{\"domain\"", "{\"tpm\":{\"pcrs\":[\"7\"]},\"domain\"", "tpm.pcrs" },
    { "\"mint_key\":{\"backend\":\"tpm\"},", "", "mint_key.backend" },
    { "\"tpm\"}", "\"file\"}", "mint_key.backend" },
    { "\"tpm\"}", "\"tpm\",\"module\":\"/m\"}", "mint_key" },
    { "\"tpm\"}", "\"pkcs11\",\"token\":\"t\",\"pin_file\":\"/p\"}", "mint_key.module" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"m.so\",\"token\":\"t\",\"pin_file\":\"/p\"}", "mint_key.module" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"pin_file\":\"/p\"}", "mint_key.token" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"123456789012345678901234567890123\",\"pin_file\":\"/p\"}",
        "mint_key.token" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"a\\tb\",\"pin_file\":\"/p\"}", "mint_key.token" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\"}", "mint_key.pin_file" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin_file\":\"p\"}", "mint_key.pin_file" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin_file\":\"credential:\"}", "mint_key.pin_file" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin_file\":\"credential:..\"}", "mint_key.pin_file" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin_file\":\"credential:a/b\"}", "mint_key.pin_file" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin\":\"1234\",\"pin_file\":\"/p\"}", "mint_key" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin_file\":\"/p\",\"label\":\"\"}", "mint_key.label" },
    { "\"tpm\"}", "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin_file\":\"/p\",\"sessions\":17}", "mint_key.sessions" },
    { "\"tpm\"}",
        "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin_file\":\"/p\"},\"tpm\":{\"handles\":{\"mint\":\"0x81000001\"}}",
        "tpm.handles.mint" },
    { "\"tpm\"}",
        "\"pkcs11\",\"module\":\"/m\",\"token\":\"t\",\"pin_file\":\"/p\"},\"tpm\":{\"handles\":{\"mint_other\":"
        "\"0x81000001\"}}",
        "tpm.handles.mint_other" },
    { "{\"domain\"", "{\"tpm\":{\"measured_pcr\":16},\"domain\"", "tpm.measured_pcr" },
    { "{\"domain\"", "{\"tpm\":{\"measured_pcr\":21},\"domain\"", "tpm.measured_pcr" },
    { "{\"domain\"", "{\"tpm\":{\"measured_pcr\":23},\"domain\"", "tpm.measured_pcr" },
    { "{\"domain\"", "{\"tpm\":{\"measured_pcr\":-1},\"domain\"", "tpm.measured_pcr" },
    { "{\"domain\"", "{\"tpm\":{\"epoch_pcr\":16},\"domain\"", "tpm.epoch_pcr" },
    { "{\"domain\"", "{\"tpm\":{\"epoch_pcr\":22},\"domain\"", "tpm.epoch_pcr" },
    { "{\"domain\"", "{\"tpm\":{\"epoch_pcr\":12},\"domain\"", "tpm.epoch_pcr: another" },
    { "{\"domain\"", "{\"tpm\":{\"firmware_log\":\"log\"},\"domain\"", "tpm.firmware_log" },
    { "{\"domain\"", "{\"tpm\":{\"ima_log\":\"\"},\"domain\"", "tpm.ima_log" },
    { "{\"domain\"", "{\"tpm\":{\"nv\":[]},\"domain\"", "tpm.nv" },
    { "{\"domain\"", "{\"tpm\":{\"nv\":{\"other\":1}},\"domain\"", "tpm.nv" },
    { "{\"domain\"", "{\"tpm\":{\"nv\":{\"epoch\":\"0x01c00002\"}},\"domain\"", "tpm.nv.epoch" },
    { "{\"domain\"", "{\"tpm\":{\"nv\":{\"anchor\":\"0x81000001\"}},\"domain\"", "tpm.nv.anchor" },
    { "{\"domain\"", "{\"tpm\":{\"nv\":{\"anchor\":\"0x01500a01\"}},\"domain\"", "tpm.nv: two" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"pin\":\"0x81000a05\"}},\"domain\"", "tpm.handles: distinct" },
    { "{\"domain\"", "{\"tpm\":{\"handles\":{\"mint_other\":\"0x81000a03\"}},\"domain\"", "tpm.handles: distinct" },
    { "{\"domain\"", "{\"limits\":{\"anchor_every\":0},\"domain\"", "limits.anchor_every" },
    { POLICY, REVOCATION, "pinned.policy: a P-256 key" },
    { "\"policy\":" POLICY ",", "", "pinned.policy" },
    { "\"y\":\"T-", "\"y\":\"U-", "pinned.policy" },
    { "\"kty\":\"OKP\",", "\"kty\":\"OKP\",\"d\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",", "pinned.revocation" },
    { "\"pinned\":{", "\"pinned\":{\"other\":1,", "pinned" },
    { "\"targets\":{\"t\":" TARGET "}", "\"targets\":{}", "targets" },
    { "\"targets\":{\"t\":" TARGET "}", "\"targets\":[]", "targets" },
    { ",\"targets\":{\"t\":" TARGET "}", "", "targets" },
    { "{\"t\":", "{\"a b\":", "targets: a name" },
    { "{\"t\":", "{\"12345678901234567890123456789012345678901234567890123456789012345\":", "targets: a name" },
    { "{\"t\":{", "{\"t\":[", "not JSON" },
    { "\"http\"", "\"ftp\"", "targets.*.kind" },
    { "https://h:8443/d/", "http://h:8443/d/", "targets.*.prefix" },
    { "https://h:8443/d/", "https://h:8443/d", "targets.*.prefix" },
    { "https://h:8443/d/", "https://h:8443", "targets.*.prefix" },
    { "https://h:8443/d/", "https:///d/", "targets.*.prefix" },
    { "https://h:8443/d/", "https://u@h/d/", "targets.*.prefix" },
    { "https://h:8443/d/", "https://*/d/", "targets.*.prefix" },
    { "https://h:8443/d/", "https://h:0/d/", "targets.*.prefix" },
    { "https://h:8443/d/", "https://h:65536/d/", "targets.*.prefix" },
    { "https://h:8443/d/", "https://h:/d/", "targets.*.prefix" },
    { "https://h:8443/d/", "https://h/d/../e/", "targets.*.prefix" },
    { "https://h:8443/d/", "https://h/d//", "targets.*.prefix" },
    { "https://h:8443/d/", "https://h/d?x=/", "targets.*.prefix" },
    { "\"docs\"", "\"do cs\"", "targets.*.audience" },
    { "\"/ca.pem\"", "\"ca.pem\"", "targets.*.ca" },
    { "\"/ca.pem\"", "\"/ca.pem\",\"insecure\":true", "targets.*: " },
    { "\"/ca.pem\"", "\"/ca.pem\",\"timeout_ms\":99", "targets.*.timeout_ms" },
    { "\"/ca.pem\"", "\"/ca.pem\",\"settle_ms\":-1", "targets.*.settle_ms" },
    { "\"/ca.pem\"", "\"/ca.pem\",\"answer_bytes\":0", "targets.*.answer_bytes" },
    { "\"/ca.pem\"", "\"/ca.pem\",\"fence\":1", "targets.*.fence" },
    { "\"/ca.pem\"", "\"/ca.pem\",\"fence\":{}", "targets.*.fence.listen" },
    { "\"/ca.pem\"", "\"/ca.pem\",\"fence\":{\"x\":1}", "targets.*.fence: " },
};

static void refusals(struct checks *t)
{
    for (unsigned i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct change *change = &changes[i];
        AUTO_BUF text = BUF(CONFIG_MAX), name = BUF(4096);
        struct config *c = NULL;
        const char *where, *at = strstr(SMALL, change->part);
        bool made = at && is_ok(buf_put(&text, (struct span){ (const uint8_t *)SMALL, (size_t)(at - SMALL) })) &&
                    is_ok(buf_text(&text, change->by)) && is_ok(buf_text(&text, at + strlen(change->part))) &&
                    is_ok(buf_u8(&text, 0)) && is_ok(buf_printf(&name, "refused: %s", change->by[0] ? change->by : change->part)) &&
                    is_ok(buf_u8(&name, 0));
        result r = made ? parse((char *)text.p, &c, &where) : OK;
        bool said = made && code_of(r) == E_no_config && !strncmp(where, change->where, strlen(change->where));
        check_that(t, said, made ? (char *)name.p : change->part);
        if (made && !said)
            printf("# %s: %s, wanted %s\n", code_name(code_of(r)), where, change->where);
        config_free(c);
    }
}

#define CLUSTER                                                                                                      \
    "{\"kind\":\"kubernetes\",\"prefix\":\"https://c.example:6443/\",\"audience\":\"https://c\",\"ca\":\"/ca.pem\"," \
    "\"issuer\":\"https://keys.example/seb\"}"
#define TEN "1234567890"
#define NINETY TEN TEN TEN TEN TEN TEN TEN TEN TEN
static const struct {
    const char *part, *by, *where; /* where NULL: it is read */
} cluster_changes[] = {
    { "}", "}", NULL },
    { "}", ",\"mapping\":\"extra\"}", NULL },
    { "}", ",\"mapping\":\"groups\"}", NULL },
    { "}", ",\"mapping\":\"none\"}", "targets.*.mapping: extra or groups; a cluster that can map" },
    { "}", ",\"mapping\":\"\"}", "targets.*.mapping" },
    { "}", ",\"mapping\":true}", "targets.*.mapping" },
    { "}", ",\"fence\":{}}", "targets.*: " },
    { "}", ",\"insecure\":true}", "targets.*: " },
    { "kubernetes", "http", "targets.*: " },
    { "kubernetes", "Kubernetes", "targets.*.kind" },
    { "kubernetes", "kubernetes-the-second", "targets.*.kind" },
    { "\"kind\":\"kubernetes\",", "", "targets.*.kind" },
    { ",\"issuer\":\"https://keys.example/seb\"", "", "targets.*.issuer" },
    { "https://keys.example/seb", "https://keys.example", NULL },
    { "https://keys.example/seb", "https://keys.example:8443/a/b", NULL },
    { "https://keys.example/seb", "https://keys.example/", "targets.*.issuer" },
    { "https://keys.example/seb", "http://keys.example", "targets.*.issuer" },
    { "https://keys.example/seb", "https://u@keys.example", "targets.*.issuer" },
    { "https://keys.example/seb", "https://keys.example/a?b", "targets.*.issuer" },
    { "https://keys.example/seb", "https://keys.example/../b", "targets.*.issuer" },
    { "https://keys.example/seb", "https://", "targets.*.issuer" },
    { "https://keys.example/seb", "https://keys.example/" NINETY NINETY, "targets.*.issuer" }, /* of 201 bytes */
    { "https://keys.example/seb", "https://keys.example/" NINETY "/" TEN TEN TEN TEN TEN TEN TEN TEN "12345678",
        NULL }, /* of 200 */
    { "https://c.example:6443/", "https://c.example:6443/k8s/", "targets.*.prefix: https://host[:port]/, the API server" },
    { "https://c.example:6443/", "https://c.example:6443", "targets.*.prefix" },
    { "https://c.example:6443/", "http://c.example:6443/", "targets.*.prefix" },
    { "https://c.example:6443/", "https://[fd00::1]:6443/", NULL },
};

static void clusters(struct checks *t)
{
    for (unsigned i = 0; i < sizeof cluster_changes / sizeof *cluster_changes; i++) {
        AUTO_BUF text = BUF(CONFIG_MAX);
        struct config *c = NULL;
        const char *where, *target = strstr(SMALL, TARGET), *at = strstr(CLUSTER, cluster_changes[i].part);
        bool made = at && is_ok(buf_put(&text, (struct span){ (const uint8_t *)SMALL, (size_t)(target - SMALL) })) &&
                    is_ok(buf_put(&text, (struct span){ (const uint8_t *)CLUSTER, (size_t)(at - CLUSTER) })) &&
                    is_ok(buf_text(&text, cluster_changes[i].by)) && is_ok(buf_text(&text, at + strlen(cluster_changes[i].part))) &&
                    is_ok(buf_text(&text, target + strlen(TARGET))) && is_ok(buf_u8(&text, 0));
        result r = made ? parse((char *)text.p, &c, &where) : fail(E_no_memory);
        const char *wanted = cluster_changes[i].where;
        bool right = wanted ? code_of(r) == E_no_config && !strncmp(where, wanted, strlen(wanted)) : is_ok(r);
        check_that(t, right, cluster_changes[i].by[0] ? cluster_changes[i].by : cluster_changes[i].part);
        if (made && !right)
            printf("# %s: %s\n", code_name(code_of(r)), where);
        if (c && wanted == NULL)
            check_that(t,
                c->target[0].issuer[0] == 'h' && c->target[0].groups == !!strstr(cluster_changes[i].by, "\"groups\"") &&
                    !c->target[0].has_fence,
                "with its issuer and mapping");
        config_free(c);
    }
}

/* Each of these, one of another kind of value, is refused as a member of a whole fence. */
static void fences(struct checks *t)
{
    static const char *const names[] = { "listen", "backend", "certificate", "backend_ca", "backend_certificate", "directory",
        "runtime_socket" };
    static const char *const bad[] = { "h", "*:1", "c.pem", "x/../y", "c/", "/a b", "sock" };
    for (unsigned wrong = 0; wrong <= 7; wrong++) {
        AUTO_BUF text = BUF(CONFIG_MAX);
        struct config *c = NULL;
        const char *where;
        const char *at = strstr(SMALL, "\"/ca.pem\"") + 9;
        bool made = is_ok(buf_put(&text, (struct span){ (const uint8_t *)SMALL, (size_t)(at - SMALL) })) &&
                    is_ok(buf_text(&text, ",\"fence\":{"));
        for (unsigned i = 0; i < 7; i++)
            made = made && is_ok(buf_printf(&text, "%s\"%s\":\"%s\"", i ? "," : "", names[i],
                               i == wrong ? bad[i]
                               : i < 2    ? "[::1]:8443"
                                          : "/f/x"));
        made = made && is_ok(buf_text(&text, "}")) && is_ok(buf_text(&text, at)) && is_ok(buf_u8(&text, 0));
        result r = made ? parse((char *)text.p, &c, &where) : OK;
        if (wrong == 7)
            check_code(t, r, E_ok, "a whole fence is read");
        else
            check_that(t,
                code_of(r) == E_no_config && !strncmp(where, "targets.*.fence.", 16) &&
                    !strncmp(where + 16, names[wrong], strlen(names[wrong])),
                names[wrong]);
        config_free(c);
    }
}

static void cut(struct checks *t)
{
    bool refused = true;
    for (size_t n = 0; n < strlen(SMALL); n++) {
        struct config *c = NULL;
        const char *where = NULL;
        uint8_t *copy = malloc(n ? n : 1); /* exactly so long, for the sanitizer to see a read beyond */
        if (!copy || (n && !is_ok(span_copy((struct span){ (const uint8_t *)SMALL, n }, copy, n))))
            refused = false;
        else
            refused = refused && code_of(config_parse((struct span){ copy, n }, &c, &where)) == E_no_config && where;
        config_free(c);
        free(copy);
    }
    check_that(t, refused, "cut anywhere, it is refused");
}

static void files(struct checks *t, const char *dir)
{
    AUTO_BUF path = BUF(200);
    struct config *c = NULL;
    const char *where = "";
    if (!is_ok(buf_printf(&path, "%s/sebd.json", dir)) || !is_ok(buf_u8(&path, 0)))
        return;
    const char *file = (char *)path.p;
    result r = config_load(file, &c, &where);
    check_that(t, code_of(r) == E_no_config && foreign_of(r) == FOREIGN_ERRNO, "a missing file is named with its errno");
    check_code(t, file_write(file, span_text(SMALL), 0644, false), E_ok, "a file is written");
    check_code(t, config_load(file, &c, &where), E_ok, "and read");
    config_free(c);
    c = NULL;
    chmod(file, 0664);
    check_code(t, config_load(file, &c, &where), E_no_config, "one that a group may write is refused");
    check_code(t, config_load(dir, &c, &where), E_no_config, "a folder is refused");
}

/* Keys that were: kept, each once, the oldest mint key making room. */
static void retired(struct checks *t, const struct config *c, const struct instance *before)
{
    struct instance i = { .key = { c->policy_key, c->revocation_key, c->policy_key }, .mint_epoch = 8 }, read;
    snprintf(i.domain, sizeof i.domain, "%s", before->domain);
    snprintf(i.instance, sizeof i.instance, "%s", before->instance);
    check_code(t, instance_retire(&i, 1, c->policy_key), E_ok, "a record key is retired");
    check_code(t, instance_retire(&i, 1, c->policy_key), E_ok, "again");
    check_code(t, instance_retire(&i, 2, c->policy_key), E_ok, "and so is a mint key");
    check_code(t, instance_retire(&i, INSTANCE_ROLES, c->policy_key), E_bad_value, "but no key of another role");
    check_that(t, i.retired_n == 2, "each is kept once");
    check_code(t, instance_update(c, &i), E_ok, "an instance is changed");
    check_code(t, instance_load(c, &read), E_ok, "and read");
    check_that(t,
        read.mint_epoch == 8 && read.retired_n == 2 && read.retired[0].role == 1 && read.retired[1].role == 2 &&
            pubkey_equal(read.retired[1].key, c->policy_key),
        "as it is now");
    instance_free(&read);
    while (i.retired_n < INSTANCE_RETIRED) {
        i.retired[i.retired_n].role = 0;
        i.retired[i.retired_n++].key = pubkey_hold(c->policy_key);
    }
    check_code(t, instance_retire(&i, 1, c->revocation_key), E_ok, "the oldest mint key makes room");
    check_that(t, i.retired_n == INSTANCE_RETIRED && i.retired[INSTANCE_RETIRED - 1].role == 1 && i.retired[1].role == 0, "for it");
    check_code(t, instance_retire(&i, 2, c->revocation_key), E_too_long, "where there is none, nothing is forgotten");
    i.key[0] = i.key[1] = i.key[2] = NULL; /* borrowed */
    instance_free(&i);
    check_code(t, instance_update(c, before), E_ok, "back to what was");
}

static void instances(struct checks *t, const char *dir)
{
    struct config *c = NULL;
    const char *where;
    struct instance read = { .key = { NULL } };
    bool made = false;
    if (!is_ok(parse(SMALL, &c, &where)))
        return;
    snprintf(c->state_dir, sizeof c->state_dir, "%s", dir);
    struct instance i = {
        .domain = "d", .instance = "i", .key = { c->policy_key, c->revocation_key, c->policy_key }, .mint_epoch = 7
    };
    check_code(t, instance_load(c, &read), E_key_missing, "without init there is no instance");
    check_that(t, is_ok(instance_write(c, &i, &made)) && made, "an instance is written");
    check_that(t, is_ok(instance_write(c, &i, &made)) && !made, "written again it changes nothing");
    check_code(t, instance_load(c, &read), E_ok, "it is read");
    check_that(t,
        read.key[2] && pubkey_equal(read.key[0], c->policy_key) && pubkey_equal(read.key[1], c->revocation_key) &&
            !strcmp(read.instance, "i") && read.mint_epoch == 7 && read.retired_n == 0,
        "as it was");
    instance_free(&read);
    retired(t, c, &i);
    i.key[2] = c->revocation_key;
    check_code(t, instance_write(c, &i, &made), E_exists, "another is never written over it");
    snprintf(c->instance, sizeof c->instance, "j");
    check_code(t, instance_load(c, &read), E_key_mismatch, "another instance's isn't read");
    config_free(c);
}

static void places(struct checks *t, const char *dir)
{
    struct config *c = NULL;
    const char *where = "";
    int fd = -1, second = -1;
    if (!is_ok(parse(SMALL, &c, &where)))
        return;
    snprintf(c->state_dir, sizeof c->state_dir, "%s/state", dir);
    snprintf(c->run_dir, sizeof c->run_dir, "%s/run", dir);
    umask(077);
    check_code(t, place_make(c, &where), E_ok, "folders are made");
    struct stat run, state;
    check_that(t,
        !stat(c->run_dir, &run) && (run.st_mode & 0777) == 0755 && !stat(c->state_dir, &state) && (state.st_mode & 0777) == 0700,
        "with their modes, whatever the umask");
    check_code(t, place_make(c, &where), E_ok, "and found again");
    check_code(t, place_lock(c, 0, &fd), E_ok, "the lock is taken");
    check_code(t, place_lock(c, 0, &second), E_locked, "once");
    close(fd);
    check_code(t, place_lock(c, 0, &second), E_ok, "and free after it was closed");
    close(second);
    chmod(c->state_dir, 0750);
    check_code(t, place_make(c, &where), E_no_config, "a state_dir that others read is refused");
    chmod(c->state_dir, 0700);
    chmod(c->run_dir, 0777);
    check_code(t, place_make(c, &where), E_no_config, "a run_dir that others write is refused");
    rmdir(c->state_dir);
    chmod(c->run_dir, 0755);
    check_that(t, !symlink(c->run_dir, c->state_dir) && !is_ok(place_make(c, &where)), "a symbolic link is refused");
    config_free(c);
}

int main(void)
{
    struct checks t = { 0 };
    char dir[] = "/tmp/seb-config-XXXXXX";
    defaults(&t);
    example(&t);
    refusals(&t);
    clusters(&t);
    fences(&t);
    cut(&t);
    if (mkdtemp(dir)) {
        files(&t, dir);
        instances(&t, dir);
        places(&t, dir);
    }
    AUTO_BUF remove = BUF(100);
    if (!is_ok(buf_printf(&remove, "rm -rf %s", dir)) || !is_ok(buf_u8(&remove, 0)) || system((char *)remove.p))
        printf("# %s is left\n", dir);
    return checks_end(&t);
}
