#include "phi/calendar.h"

#include "base/reader.h"
#include "base/text.h"

enum { DAYS_TO_2000 = 10957, DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400 };

static const int64_t MICROS_PER_DAY = 86400000000;

/* Howard Hinnant's days_from_civil and civil_from_days, for 1 January only; days since 1970. */
static int64_t january_first(int64_t year)
{
    const int64_t y = year - 1; /* years begin in March */
    const int64_t era = (y >= 0 ? y : y - (YEARS_PER_ERA - 1)) / YEARS_PER_ERA;
    const int64_t of_era = y - era * YEARS_PER_ERA;
    const int64_t day = of_era * 365 + of_era / 4 - of_era / 100 + 306; /* 1 March + 306 */

    return era * DAYS_PER_ERA + day - 719468;
}

static int64_t year_of(int64_t days)
{
    int64_t year = 1970 + days / 366;

    /* At most a few steps: the guess is off by one year in 1,461 or so. */
    while (january_first(year + 1) <= days)
        year++;
    while (january_first(year) > days)
        year--;
    return year;
}

/* Days since 2000 of the first of January, in the year of `days` or in `oldest`. */
static int64_t year_start(int64_t days, int64_t oldest)
{
    const int64_t year = year_of(days + DAYS_TO_2000);

    return january_first(year > oldest ? year : oldest) - DAYS_TO_2000;
}

int64_t calendar_year(uint64_t unix_ns)
{
    return year_of((int64_t)(unix_ns / 1000) / MICROS_PER_DAY);
}

bool calendar_year_start_days(int32_t days, int64_t oldest, int32_t *ret)
{
    if (days == INT32_MAX || days == INT32_MIN)
        return false;
    *ret = (int32_t)year_start(days, oldest);
    return true;
}

bool calendar_year_start_micros(int64_t micros, int64_t oldest, int64_t *ret)
{
    const int64_t days = micros / MICROS_PER_DAY - (micros % MICROS_PER_DAY < 0);

    if (micros == INT64_MAX || micros == INT64_MIN)
        return false;
    *ret = year_start(days, oldest) * MICROS_PER_DAY;
    return true;
}

static size_t digits_at(Bytes b)
{
    size_t n = 0;

    while (n < b.len && b.ptr[n] >= '0' && b.ptr[n] <= '9')
        n++;
    return n;
}

static Err put_year(Bytes digits, bool before_christ, int64_t oldest, Buf *out, bool *ret_oldest)
{
    uint64_t year;

    TRY(text_u64(digits, 9999999, &year));
    *ret_oldest = before_christ || (int64_t)year <= oldest;
    return *ret_oldest ? text_format(out, "%04lld", (long long)oldest) : buf_append(out, digits);
}

Err calendar_date_text(Bytes date, int64_t oldest, Buf *out, bool *ret_oldest)
{
    const Bytes bc = LIT(" BC");
    const bool before_christ =
        date.len > bc.len && text_eq(bytes_from(date, date.len - bc.len), bc);
    Reader r = reader_of(before_christ ? bytes_upto(date, date.len - bc.len) : date);
    size_t years = 0, others = 0;
    Bytes part;

    for (;;) {
        const size_t digits = digits_at(r.rest);

        TRY(reader_bytes(&r, digits, &part));
        if (digits == 2)
            TRY(buf_append(out, LIT("01")));
        else if (digits >= 4 && digits <= 7)
            TRY(put_year(part, before_christ, oldest, out, ret_oldest));
        else
            return ERR_MALFORMED;
        years += digits >= 4;
        others += digits == 2;
        if (reader_at_end(&r))
            break;
        TRY(reader_bytes(&r, 1, &part));
        if (part.ptr[0] != '-' && part.ptr[0] != '/' && part.ptr[0] != '.')
            return ERR_MALFORMED;
        TRY(buf_append(out, part));
    }
    return years == 1 && others == 2 ? OK : ERR_MALFORMED;
}

Err calendar_stamp_text(Bytes stamp, bool zone, int64_t oldest, Buf *out)
{
    bool is_oldest;
    const size_t blank = text_find(stamp, LIT(" "));
    const Bytes date = bytes_upto(stamp, blank);
    const bool bc = stamp.len > 3 && text_eq(bytes_from(stamp, stamp.len - 3), LIT(" BC"));

    /* ISO puts the year first; other styles have names of days or the year elsewhere. */
    if (blank == stamp.len || digits_at(date) < 4 || bc)
        return ERR_MALFORMED;
    TRY(calendar_date_text(date, oldest, out, &is_oldest));
    return buf_append(out, zone ? LIT(" 00:00:00+00") : LIT(" 00:00:00"));
}
