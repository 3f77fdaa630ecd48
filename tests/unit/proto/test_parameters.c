/* What a client is told of a server before there is a connection to it. */
#include "base/reader.h"
#include "base/text.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_parameters.h"
#include "proto/pg/pg_write.h"
#include "test.h"

#include <string.h>

/* "name=value;…" as messages. */
static void put_list(const char *list, Buf *out)
{
    Bytes rest = text_of(list);

    while (rest.len > 0) {
        const size_t end = text_find(rest, LIT(";"));
        const Bytes one = bytes_upto(rest, end);
        const size_t equals = text_find(one, LIT("="));

        EXPECT(pg_parameter(out, bytes_upto(one, equals), bytes_from(one, equals + 1)) == OK);
        rest = bytes_from(rest, end < rest.len ? end + 1 : end);
    }
}

static void show(Bytes messages, Buf *out)
{
    PgFrame f;

    while (messages.len > 0) {
        Bytes name, value;

        EXPECT(pg_frame_next(messages, PG_TAGGED, 1 << 16, &f) == OK && f.tag == 'S');
        Reader r = reader_of(f.body);
        EXPECT(reader_string(&r, &name) == OK && reader_string(&r, &value) == OK);
        EXPECT(text_format(out, "%.*s=%.*s;", SHOW(name), SHOW(value)) == OK);
        messages = bytes_from(messages, f.size);
    }
}

static void expect_shown(const Buf *messages, const char *want)
{
    CLEANUP(buf_done) Buf got = { 0 };

    buf_init(&got, 1 << 16);
    show(buf_view(messages), &got);
    EXPECT(text_eq(buf_view(&got), text_of(want)));
}

#define SERVER                                                                                     \
    "server_version=15.13;application_name=x;DateStyle=ISO, "                                      \
    "MDY;IntervalStyle=postgres;TimeZone=Etc/UTC;"

/* As PostgreSQL 15 reports it for these startup settings. */
static const struct {
    const char *name, *value, *reported;
} WISHES[] = {
    { "datestyle", "German", "DateStyle=German, DMY;" },
    { "DateStyle", "ISO", "DateStyle=ISO, MDY;" },
    { "DateStyle", "ymd, German", "DateStyle=German, YMD;" },
    { "DateStyle", "Postgres,European", "DateStyle=Postgres, DMY;" },
    { "DateStyle", "sql, us", "DateStyle=SQL, MDY;" },
    { "DateStyle", "dmy", "DateStyle=ISO, DMY;" },
    { "DateStyle", "nonsense", "DateStyle=ISO, MDY;" }, /* the server will refuse it */
    { "intervalstyle", "ISO_8601", "IntervalStyle=iso_8601;" },
    { "IntervalStyle", "nonsense", "IntervalStyle=postgres;" },
    { "timezone", "Asia/Tokyo", "TimeZone=Asia/Tokyo;" },
    { "geqo", "off", "" },
};

static void settings_are_told_as_the_server_will(void)
{
    for (size_t i = 0; i < COUNT_OF(WISHES); i++) {
        CLEANUP(buf_done) Buf known = { 0 };
        CLEANUP(buf_done) Buf told = { 0 };
        CLEANUP(buf_done) Buf changed = { 0 };
        CLEANUP(buf_done) Buf plain = { 0 };
        PgSetting wish = { text_of(WISHES[i].name), text_of(WISHES[i].value) };
        const PgStartup nothing = { 0 };
        const PgStartup startup = { .settings = &wish, .setting_count = 1 };

        buf_init(&known, 4096);
        buf_init(&told, 4096);
        buf_init(&plain, 4096);
        buf_init(&changed, 4096);
        put_list(SERVER, &known);
        EXPECT(pg_parameters_foretell(buf_view(&known), &startup, LIT("chaperone/s-1/zo\xc3\xab"),
                                      &told) == OK);
        EXPECT(pg_parameters_foretell(buf_view(&known), &nothing, LIT("chaperone/s-1/zo\xc3\xab"),
                                      &plain) == OK);
        expect_shown(&plain, "server_version=15.13;application_name=chaperone/s-1/zo??;"
                             "DateStyle=ISO, MDY;IntervalStyle=postgres;TimeZone=Etc/UTC;");
        EXPECT(pg_parameters_changed(buf_view(&plain), buf_view(&told), &changed) == OK);
        const bool same = strstr(SERVER, WISHES[i].reported) != NULL;
        expect_shown(&changed, same ? "" : WISHES[i].reported);
    }
}

/* What is known already is not said again; the last word of a name holds. */
static void what_was_told_otherwise_is_told_again(void)
{
    static const struct {
        const char *told, *now, *want;
    } CASES[] = {
        { "a=1;b=2;", "a=1;b=2;", "" }, { "a=1;b=2;", "b=3;a=1;", "b=3;" },
        { "a=1;", "a=1;c=;", "c=;" },   { "a=1;b=2;", "a=1;", "" },
        { "a=1;a=2;", "a=2;", "" },     { "a=1;", "a=2;a=1;", "" },
        { "", "a=1;", "a=1;" },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        CLEANUP(buf_done) Buf told = { 0 };
        CLEANUP(buf_done) Buf now = { 0 };
        CLEANUP(buf_done) Buf out = { 0 };

        buf_init(&told, 4096);
        buf_init(&now, 4096);
        buf_init(&out, 4096);
        put_list(CASES[i].told, &told);
        put_list(CASES[i].now, &now);
        EXPECT(pg_parameters_changed(buf_view(&told), buf_view(&now), &out) == OK);
        expect_shown(&out, CASES[i].want);
    }
}

static void one_of_a_name_is_kept(void)
{
    CLEANUP(buf_done) Buf list = { 0 };
    CLEANUP(buf_done) Buf one = { 0 };

    buf_init(&list, 64);
    buf_init(&one, 4096);
    put_list("a=1;b=2;", &list);
    put_list("a=3;", &one);
    EXPECT(pg_parameters_put(&list, buf_view(&one)) == OK);
    expect_shown(&list, "b=2;a=3;");
    EXPECT(pg_parameters_put(&list, LIT("Z\0\0\0\5I")) == ERR_MALFORMED);
    EXPECT(pg_parameters_put(&list, LIT("S\0\0\0\6ab")) == ERR_MALFORMED);
    buf_truncate(&one, 0);
    put_list("c=a value that is too long for the list it is put into, by some bytes;", &one);
    EXPECT(pg_parameters_put(&list, buf_view(&one)) == ERR_LIMIT);
    expect_shown(&list, "b=2;a=3;");
}

static void only_a_goodbye_needs_no_target(void)
{
    static const struct {
        Bytes in;
        Err err;
        PgOpening opening;
    } CASES[] = {
        { { 0 }, OK, OPENING_NOTHING },
        { LIT_INIT("Q"), OK, OPENING_NOTHING },
        { LIT_INIT("Q\0\0\0"), OK, OPENING_NOTHING },
        { LIT_INIT("Q\0\0\0\x10"), OK, OPENING_WORK }, /* the rest may come meanwhile */
        { LIT_INIT("P\0\0\0\x10SEL"), OK, OPENING_WORK },
        { LIT_INIT("S\0\0\0\4"), OK, OPENING_WORK },
        { LIT_INIT("X\0\0\0"), OK, OPENING_NOTHING },
        { LIT_INIT("X\0\0\0\4"), OK, OPENING_GOODBYE },
        { LIT_INIT("X\0\0\0\4Q\0\0\0\x10"), OK, OPENING_GOODBYE },
        { LIT_INIT("Q\0\0\0\3"), ERR_MALFORMED, OPENING_NOTHING },
        { LIT_INIT("Q\x7f\0\0\0"), OK, OPENING_WORK }, /* too long: refused where all are */
        { LIT_INIT("X\x7f\0\0\0"), ERR_MALFORMED, OPENING_NOTHING },
        { LIT_INIT("p\0\0\0\4"), ERR_MALFORMED, OPENING_NOTHING },
        { LIT_INIT("GET / HTTP/1.1"), ERR_MALFORMED, OPENING_NOTHING },
        { LIT_INIT("\x16"), ERR_MALFORMED, OPENING_NOTHING },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        PgOpening opening;

        EXPECT(pg_opening(CASES[i].in, &opening) == CASES[i].err);
        EXPECT(opening == CASES[i].opening);
    }
}

int main(void)
{
    TEST(settings_are_told_as_the_server_will);
    TEST(what_was_told_otherwise_is_told_again);
    TEST(one_of_a_name_is_kept);
    TEST(only_a_goodbye_needs_no_target);
    return 0;
}
