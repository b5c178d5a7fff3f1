#include "config.h"

#include "merkle/merkle.h"
#include "merkle/tiles.h"

#include "check.h"

#define LEAVES 70
#define LEVELS 8

/* All complete subtrees of a tree of LEAVES leaves. */
struct tree {
    struct digest hash[LEVELS][LEAVES];
    uint64_t size;
    struct digest root[LEAVES + 1];
};

static result node_of(void *ctx, unsigned level, uint64_t index, struct digest *ret)
{
    const struct tree *t = ctx;
    if (level >= LEVELS || index >= t->size >> level)
        return fail(E_not_found);
    *ret = t->hash[level][index];
    return OK;
}

static void grow(struct tree *t, struct frontier *f, struct span entry)
{
    struct merkle_subtree done[MERKLE_LEVELS];
    struct digest leaf = merkle_leaf(entry);
    unsigned n;
    frontier_append(f, &leaf, done, &n);
    for (unsigned i = 0; i < n; i++)
        t->hash[done[i].level][done[i].index] = done[i].hash;
    t->size = f->size;
    t->root[f->size] = frontier_root(f);
}

static struct digest from_hex(const char *text)
{
    struct digest d = { 0 };
    AUTO_BUF b = BUF(DIGEST_SIZE);
    if (!is_ok(hex_read(span_text(text), &b)) || !is_ok(span_copy(buf_span(&b), d.b, DIGEST_SIZE)))
        printf("not ok - vector %s\n", text);
    return d;
}

static bool proof_is(const struct merkle_proof *p, const char *const *hex)
{
    unsigned n = 0;
    for (; hex[n]; n++) {
        struct digest want = from_hex(hex[n]);
        if (n >= p->n || !digest_equal(&want, &p->hash[n]))
            return false;
    }
    return n == p->n;
}

/* The tree that Certificate Transparency's implementations test with (RFC 6962's hashing, which RFC 9162 keeps). */
static const char *const ct_leaves[] = { "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f" };
static const char *const ct_roots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};
#define CT_A "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
#define CT_B "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
#define CT_C "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
#define CT_D "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
#define CT_E "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
#define CT_F "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
static const struct {
    uint64_t index, size;
    const char *const *path;
} ct_inclusion[] = {
    { 0, 1, (const char *const[]){ NULL } },
    { 0, 8, (const char *const[]){ CT_A, CT_B, CT_C, NULL } },
    { 5, 8, (const char *const[]){ CT_D, CT_E, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7", NULL } },
    { 2, 3, (const char *const[]){ "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125", NULL } },
    { 1, 5, (const char *const[]){ "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", CT_B, CT_D, NULL } },
}, ct_consistency[] = {
    { 1, 1, (const char *const[]){ NULL } },
    { 1, 8, (const char *const[]){ CT_A, CT_B, CT_C, NULL } },
    { 6, 8, (const char *const[]){ CT_F, CT_E, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7", NULL } },
    { 2, 5, (const char *const[]){ CT_B, CT_D, NULL } },
};

static void test_known_vectors(struct checks *c)
{
    struct tree t = { 0 };
    struct frontier f = { 0 };
    struct merkle_source s = { node_of, &t };
    bool roots = true, paths = true;
    t.root[0] = frontier_root(&f);
    for (unsigned i = 0; i < 8; i++) {
        AUTO_BUF leaf = BUF(64);
        roots &= is_ok(hex_read(span_text(ct_leaves[i]), &leaf));
        grow(&t, &f, buf_span(&leaf));
    }
    for (unsigned i = 0; i <= 8; i++) {
        struct digest want = from_hex(ct_roots[i]);
        roots &= digest_equal(&want, &t.root[i]);
    }
    check_that(c, roots, "roots of the known tree of eight leaves");
    for (unsigned i = 0; i < sizeof(ct_inclusion) / sizeof(ct_inclusion[0]); i++) {
        struct merkle_proof p;
        paths &= is_ok(merkle_inclusion(&s, ct_inclusion[i].index, ct_inclusion[i].size, &p)) && proof_is(&p, ct_inclusion[i].path);
    }
    check_that(c, paths, "its known inclusion proofs");
    for (unsigned i = 0; i < sizeof(ct_consistency) / sizeof(ct_consistency[0]); i++) {
        struct merkle_proof p;
        paths &= is_ok(merkle_consistency(&s, ct_consistency[i].index, ct_consistency[i].size, &p)) &&
                 proof_is(&p, ct_consistency[i].path);
    }
    check_that(c, paths, "its known consistency proofs");
}

/* RFC 9162 section 2.1.1, word for word: MTH(D_n) by recursion over the leaves, as another way to the same root. */
static struct digest root_by_definition(const struct digest *leaf, uint64_t n)
{
    if (n == 0)
        return sha256((struct span){ NULL, 0 });
    if (n == 1)
        return leaf[0];
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    struct digest left = root_by_definition(leaf, k), right = root_by_definition(leaf + k, n - k);
    return merkle_node(&left, &right);
}

static void fill(struct tree *t)
{
    struct frontier f = { 0 };
    t->root[0] = frontier_root(&f);
    for (unsigned i = 0; i < LEAVES; i++) {
        uint8_t entry[2] = { (uint8_t)i, 7 };
        grow(t, &f, SPAN(entry));
    }
}

static void test_all_sizes(struct checks *c, struct tree *t)
{
    struct merkle_source s = { node_of, t };
    bool roots = true, frontiers = true, inclusion = true, consistency = true;
    for (uint64_t n = 0; n <= LEAVES; n++) {
        struct digest want = root_by_definition(t->hash[0], n), root;
        struct frontier f;
        struct merkle_proof p;
        roots &= digest_equal(&want, &t->root[n]) && is_ok(merkle_root(&s, n, &root)) && digest_equal(&want, &root);
        frontiers &= is_ok(merkle_frontier(&s, n, &f)) && is_ok(frontier_check(&f)) && f.size == n;
        for (uint64_t i = 0; i < n; i++)
            inclusion &= is_ok(merkle_inclusion(&s, i, n, &p)) && is_ok(merkle_verify_inclusion(&t->hash[0][i], i, n, &p, &want));
        for (uint64_t m = 0; m <= n; m++)
            consistency &=
                is_ok(merkle_consistency(&s, m, n, &p)) && is_ok(merkle_verify_consistency(m, &t->root[m], n, &want, &p));
    }
    check_that(c, roots, "frontier and nodes give the root that the definition gives, for every size");
    check_that(c, frontiers, "a frontier rebuilt from nodes is well-formed, for every size");
    check_that(c, inclusion, "every leaf is proved in every size");
    check_that(c, consistency, "every size is proved consistent with every later one");
}

/* Every flip of a bit, every cut and every hash too many is refused; so is a proof for another place. */
static void test_forged_inclusion(struct checks *c, struct tree *t)
{
    struct merkle_source s = { node_of, t };
    struct merkle_proof p;
    bool flips = true, lengths = true, places = true;
    for (uint64_t n = 1; n <= 20; n++)
        for (uint64_t i = 0; i < n && is_ok(merkle_inclusion(&s, i, n, &p)); i++) {
            const struct digest *leaf = &t->hash[0][i], *root = &t->root[n];
            for (unsigned bit = 0; bit < p.n * 256; bit++) {
                struct merkle_proof bad = p;
                bad.hash[bit / 256].b[bit % 256 / 8] ^= (uint8_t)(1 << bit % 8);
                flips &= code_of(merkle_verify_inclusion(leaf, i, n, &bad, root)) == E_bad_proof;
            }
            struct merkle_proof other = p;
            for (other.n = 0; other.n < MERKLE_LEVELS * 2; other.n++)
                lengths &= other.n == p.n || code_of(merkle_verify_inclusion(leaf, i, n, &other, root)) == E_bad_proof;
            for (uint64_t j = 0; j < 24; j++)
                places &= j == i || code_of(merkle_verify_inclusion(leaf, j, n, &p, root)) == E_bad_proof;
        }
    check_that(c, flips, "an inclusion proof with one bit changed is refused");
    check_that(c, lengths, "an inclusion proof cut or prolonged is refused");
    check_that(c, places, "an inclusion proof serves no other place");
}

static void test_forged_consistency(struct checks *c, struct tree *t)
{
    struct merkle_source s = { node_of, t };
    struct merkle_proof p;
    bool flips = true, lengths = true, roots = true;
    for (uint64_t n = 1; n <= 20; n++)
        for (uint64_t m = 1; m < n && is_ok(merkle_consistency(&s, m, n, &p)); m++) {
            const struct digest *old = &t->root[m], *new = &t->root[n], *wrong = &t->root[LEAVES];
            for (unsigned bit = 0; bit < p.n * 256; bit++) {
                struct merkle_proof bad = p;
                bad.hash[bit / 256].b[bit % 256 / 8] ^= (uint8_t)(1 << bit % 8);
                flips &= code_of(merkle_verify_consistency(m, old, n, new, &bad)) == E_bad_proof;
            }
            struct merkle_proof other = p;
            for (other.n = 0; other.n < MERKLE_LEVELS * 2; other.n++)
                lengths &= other.n == p.n || code_of(merkle_verify_consistency(m, old, n, new, &other)) == E_bad_proof;
            roots &= code_of(merkle_verify_consistency(m, wrong, n, new, &p)) == E_bad_proof;
            roots &= code_of(merkle_verify_consistency(m, old, n, wrong, &p)) == E_bad_proof;
        }
    check_that(c, flips, "a consistency proof with one bit changed is refused");
    check_that(c, lengths, "a consistency proof cut or prolonged is refused");
    check_that(c, roots, "a consistency proof serves no other root");
}

static void test_edges(struct checks *c, struct tree *t)
{
    struct merkle_source s = { node_of, t };
    struct merkle_proof p = { 0 };
    struct frontier f = { .size = 5, .n = 3 };
    check_code(c, merkle_inclusion(&s, 5, 5, &p), E_bad_value, "no inclusion proof beyond the size");
    check_code(c, merkle_consistency(&s, 6, 5, &p), E_bad_value, "no consistency proof backwards");
    check_code(c, merkle_inclusion(&s, 0, LEAVES * 2, &p), E_not_found, "a source's failure is handed on");
    check_code(
        c, merkle_verify_inclusion(&t->hash[0][0], 5, 5, &p, &t->root[5]), E_bad_proof, "an index beyond the size is refused");
    check_code(c, merkle_verify_consistency(3, &t->root[3], 2, &t->root[2], &p), E_bad_proof, "a shrinking log is refused");
    check_code(c, merkle_verify_consistency(3, &t->root[3], 3, &t->root[4], &p), E_bad_proof, "two roots of one size are refused");
    check_code(c, merkle_verify_consistency(0, &t->root[1], 3, &t->root[3], &p), E_bad_proof,
        "an empty tree with another root is refused");
    check_code(
        c, merkle_verify_consistency(0, &t->root[0], 0, &t->root[1], &p), E_bad_proof, "an empty tree grown by nothing is refused");
    check_code(c, frontier_check(&f), E_bad_proof, "a frontier with a hash too many is refused");
    f = (struct frontier){ .size = UINT64_MAX, .n = 64 };
    check_code(c, frontier_check(&f), E_bad_proof, "a frontier that can't grow is refused");
}

static bool path_is(int level, uint64_t index, unsigned width, const char *want)
{
    char path[TILE_PATH_MAX];
    return is_ok(tile_path(level, index, width, path)) && span_is(span_text(path), want);
}

static void test_tiles(struct checks *c)
{
    char path[TILE_PATH_MAX];
    check_that(c, path_is(0, 1234067, 256, "tile/0/x001/x234/067"), "the specification's own path");
    check_that(c,
        path_is(0, 0, 1, "tile/0/000.p/1") && path_is(-1, 0, 256, "tile/entries/000") && path_is(1, 999, 255, "tile/1/999.p/255") &&
            path_is(-1, 1000, 3, "tile/entries/x001/000.p/3"),
        "paths of partial tiles and bundles");
    check_that(c, path_is(7, UINT64_MAX, 255, "tile/7/x018/x446/x744/x073/x709/x551/615.p/255"), "the longest path fits");
    check_code(c, tile_path(0, 0, 0, path), E_bad_value, "an empty tile has no path");
    check_code(c, tile_path(0, 0, 257, path), E_bad_value, "no tile is wider than 256");
    check_code(c, tile_path(8, 0, 1, path), E_bad_value, "no level above 7");
    check_that(c,
        tile_width(0, 0, 0) == 0 && tile_width(0, 0, 255) == 255 && tile_width(0, 0, 256) == 256 && tile_width(0, 1, 256) == 0 &&
            tile_width(1, 0, 255) == 0 && tile_width(1, 0, 70000) == 256 && tile_width(1, 1, 70000) == 17 &&
            tile_width(2, 0, 70000) == 1 && tile_width(-1, 273, 70000) == 112 && tile_width(-1, 274, 70000) == 0 &&
            tile_width(0, UINT64_MAX, 5) == 0,
        "widths of tiles");
}

int main(void)
{
    struct checks c = { 0 };
    static struct tree t;
    test_known_vectors(&c);
    fill(&t);
    test_all_sizes(&c, &t);
    test_forged_inclusion(&c, &t);
    test_forged_consistency(&c, &t);
    test_edges(&c, &t);
    test_tiles(&c);
    return checks_end(&c);
}
