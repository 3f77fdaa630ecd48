#include "base/encode.h"
#include "base/reader.h"
#include "base/text.h"
#include "phi/calendar.h"
#include "phi/transform.h"
#include "test.h"

#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    MaskMethod method;
    uint32_t type;
    int32_t typmod;
    bool binary;
    Bytes in;
    const char *want; /* NULL: leaves as NULL */
} CASES[] = {
    { "clear", MASK_CLEAR, 25, -1, false, LIT_INIT("abc"), "abc" },
    { "null", MASK_NULL, 25, -1, false, LIT_INIT("abc"), NULL },
    { "redact text", MASK_REDACT, 25, -1, false, LIT_INIT("Smith"), "▒▒▒▒▒" },
    { "redact keeps no length", MASK_REDACT, 25, -1, true, LIT_INIT("Featherstonehaugh"), "▒▒▒▒▒" },
    { "redact varchar(3)", MASK_REDACT, 1043, 7, false, LIT_INIT("Smi"), "▒▒▒" },
    { "redact char(7)", MASK_REDACT, 1042, 11, false, LIT_INIT("Smith  "), "▒▒▒▒▒  " },
    { "redact int", MASK_REDACT, 23, -1, false, LIT_INIT("42"), NULL },
    { "redact json", MASK_REDACT, 114, -1, false, LIT_INIT("{\"a\":1}"), "\"▒▒▒▒▒\"" },
    { "redact jsonb binary", MASK_REDACT, 3802, -1, true, LIT_INIT("\1{}"), "\1\"▒▒▒▒▒\"" },
    { "redact bytea", MASK_REDACT, 17, -1, false, LIT_INIT("\\x00ff"), "\\x" },
    { "redact bytea binary", MASK_REDACT, 17, -1, true, LIT_INIT("abc"), "" },
    { "redact array", MASK_REDACT, 1009, -1, false, LIT_INIT("{a,b}"), NULL },
    { "year ISO", MASK_YEAR, 1082, -1, false, LIT_INIT("1958-07-21"), "1958-01-01" },
    { "year SQL", MASK_YEAR, 1082, -1, false, LIT_INIT("07/21/1958"), "01/01/1958" },
    { "year German", MASK_YEAR, 1082, -1, false, LIT_INIT("21.07.1958"), "01.01.1958" },
    { "year of 89", MASK_YEAR, 1082, -1, false, LIT_INIT("1937-01-01"), "1937-01-01" },
    { "year of 90 perhaps", MASK_YEAR, 1082, -1, false, LIT_INIT("1936-12-31"), "1936-01-01" },
    { "year of 90", MASK_YEAR, 1082, -1, false, LIT_INIT("1935-12-31"), "1936-01-01" },
    { "year of 126", MASK_YEAR, 1082, -1, false, LIT_INIT("21.07.1900"), "01.01.1936" },
    { "year BC", MASK_YEAR, 1082, -1, false, LIT_INIT("0044-03-15 BC"), "1936-01-01" },
    { "year of a date in a text", MASK_YEAR, 25, -1, false, LIT_INIT("1958-07-21"), "1958-01-01" },
    { "year of 89 in a text", MASK_YEAR, 25, -1, false, LIT_INIT("12/31/1937"), "01/01/1937" },
    { "year of 90 in a text", MASK_YEAR, 1043, 14, false, LIT_INIT("12/31/1936"), "90+" },
    { "year of 126 in a text", MASK_YEAR, 25, -1, true, LIT_INIT("1900-07-21"), "90+" },
    { "year of nobody in a text", MASK_YEAR, 25, -1, false, LIT_INIT("1900-7-21"), NULL },
    { "year timestamp of 90", MASK_YEAR, 1114, -1, false, LIT_INIT("1936-07-21 12:13:14.5"),
      "1936-01-01 00:00:00" },
    { "year timestamptz of 126", MASK_YEAR, 1184, -1, false, LIT_INIT("1900-07-21 12:13:14+02"),
      "1936-01-01 00:00:00+00" },
    { "year infinity", MASK_YEAR, 1082, -1, false, LIT_INIT("infinity"), NULL },
    { "year of no date", MASK_YEAR, 25, -1, false, LIT_INIT("born 1958"), NULL },
    { "year of short year", MASK_YEAR, 25, -1, false, LIT_INIT("21/07/58"), NULL },
    { "year timestamp", MASK_YEAR, 1114, -1, false, LIT_INIT("1958-07-21 12:13:14.5"),
      "1958-01-01 00:00:00" },
    { "year timestamptz", MASK_YEAR, 1184, -1, false, LIT_INIT("1958-07-21 12:13:14+02"),
      "1958-01-01 00:00:00+00" },
    { "year timestamp, Postgres style", MASK_YEAR, 1114, -1, false,
      LIT_INIT("Mon Jul 21 12:13:14 1958"), NULL },
    { "year int", MASK_YEAR, 23, -1, false, LIT_INIT("1958"), NULL },
    { "zip3", MASK_ZIP3, 25, -1, false, LIT_INIT("78701"), "787" },
    { "zip3 plus four", MASK_ZIP3, 25, -1, false, LIT_INIT("78701-1234"), "787" },
    { "zip3 small", MASK_ZIP3, 1042, 9, false, LIT_INIT("03601"), "000" },
    { "zip3 of a phone", MASK_ZIP3, 25, -1, false, LIT_INIT("512-555-0100"), NULL },
    { "zip3 of an int", MASK_ZIP3, 23, -1, false, LIT_INIT("78701"), NULL },
    { "pseudonym int", MASK_PSEUDONYM, 23, -1, false, LIT_INIT("42"), NULL },
};

static void every_type_has_a_lawful_mask(void)
{
    PhiKey key = { .scope = LIT("ehr") };
    PhiKeys keys = { &key, 1 };
    uint8_t secret[64] = { 1 };

    EXPECT(siv_init(&key.siv, VIEW(secret)) == OK);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const ColumnMask mask = { .method = CASES[i].method, .scope = LIT("ehr") };
        const Cell cell = { &mask, CASES[i].type, CASES[i].typmod, CASES[i].binary, CASES[i].in };
        Buf out;
        bool is_null;

        buf_init(&out, 1024);
        fprintf(stderr, "case: %s\n", CASES[i].name);
        EXPECT(phi_transform(&keys, &cell, 2026, &out, &is_null) == OK);
        EXPECT(is_null == (CASES[i].want == NULL));
        EXPECT(text_eq(buf_view(&out), text_of(CASES[i].want)));
        buf_done(&out);
    }
    siv_done(&key.siv);
}

static void mask_text(PhiKeys *keys, ColumnMask mask, uint32_t type, Bytes in, Buf *out)
{
    const Cell cell = { &mask, type, -1, false, in };
    bool is_null;

    EXPECT(phi_transform(keys, &cell, 2026, out, &is_null) == OK && !is_null);
}

static void pseudonyms_are_one_to_one_and_come_back(void)
{
    PhiKey key = { .scope = LIT("ehr") };
    PhiKeys keys = { &key, 1 };
    const ColumnMask mask = { .method = MASK_PSEUDONYM,
                              .class_prefix = LIT("MRN"),
                              .scope = LIT("ehr") };
    uint8_t secret[64] = { 7 };
    Buf a, b, c, raw, plain;

    Buf *all[] = { &a, &b, &c, &raw, &plain };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        buf_init(all[i], 1024);
    EXPECT(siv_init(&key.siv, VIEW(secret)) == OK);
    mask_text(&keys, mask, 25, LIT("MRN000123"), &a);
    mask_text(&keys, mask, 1042, LIT("MRN000123   "), &b);
    mask_text(&keys, mask, 25, LIT("MRN000124"), &c);
    EXPECT(text_eq(buf_view(&a), buf_view(&b)));
    EXPECT(!text_eq(buf_view(&a), buf_view(&c)));
    EXPECT(text_starts(buf_view(&a), LIT("MRN-")));
    EXPECT(base32_decode(bytes_from(buf_view(&a), 4), &raw) == OK);
    EXPECT(siv_open(&key.siv, NULL, 0, buf_view(&raw), &plain) == OK);
    EXPECT(text_eq(buf_view(&plain), LIT("MRN000123")));
    buf_truncate(&a, 0);
    mask_text(&keys, mask, 2950, LIT("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), &a);
    EXPECT(buf_len(&a) == 36 && buf_view(&a).ptr[14] == '8');
    EXPECT(strchr("89ab", buf_view(&a).ptr[19]) != NULL);
    siv_done(&key.siv);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        buf_done(all[i]);
}

static void what_has_no_key_or_no_mask_does_not_leave(void)
{
    PhiKeys none = { 0 };
    const ColumnMask masks[] = { { .method = MASK_PSEUDONYM, .scope = LIT("ehr") }, { 0 } };

    for (size_t i = 0; i < COUNT_OF(masks); i++) {
        const Cell cell = { &masks[i], 25, -1, false, LIT("secret") };
        Buf out;
        bool is_null;

        buf_init(&out, 64);
        EXPECT(phi_transform(&none, &cell, 2026, &out, &is_null) == ERR_REFUSED);
        EXPECT(buf_len(&out) == 0);
        buf_done(&out);
    }
}

/* Whoever may be 90 this year is in one category, in binary too; nobody is before the year is
 * known. */
static void ages_over_89_are_one_category(void)
{
    static const int32_t NEW_YEAR_1936 = -23376, NEW_YEAR_1937 = -23010;
    PhiKeys none = { 0 };
    const ColumnMask mask = { .method = MASK_YEAR };

    for (int32_t days = -40000; days < 10000; days++) {
        const uint32_t u = (uint32_t)days;
        const uint8_t raw[] = { (uint8_t)(u >> 24), (uint8_t)(u >> 16), (uint8_t)(u >> 8),
                                (uint8_t)u };
        const Cell cell = { &mask, 1082, -1, true, VIEW(raw) };
        CLEANUP(buf_done) Buf out = { 0 };
        int32_t first;
        int64_t micros;
        bool is_null;

        buf_init(&out, 16);
        EXPECT(phi_transform(&none, &cell, 2026, &out, &is_null) == OK && !is_null);
        Reader r = reader_of(buf_view(&out));
        uint32_t left;
        EXPECT(reader_u32(&r, &left) == OK);
        EXPECT((int32_t)left == NEW_YEAR_1936 || (int32_t)left >= NEW_YEAR_1937);
        EXPECT(((int32_t)left == NEW_YEAR_1936) == (days < NEW_YEAR_1937));
        EXPECT(calendar_year_start_days(days, 1936, &first) && first == (int32_t)left);
        EXPECT(calendar_year_start_micros(days * 86400000000, 1936, &micros) &&
               micros == first * 86400000000);
        EXPECT(phi_transform(&none, &cell, 0, &out, &is_null) == OK && is_null);
    }
}

/* Against libc's calendar, every day of 1600 to 2400. */
static void years_begin_where_libc_says(void)
{
    for (int64_t days = -146097; days < 146097; days++) {
        const time_t t = (time_t)((days + 10957) * 86400);
        struct tm tm;
        int32_t first;
        int64_t first_micros;

        EXPECT(gmtime_r(&t, &tm) != NULL);
        EXPECT(calendar_year_start_days((int32_t)days, 1, &first));
        EXPECT(first == days - tm.tm_yday);
        EXPECT(calendar_year_start_micros(days * 86400000000 + 86399999999, 1, &first_micros));
        EXPECT(first_micros == (int64_t)first * 86400000000);
        if (t >= 0)
            EXPECT(calendar_year((uint64_t)t * 1000000000 + 999) == tm.tm_year + 1900);
    }
    int32_t none;
    EXPECT(!calendar_year_start_days(INT32_MAX, 1, &none));
}

int main(void)
{
    TEST(every_type_has_a_lawful_mask);
    TEST(pseudonyms_are_one_to_one_and_come_back);
    TEST(what_has_no_key_or_no_mask_does_not_leave);
    TEST(ages_over_89_are_one_category);
    TEST(years_begin_where_libc_says);
    return 0;
}
