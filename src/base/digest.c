#include "config.h"

#include "base/digest.h"

#include <stdlib.h>
#include <threads.h>

#include <openssl/evp.h>

/* Fetched once: OpenSSL 3 looks an algorithm up at each use otherwise, which costs more than hashing a Merkle node. Constant
 * after that, so that all threads may share it. */
static EVP_MD *sha256_md;
static once_flag sha256_once = ONCE_FLAG_INIT;

static void fetch_sha256(void)
{
    sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256_md)
        abort();
}

struct digest sha256(struct span s)
{
    return sha256_parts(&s, 1);
}

struct digest sha256_parts(const struct span *parts, unsigned n)
{
    struct digest d = { 0 };
    call_once(&sha256_once, fetch_sha256);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    /* Going on with a digest that wasn't computed would make any two inputs equal. */
    if (!ctx || !EVP_DigestInit_ex2(ctx, sha256_md, NULL))
        abort();
    for (unsigned i = 0; i < n; i++)
        if (!EVP_DigestUpdate(ctx, parts[i].p, parts[i].n))
            abort();
    if (!EVP_DigestFinal_ex(ctx, d.b, NULL))
        abort();
    EVP_MD_CTX_free(ctx);
    return d;
}

struct hasher {
    EVP_MD_CTX *ctx;
};

static void hasher_begin(struct hasher *h)
{
    if (!EVP_DigestInit_ex2(h->ctx, sha256_md, NULL))
        abort();
}

result hasher_new(struct hasher **ret)
{
    call_once(&sha256_once, fetch_sha256);
    struct hasher *h = calloc(1, sizeof *h);
    if (!h || !(h->ctx = EVP_MD_CTX_new())) {
        free(h);
        return fail(E_no_memory);
    }
    hasher_begin(h);
    *ret = h;
    return OK;
}

void hasher_free(struct hasher *h)
{
    if (h)
        EVP_MD_CTX_free(h->ctx);
    free(h);
}

void hasher_put(struct hasher *h, struct span s)
{
    if (!EVP_DigestUpdate(h->ctx, s.p, s.n))
        abort();
}

struct digest hasher_end(struct hasher *h)
{
    struct digest d;
    if (!EVP_DigestFinal_ex(h->ctx, d.b, NULL))
        abort();
    hasher_begin(h);
    return d;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return span_equal(digest_span(a), digest_span(b));
}

bool digest_is_zero(const struct digest *d)
{
    uint8_t any = 0;
    for (unsigned i = 0; i < DIGEST_SIZE; i++)
        any |= d->b[i];
    return any == 0;
}

const char *digest_text(const struct digest *d, char text[DIGEST_TEXT + 1])
{
    b64url_chars(digest_span(d), text);
    text[DIGEST_TEXT] = 0;
    return text;
}

result digest_read(struct span text, struct digest *ret)
{
    return b64url_fixed(text, ret->b, DIGEST_SIZE);
}
