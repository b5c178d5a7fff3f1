#include "config.h"

#include "merkle/checkpoint.h"
#include "merkle/merkle.h"

#include "check.h"
#include "testkey.h"

struct fixture {
    struct testkey *key, *other, *ed25519;
    struct checkpoint checkpoint;
    struct buf note;
};

static result make_note(const struct testkey *key, const struct checkpoint *c, struct buf *out)
{
    AUTO_BUF text = BUF(NOTE_MAX);
    uint8_t raw[SIGNATURE_SIZE];
    TRY(checkpoint_text(c, &text));
    testkey_sign(key, buf_span(&text), raw);
    return checkpoint_note(c, testkey_public(key), raw, out);
}

static void test_round_trip(struct checks *c, struct fixture *f)
{
    struct checkpoint got;
    struct span text;
    AUTO_BUF want = BUF(NOTE_MAX);
    check_code(c, checkpoint_open(buf_span(&f->note), testkey_public(f->key), &got, &text), E_ok, "a note opens with its key");
    check_that(c,
        got.size == 123456789 && digest_equal(&got.root, &f->checkpoint.root) &&
            span_is(span_text(got.origin), "example.org/broker-1"),
        "it holds what was signed");
    check_code(c, checkpoint_text(&f->checkpoint, &want), E_ok, "its text is written");
    check_that(c, span_equal(text, buf_span(&want)) && text.p == f->note.p, "the text that was signed is the note's beginning");
    check_code(c, checkpoint_parse(buf_span(&f->note), &got, &text), E_ok, "it parses without a key");
}

static void test_other_keys(struct checks *c, struct fixture *f)
{
    struct checkpoint got;
    struct span text;
    check_code(c, checkpoint_open(buf_span(&f->note), testkey_public(f->other), &got, &text), E_bad_signature,
        "another key's note is refused");
    check_code(
        c, checkpoint_open(buf_span(&f->note), testkey_public(f->ed25519), &got, &text), E_bad_key, "an Ed25519 key opens no note");
}

/* C2SP signed-note, signature type 0x02: what precedes the signature is the start of SHA-256(SPKI). */
static void test_key_id(struct checks *c, struct fixture *f)
{
    AUTO_BUF spki = BUF(512), line = BUF(NOTE_MAX), signature = BUF(NOTE_MAX);
    struct span note = buf_span(&f->note);
    size_t at = note.n - 1;
    while (note.p[at - 1] != ' ')
        at--;
    bool read =
        is_ok(b64_read(span_part(note, at, note.n - 1 - at), &signature)) && is_ok(pubkey_spki(testkey_public(f->key), &spki));
    struct digest d = sha256(buf_span(&spki));
    check_that(c, read && span_equal(span_part(buf_span(&signature), 0, 4), span_part(digest_span(&d), 0, 4)),
        "the key id is that of the SPKI");
}

static void test_sweeps(struct checks *c, struct fixture *f)
{
    struct span note = buf_span(&f->note), text;
    struct checkpoint got;
    bool cuts = true, flips = true;
    for (size_t n = 0; n < note.n; n++) {
        enum seb_code code = code_of(checkpoint_open(span_part(note, 0, n), testkey_public(f->key), &got, &text));
        cuts &= code == E_bad_note;
    }
    check_that(c, cuts, "a note cut anywhere is refused");
    for (size_t bit = 0; bit < note.n * 8; bit++) {
        f->note.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum seb_code code = code_of(checkpoint_open(note, testkey_public(f->key), &got, &text));
        flips &= code == E_bad_note || code == E_bad_signature;
        f->note.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    check_that(c, flips, "a note with any one bit changed is refused");
}

#define ROOT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define LINE "\n\xe2\x80\x94 o AAAAAAAB\n"

static void test_forms(struct checks *c)
{
    static const struct {
        const char *text, *why;
        enum seb_code want;
    } cases[] = {
        { "o\n1\n" ROOT "\n" LINE, "a plain note parses", E_ok },
        { "o\n0\n" ROOT "\n" LINE, "size 0 parses", E_ok },
        { "o\n9007199254740991\n" ROOT "\n" LINE, "the largest size parses", E_ok },
        { "o\n9007199254740992\n" ROOT "\n" LINE, "a larger size is refused", E_bad_note },
        { "o\n01\n" ROOT "\n" LINE, "a leading zero is refused", E_bad_note },
        { "o\n+1\n" ROOT "\n" LINE, "a sign is refused", E_bad_note },
        { "o\n\n" ROOT "\n" LINE, "an empty size is refused", E_bad_note },
        { "\n1\n" ROOT "\n" LINE, "an empty origin is refused", E_bad_note },
        { "o p\n1\n" ROOT "\n" LINE, "a space in the origin is refused", E_bad_note },
        { "o+\n1\n" ROOT "\n" LINE, "a plus in the origin is refused", E_bad_note },
        { "p\n1\n" ROOT "\n" LINE, "a signature under another name is refused", E_bad_note },
        { "o\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n" LINE, "a root of 31 bytes is refused", E_bad_note },
        { "o\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n" LINE, "a root in another base64 form is refused", E_bad_note },
        { "o\n1\n" ROOT "\nextension\n" LINE, "an extension line is refused", E_bad_note },
        { "o\n1\n" ROOT "\n" LINE "\xe2\x80\x94 o AAAAAAAB\n", "a second signature is refused", E_bad_note },
        { "o\n1\n" ROOT "\n" LINE "\n", "bytes after the signature are refused", E_bad_note },
        { "o\n1\n" ROOT "\n\n- o AAAAAAAB\n", "a hyphen for the dash is refused", E_bad_note },
        { "o\n1\n" ROOT "\n\n\xe2\x80\x94 o AAAAAA==\n", "a key id without a signature is refused", E_bad_note },
        { "o\r\n1\n" ROOT "\n" LINE, "carriage returns are refused", E_bad_note },
    };
    struct checkpoint got;
    struct span text;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_code(c, checkpoint_parse(span_text(cases[i].text), &got, &text), cases[i].want, cases[i].why);
}

static void test_bounds(struct checks *c, struct fixture *f)
{
    struct checkpoint big = f->checkpoint, got;
    struct span text;
    AUTO_BUF note = BUF(NOTE_MAX), over = BUF(NOTE_MAX * 2);
    for (unsigned i = 0; i < ORIGIN_MAX; i++)
        big.origin[i] = 'o';
    check_code(c, make_note(f->key, &big, &note), E_ok, "the longest origin fits");
    check_code(c, checkpoint_open(buf_span(&note), testkey_public(f->key), &got, &text), E_ok, "and opens");
    big.size = (uint64_t)JSON_INT_MAX + 1;
    check_code(c, checkpoint_text(&big, &over), E_bad_value, "a size beyond 2^53 - 1 isn't written");
    for (unsigned i = 0; i < NOTE_MAX + 1; i++)
        if (!is_ok(buf_u8(&over, '\n')))
            check_that(c, false, "room");
    check_code(c, checkpoint_parse(buf_span(&over), &got, &text), E_bad_note, "an over-long note is refused");
}

int main(void)
{
    struct checks c = { 0 };
    struct fixture f = {
        .key = testkey_new(ALG_ES256),
        .other = testkey_new(ALG_ES256),
        .ed25519 = testkey_new(ALG_EDDSA),
        .checkpoint = { .origin = "example.org/broker-1", .size = 123456789, .root = merkle_leaf(span_text("root")) },
        .note = BUF(NOTE_MAX),
    };
    check_code(&c, make_note(f.key, &f.checkpoint, &f.note), E_ok, "a note is written");
    test_round_trip(&c, &f);
    test_other_keys(&c, &f);
    test_key_id(&c, &f);
    test_sweeps(&c, &f);
    test_forms(&c);
    test_bounds(&c, &f);
    buf_free(&f.note);
    testkey_free(f.key);
    testkey_free(f.other);
    testkey_free(f.ed25519);
    return checks_end(&c);
}
