#include <config.h>

#include "check.h"
#include "testkey.h"
#include "fence/haproxy.h"

#include <stdio.h>

struct room {
    struct checks checks;
    struct config config;
    const struct pubkey *key;
    int64_t rate;
};

static struct config world(void)
{
    return (struct config){
        .domain = "d.example",
        .instance = "one",
        .targets = 1,
        .target = { {
            .name = "docs",
            .kind = "http",
            .prefix = "https://docs.example:8443/d/",
            .audience = "docs",
            .has_fence = true,
            .fence = {
                .listen = "*:8443",
                .backend = "service.example:443",
                .certificate = "/etc/fence/front.pem",
                .backend_ca = "/etc/fence/ca.crt",
                .backend_certificate = "/etc/fence/fence.pem",
                .directory = "/etc/fence",
                .runtime_socket = "/run/fence/haproxy.sock",
            },
        } },
    };
}

static result print(struct room *r, struct buf *out)
{
    const char *where = NULL;
    result done = fence_haproxy(
        &(struct fence_haproxy_args){
            .config = &r->config, .target = &r->config.target[0], .keys = &r->key, .keys_n = 1, .rate = r->rate },
        out, &where);
    if (!is_ok(done))
        check_that(&r->checks, where != NULL, "it says where");
    return done;
}

static bool has(struct span text, const char *line)
{
    struct span l = span_text(line);
    for (size_t at = 0; at < text.n; at = span_find(text, at, '\n') + 1)
        if (span_equal(span_part(text, at, l.n), l))
            return true;
    return false;
}

static void test_words(struct room *r)
{
    AUTO_BUF out = BUF(FENCE_TEXT_MAX);
    check_code(&r->checks, print(r, &out), E_ok, "the usual words");
    struct span text = buf_span(&out);
    check_that(&r->checks, has(text, "  bind *:8443 ssl crt /etc/fence/front.pem alpn http/1.1 ssl-min-ver TLSv1.2\n"),
        "where it listens");
    check_that(&r->checks, has(text, "  stick-table type string len 44 size 65000 expire 65s nopurge store gpc0,gpt0 peers seb\n"),
        "rate times lifetime");
    check_that(&r->checks,
        has(text, "  server service service.example:443 ssl verify required ca-file /etc/fence/ca.crt crt /etc/fence/fence.pem "
                  "verifyhost service.example ssl-min-ver TLSv1.2\n"),
        "the service's identity is verified");
    check_that(&r->checks, has(text, "  tune.bufsize 49152\n"), "a buffer that holds the largest call");
}

/* Text that would be more than a word in HAProxy's configuration, put in each place that is printed. */
static void test_injection(struct room *r)
{
    static const char *const bad[] = { "", "a b", "a\nserver x evil:1", "a\tb", "a#b", "a\"b", "a'b", "a\\b", "a$HOME", "a{b",
        "a}b", "a%[b", "a;b", "a|b", "a\x7f", "\xc3\xa9" };
    struct {
        char *at;
        size_t n;
        const char *name, *before;
    } places[] = {
        { r->config.domain, sizeof r->config.domain, "domain", "" },
        { r->config.instance, sizeof r->config.instance, "instance", "" },
        { r->config.target[0].audience, sizeof r->config.target[0].audience, "audience", "" },
        { r->config.target[0].fence.listen, 128, "listen", "" },
        { r->config.target[0].fence.backend, 128, "backend", "" },
        { r->config.target[0].fence.certificate, 256, "certificate", "/" },
        { r->config.target[0].fence.backend_ca, 256, "backend_ca", "/" },
        { r->config.target[0].fence.backend_certificate, 256, "backend_certificate", "/" },
        { r->config.target[0].fence.directory, 256, "directory", "/" },
        { r->config.target[0].fence.runtime_socket, 256, "runtime_socket", "/" },
    };
    char name[128];
    for (unsigned p = 0; p < sizeof places / sizeof *places; p++) {
        for (unsigned b = 0; b < sizeof bad / sizeof *bad; b++) {
            AUTO_BUF out = BUF(FENCE_TEXT_MAX);
            r->config = world();
            if (places[p].before[0] && !bad[b][0])
                continue; /* "/" is a path */
            snprintf(places[p].at, places[p].n, "%s%s", places[p].before, bad[b]);
            snprintf(name, sizeof name, "%s, number %u", places[p].name, b);
            check_code(&r->checks, print(r, &out), E_no_config, name);
            check_that(&r->checks, out.n == 0, "nothing is printed");
        }
    }
    r->config = world();
}

static void test_limits(struct room *r)
{
    static const char *const prefixes[] = { "https://docs.example/d'/", "https://docs.example/d", "http://docs.example/",
        "https://h/a b/", "https://h/a\"b/", "https://h/a\nb/", "" };
    for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        AUTO_BUF out = BUF(FENCE_TEXT_MAX);
        snprintf(r->config.target[0].prefix, sizeof r->config.target[0].prefix, "%s", prefixes[i]);
        check_code(&r->checks, print(r, &out), E_no_config, "a prefix that can't be written");
    }
    r->config = world();
    AUTO_BUF out = BUF(FENCE_TEXT_MAX);
    r->config.target[0].has_fence = false;
    check_code(&r->checks, print(r, &out), E_no_config, "a target without a fence");
    r->config = world();
    snprintf(r->config.target[0].fence.directory, 256, "/%080d", 0);
    check_code(&r->checks, print(r, &out), E_no_config, "a directory too long for its socket");
    r->config = world();
    r->rate = 0;
    check_code(&r->checks, print(r, &out), E_no_config, "no rate");
    r->rate = FENCE_RATE_MAX + 1;
    check_code(&r->checks, print(r, &out), E_no_config, "a rate beyond its maximum");
    r->rate = 1000;
}

int main(void)
{
    static struct room r; /* a config is large */
    struct testkey *es256 = testkey_new(ALG_ES256), *eddsa = testkey_new(ALG_EDDSA);
    r.config = world();
    r.rate = 1000;
    r.key = testkey_public(es256);
    test_words(&r);
    test_injection(&r);
    test_limits(&r);
    AUTO_BUF out = BUF(FENCE_TEXT_MAX);
    r.key = testkey_public(eddsa);
    check_code(&r.checks, print(&r, &out), E_no_config, "a key that HAProxy can't verify with");
    testkey_free(es256);
    testkey_free(eddsa);
    return checks_end(&r.checks);
}
