#include "config.h"

#include "audit/cover_time.h"

#include <stdio.h>
#include <time.h>

static bool digits(struct reader *r, unsigned n, int *ret)
{
    uint8_t c;
    for (*ret = 0; n > 0; n--) {
        if (!is_ok(read_u8(r, &c)) || c < '0' || c > '9')
            return false;
        *ret = *ret * 10 + (c - '0');
    }
    return true;
}

static bool sign(struct reader *r, char want)
{
    uint8_t c;
    return is_ok(read_u8(r, &c)) && c == (uint8_t)want;
}

/* RFC 3339 section 5.6: time-secfrac is a dot and digits, as many as there are. */
static bool fraction(struct reader *r, int *ret_ms)
{
    uint8_t c;
    int scale = 100;
    *ret_ms = 0;
    if (!is_ok(read_u8(r, &c)))
        return false;
    if (c == 'Z')
        return true;
    for (bool any = false; c == '.' || any; any = true) {
        if (!is_ok(read_u8(r, &c)))
            return false;
        if (c < '0' || c > '9')
            return any && c == 'Z';
        *ret_ms += (c - '0') * scale;
        scale /= 10;
    }
    return false;
}

/* Days from 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    const int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

result rfc3339_ms(const char *text, int64_t *ret)
{
    struct reader r = reader_of(span_text(text));
    int year, month, day, hour, minute, second, ms;
    bool whole = digits(&r, 4, &year) && sign(&r, '-') && digits(&r, 2, &month) && sign(&r, '-') && digits(&r, 2, &day) &&
                 sign(&r, 'T') && digits(&r, 2, &hour) && sign(&r, ':') && digits(&r, 2, &minute) && sign(&r, ':') &&
                 digits(&r, 2, &second) && fraction(&r, &ms) && is_ok(read_end(&r));
    if (!whole || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return fail(E_bad_value);
    *ret = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
    return OK;
}

const char *rfc3339_text(int64_t ms, char text[32])
{
    const time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char date[24];
    if (!gmtime_r(&s, &tm) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm))
        date[0] = 0;
    snprintf(text, 32, "%s.%03dZ", date, (int)(ms % 1000));
    return text;
}
