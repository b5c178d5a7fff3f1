/* YAML that is taken is a bounded tree, the same each time; what isn't is named. And of PEM texts nothing but certificates comes
 * out. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "kube/kubeconfig.h"
#include "kube/yaml.h"

#include <stdlib.h>

static unsigned depth_of(const json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    unsigned deepest = 0, its;
    json_array_foreach (v, i, member) {
        its = depth_of(member);
        deepest = its > deepest ? its : deepest;
    }
    json_object_foreach ((json_t *)v, key, member) {
        its = depth_of(member);
        deepest = its > deepest ? its : deepest;
    }
    return json_is_array(v) || json_is_object(v) ? deepest + 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    struct span text = { data, size };
    struct trouble t = { .text = "" };
    AUTO_JSON *v = NULL, *again = NULL;
    AUTO_BUF pem = BUF(1u << 20);
    result r = yaml_read(text, &v, &t);
    if (is_ok(r) ? !v || depth_of(v) > YAML_DEPTH_MAX : v || (!t.text[0] && code_of(r) != E_no_memory))
        abort();
    for (const char *c = t.text; *c; c++)
        if (*c < ' ' || *c > '~')
            abort();
    if (code_of(yaml_read(text, &again, &t)) != code_of(r) || (v && !json_equal(v, again)))
        abort();
    if (is_ok(pem_certificates(text, &pem)) && !span_is(span_part(buf_span(&pem), 0, sizeof begin - 1), begin))
        abort();
    return 0;
}
