/* What a session saw, drawn from what was recorded; and that nothing recorded can draw itself. */
#include "base/text.h"
#include "evidence/replay.h"
#include "evidence/screen.h"
#include "test.h"

#include <string.h>
#include <zstd.h>

#define MESSAGE(tag, length, body) tag "\x00\x00\x00" length body

static const char RESULT[] =
    MESSAGE("T", "\x2f", "\x00\x02") "id\0"
                                     "\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"
                                     "a\0"
                                     "\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
                                     "D\0\0\0\x11\0\x02\0\0\0\x01"
                                     "1"
                                     "\0\0\0\x02"
                                     "Bo"
                                     "D\0\0\0\x0f\0\x02\0\0\0\x01"
                                     "2"
                                     "\xff\xff\xff\xff"
                                     "C\0\0\0\x0dSELECT 2\0";

static const char DRAWN[] = " id | a  \n"
                            "----+----\n"
                            " 1  | Bo \n"
                            " 2  |    \n"
                            "(2 rows)\n";

static Bytes whole(void)
{
    return (Bytes){ (const uint8_t *)RESULT, sizeof RESULT - 1 };
}

static void any_cut_gives_the_same_table(void)
{
    for (size_t cut = 0; cut <= whole().len; cut++) {
        CLEANUP(buf_done) Buf out = { 0 };
        PgScreen s;

        buf_init(&out, 4096);
        EXPECT(pg_screen_init(&s) == OK);
        EXPECT(pg_screen_feed(&s, bytes_upto(whole(), cut), &out) == OK);
        EXPECT(pg_screen_feed(&s, bytes_from(whole(), cut), &out) == OK);
        EXPECT(text_eq(buf_view(&out), text_of(DRAWN)));
        pg_screen_done(&s);
    }
}

static void chunks_may_be_compressed(void)
{
    CLEANUP(buf_done) Buf out = { 0 };
    uint8_t chunk[512] = { 1 };
    Replay r;

    buf_init(&out, 4096);
    EXPECT(replay_init(&r) == OK);
    const size_t n = ZSTD_compress(chunk + 1, sizeof chunk - 1, RESULT, sizeof RESULT - 1, 3);
    EXPECT(!ZSTD_isError(n));
    const ReplayRecord record = { .type = LIT("response.chunk"), .payload = { chunk, n + 1 } };
    EXPECT(replay_record(&r, &record, &out) == OK);
    EXPECT(text_eq(buf_view(&out), text_of(DRAWN)));
    chunk[0] = 2;
    EXPECT(replay_record(&r, &record, &out) == ERR_MALFORMED);
    replay_done(&r);
}

static void a_command_and_its_verdict(void)
{
    static const char SAID[] =
        "{\"text\":\"delete from encounter\",\"values\":[],\"verdict\":\"deny\","
        "\"rule\":\"no-unbounded-delete\",\"fact\":\"DELETE without WHERE\"}";
    CLEANUP(buf_done) Buf out = { 0 };
    Replay r;

    buf_init(&out, 4096);
    EXPECT(replay_init(&r) == OK);
    r.times = false;
    const ReplayRecord record = { .type = LIT("command"), .payload = text_of(SAID) };
    EXPECT(replay_record(&r, &record, &out) == OK);
    EXPECT(text_eq(buf_view(&out), LIT("delete from encounter\n  deny by no-unbounded-delete: "
                                       "DELETE without WHERE\n")));
    replay_done(&r);
}

static void nothing_moves_the_cursor(void)
{
    static const struct {
        const char *text, *shown;
    } CASES[] = {
        { "plain", "plain" },
        { "\x1b[2J", "\\u{1b}[2J" },
        { "a\rb\nc", "a\\u{d}b\\u{a}c" },
        { "abc\xe2\x80\xae"
          "cba",
          "abc\\u{202e}cba" },
        { "\xc2\x9b"
          "2J",
          "\\u{9b}2J" },
        { "caf\xc3\xa9", "caf\xc3\xa9" },
        { "\xff\xc3", "\\xff\\xc3" },
        { "\xe2\x96\x92", "\xe2\x96\x92" },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        CLEANUP(buf_done) Buf out = { 0 };

        buf_init(&out, 256);
        EXPECT(screen_text(text_of(CASES[i].text), &out) == OK);
        EXPECT(text_eq(buf_view(&out), text_of(CASES[i].shown)));
    }
}

static void broken_records_are_said(void)
{
    static const char *const BAD[] = {
        "D\x00\x00\x00\x06\x00\x05", /* five columns, and none there */
        "T\x00\x00\x00\x06\x7f\xff", /* more than there can be */
        "D\x00\x00\x00\x01",         /* shorter than its length */
    };
    static const size_t LENGTHS[] = { 7, 7, 5 };

    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        CLEANUP(buf_done) Buf out = { 0 };
        PgScreen s;

        buf_init(&out, 4096);
        EXPECT(pg_screen_init(&s) == OK);
        EXPECT(pg_screen_feed(&s, (Bytes){ (const uint8_t *)BAD[i], LENGTHS[i] }, &out) ==
               ERR_MALFORMED);
        pg_screen_done(&s);
    }
}

int main(void)
{
    TEST(any_cut_gives_the_same_table);
    TEST(chunks_may_be_compressed);
    TEST(a_command_and_its_verdict);
    TEST(nothing_moves_the_cursor);
    TEST(broken_records_are_said);
    return 0;
}
