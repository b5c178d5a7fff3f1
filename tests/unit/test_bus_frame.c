#include "config.h"

#include "tests/unit/check.h"

#include "base/json.h"
#include "bus/bus.h"

#include <stdlib.h>

static bool is_same(const struct bus_frame *a, const struct bus_frame *b)
{
    return span_equal(a->json, b->json) && span_equal(a->body, b->body);
}

static void sound(struct checks *c, struct span json, struct span body, const char *name)
{
    AUTO_BUF bytes = BUF(BUS_FRAME_MAX);
    struct bus_frame f = { json, body }, again = { 0 };
    bool put = is_ok(bus_frame_put(&bytes, &f));
    check_that(c, put && is_ok(bus_frame_read(buf_span(&bytes), &again)) && is_same(&f, &again), name);
}

static void each_beginning(struct checks *c, struct span whole)
{
    unsigned taken = 0, other = 0;
    for (size_t n = 0; n < whole.n; n++) {
        struct bus_frame f = { { whole.p, 77 }, { 0 } };
        enum seb_code code = code_of(bus_frame_read(span_part(whole, 0, n), &f));
        taken += code == E_ok || f.json.n != 77;
        other += code != E_truncated;
    }
    check_that(c, taken == 0 && other == 0, "each beginning of a frame is truncated, and the output untouched");
}

/* A flipped bit of magic or lengths is refused; one of the content is read as another content of the same size. */
static void each_bit(struct checks *c, struct span whole, size_t json_n)
{
    unsigned wrong = 0;
    AUTO_BUF copy = BUF(BUS_FRAME_MAX);
    for (size_t bit = 0; bit < whole.n * 8; bit++) {
        struct bus_frame f;
        buf_clear(&copy);
        if (!is_ok(buf_put(&copy, whole)))
            abort();
        copy.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        size_t at = bit / 8;
        bool content = (at >= 8 && at < 8 + json_n) || at >= 12 + json_n;
        wrong += is_ok(bus_frame_read(buf_span(&copy), &f)) != content;
    }
    check_that(c, wrong == 0, "each flipped bit of magic and lengths is refused");
}

static void bounds(struct checks *c)
{
    static uint8_t room[BUS_FRAME_MAX + 1];
    AUTO_BUF bytes = BUF(2 * BUS_FRAME_MAX);
    struct bus_frame f;
    size_t most = BUS_FRAME_MAX - BUS_FRAME_OVERHEAD;
    sound(c, (struct span){ room, most }, (struct span){ 0 }, "the largest JSON");
    sound(c, (struct span){ 0 }, (struct span){ room, most }, "the largest body");
    check_code(c, bus_frame_put(&bytes, &(struct bus_frame){ .json = { room, most }, .body = { room, 1 } }), E_too_long,
        "one byte more is too_long");
    check_code(c, bus_frame_put(&bytes, &(struct bus_frame){ .json = { room, 1 }, .body = { room, SIZE_MAX } }), E_too_long,
        "a length near SIZE_MAX is too_long");
    check_that(c, bytes.n == 0, "what is refused puts nothing");
    check_code(c, bus_frame_read((struct span){ room, BUS_FRAME_MAX + 1 }, &f), E_too_long, "too many bytes are too_long");
    check_code(c, bus_frame_read(span_text("SEB2\0\0\0\0"), &f), E_bad_frame, "another magic is bad_frame");
    static const uint8_t tail[] = "SEB1\0\0\0\0\0\0\0\0x", lies[] = "SEB1\377\377\377\377\0\0\0\0";
    check_code(c, bus_frame_read((struct span){ tail, 13 }, &f), E_trailing_bytes, "a byte after the body");
    check_code(c, bus_frame_read((struct span){ lies, 12 }, &f), E_too_long, "a length of 4 GiB is too_long");
}

static void statuses(struct checks *c)
{
    unsigned wrong = 0;
    for (unsigned code = 1; code < E_CODES; code++) {
        AUTO_BUF bytes = BUF(BUS_FRAME_MAX);
        AUTO_JSON *v = NULL;
        struct bus_frame f;
        const char *name = "", *words = "", *status = "";
        bool ok = is_ok(bus_frame_status(&bytes, "invalid", code)) && is_ok(bus_frame_read(buf_span(&bytes), &f)) &&
                  is_ok(json_strict(f.json, BUS_FRAME_MAX, &v)) && is_ok(json_text(v, "code", 64, &name)) &&
                  is_ok(json_text(v, "words", 512, &words)) && is_ok(json_text(v, "status", 16, &status));
        wrong += !ok || code_named(name) != code || !span_is(span_text(words), code_words(code));
    }
    check_that(c, wrong == 0, "the status frame of each code is JSON with its name and words");
}

int main(void)
{
    struct checks c = { 0 };
    AUTO_BUF bytes = BUF(BUS_FRAME_MAX);
    struct span json = span_text("{\"op\":\"status\"}");
    sound(&c, (struct span){ 0 }, (struct span){ 0 }, "an empty frame");
    sound(&c, json, span_text("body"), "JSON and body");
    bounds(&c);
    if (!is_ok(bus_frame_put(&bytes, &(struct bus_frame){ json, span_text("body") })))
        abort();
    each_beginning(&c, buf_span(&bytes));
    each_bit(&c, buf_span(&bytes), json.n);
    statuses(&c);
    return checks_end(&c);
}
