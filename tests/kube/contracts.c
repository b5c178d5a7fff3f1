#include "config.h"

#include "tests/kube/contracts.h"

#include "tests/bench/measure.h"

#include <stdio.h>

void patch_text(const char *value, char text[PATCH_MAX])
{
    must_hold(snprintf(text, PATCH_MAX, "{\"data\":{\"v\":\"%s\"}}", value) < PATCH_MAX, "a value's length");
}

json_t *value_is(const char *value)
{
    return json_pack("{s:[{s:s, s:s}]}", "fields", "pointer", "/data/v", "value", value);
}

json_t *patch_contract(const char *target, const char *path, const char *value, json_t *preconditions)
{
    char text[PATCH_MAX], digest[DIGEST_TEXT + 1];
    patch_text(value, text);
    struct digest d = sha256(span_text(text));
    const char *risk = json_has(preconditions, "resource_version") ? "L1" : "L0";
    json_t *contract = json_pack("{s:{s:i}, s:s, s:{s:{s:i, s:s, s:s}, s:[{s:s, s:s}]}, s:o, s:s, s:s, s:s}", "constraints",
        "credential_s", 5, "operation", "patch", "parameters", "body", "length", (int)span_text(text).n, "media_type", MERGE_PATCH,
        "sha256", digest_text(&d, digest), "fields", "pointer", "/data/v", "value", value, "preconditions", preconditions,
        "resource", path, "risk", risk, "target", target);
    must_hold(contract != NULL, "a contract");
    return contract;
}
