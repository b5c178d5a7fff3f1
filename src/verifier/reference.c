#include "config.h"

#include "attest/reference.h"
#include "base/clock.h"
#include "config/config.h"
#include "verifier/verifier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static result fail_errno(void)
{
    return fail_foreign(E_io, FOREIGN_ERRNO, (uint32_t)errno);
}

/* As the supervisor does before it starts them. */
static result measure(const char *path, struct digest *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno();
    result r = digest_program(fd, ret);
    close(fd);
    return r;
}

static result add(struct digests *list, const struct digest *d)
{
    for (unsigned i = 0; i < list->n; i++)
        if (digest_equal(&list->v[i], d))
            return OK;
    if (list->n >= REFERENCE_VALUES_MAX)
        return fail(E_too_long);
    list->v[list->n++] = *d;
    return OK;
}

static result executables(struct verifier_args *a, struct reference *r)
{
    const char *libexec = a->value[OPT_LIBEXEC] ? a->value[OPT_LIBEXEC] : SEB_LIBEXECDIR;
    for (unsigned i = 0; i < CEL_EXECUTABLES; i++) {
        struct digest d;
        AUTO_BUF path = BUF(4096);
        a->about = cel_executable(i);
        bool broker = span_is(span_text(cel_executable(i)), "sebd");
        if (broker && a->value[OPT_SEBD])
            TRY(buf_text(&path, a->value[OPT_SEBD]));
        else
            TRY(buf_printf(&path, "%s/%s", broker ? SEB_SBINDIR : libexec, cel_executable(i)));
        TRY(buf_u8(&path, 0));
        TRY(measure((const char *)path.p, &d));
        TRY(add(&r->executables[i], &d));
        a->about = NULL;
    }
    return OK;
}

/* The digest of a configuration is of its RFC 8785 form, and it must be one that the broker would start with. */
static result configuration(struct verifier_args *a, const char *path, struct reference *r)
{
    AUTO_BUF text = BUF(CONFIG_MAX);
    struct config *c = NULL;
    const char *where = NULL;
    a->about = path;
    TRY(file_read(path, CONFIG_MAX, &text));
    result read = config_parse(buf_span(&text), &c, &where);
    if (!is_ok(read)) {
        a->about = where;
        return read;
    }
    bool same = !r->domain[0] || span_is(span_text(r->domain), c->domain);
    result added = same ? add(&r->configuration, &c->digest) : fail(E_domain_mismatch);
    if (is_ok(added) && !r->domain[0])
        added = span_copy_text(span_text(c->domain), r->domain, sizeof r->domain);
    config_free(c);
    TRY(added);
    a->about = NULL;
    return OK;
}

/* N=HEX: a value that PCR N may have. */
static result pcr(struct verifier_args *a, const char *text, struct reference *r)
{
    struct digest d;
    AUTO_BUF value = BUF(DIGEST_SIZE);
    size_t equals = span_find(span_text(text), 0, '=');
    char *end;
    a->about = text;
    unsigned long n = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : TPM_PCRS;
    if (n >= TPM_PCRS || *end != '=' || equals == span_text(text).n)
        return fail(E_usage);
    if (!is_ok(hex_read(span_text(end + 1), &value)) || !is_ok(span_copy(buf_span(&value), d.b, DIGEST_SIZE)))
        return fail(E_usage);
    TRY(add(&r->pcrs[n], &d));
    a->about = NULL;
    return OK;
}

result verifier_reference(struct verifier_args *a)
{
    struct reference *r = calloc(1, sizeof *r);
    __attribute__((cleanup(free_pointer))) void *owned = r;
    AUTO_BUF text = BUF(REFERENCE_TEXT_MAX);
    if (!r)
        return fail(E_no_memory);
    r->iat = clock_utc_ms() / 1000;
    TRY(span_copy_text(span_text(a->value[OPT_RELEASE] ? a->value[OPT_RELEASE] : PACKAGE_VERSION), r->version, sizeof r->version));
    TRY(executables(a, r));
    for (unsigned i = 0; i < a->configs; i++)
        TRY(configuration(a, a->config[i], r));
    for (unsigned i = 0; i < a->pcrs; i++)
        TRY(pcr(a, a->pcr[i], r));
    TRY(reference_write(r, &text));
    return verifier_print(buf_span(&text));
}
