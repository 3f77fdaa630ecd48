#include "base/arena.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/json_write.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/text.h"
#include "test.h"

/* What was once in use is wiped whatever became of it; the rest of a read's room was never touched.
 */
static void a_buf_knows_what_it_has_to_wipe(void)
{
    uint8_t *room;
    size_t size;
    Buf b;

    buf_init(&b, 1 << 16);
    EXPECT(buf_room_to_read(&b, 60000, &room, &size) == OK && size >= 60000);
    buf_filled(&b, 100);
    buf_consume(&b, 100);
    EXPECT(b.dirty == 100);
    buf_consume(&b, 0);
    EXPECT(buf_append(&b, LIT("12345")) == OK);
    buf_truncate(&b, 0);
    EXPECT(b.dirty == 100);
    EXPECT(buf_room_to_read(&b, 300, &room, &size) == OK);
    buf_filled(&b, 300);
    buf_truncate(&b, 4);
    EXPECT(b.dirty == 300 && buf_len(&b) == 4);
    buf_filled(&b, b.cap - 4);
    buf_consume(&b, b.cap - 4);
    EXPECT(buf_append(&b, LIT("x")) == OK && b.end == 5); /* it slid */
    EXPECT(b.dirty == b.cap);
    buf_release(&b);
    EXPECT(b.dirty == 0);
    EXPECT(buf_room(&b, 10, &room, &size) == OK && b.dirty == b.cap); /* anything may be written */
    buf_done(&b);
}

static void a_buf_stops_at_its_bound(void)
{
    Buf b;

    buf_init(&b, 8);
    EXPECT(buf_append(&b, LIT("12345")) == OK);
    EXPECT(buf_append(&b, LIT("6789")) == ERR_LIMIT);
    buf_consume(&b, 4);
    EXPECT(buf_append(&b, LIT("6789")) == OK);
    EXPECT(text_eq(buf_view(&b), LIT("56789")));
    buf_truncate(&b, 2);
    EXPECT(text_eq(buf_view(&b), LIT("56")));
    buf_patch(&b, 1, LIT("x"));
    EXPECT(text_eq(buf_view(&b), LIT("5x")));
    buf_done(&b);
    EXPECT(buf_append(&b, LIT("1")) == ERR_LIMIT);
}

static void an_arena_stops_at_its_budget(void)
{
    Arena a;
    void *mem;
    Bytes copy;

    arena_init(&a, 10000);
    EXPECT(arena_alloc(&a, 9000, &mem) == OK);
    EXPECT(arena_alloc(&a, 9000, &mem) == ERR_LIMIT);
    EXPECT(arena_copy(&a, LIT("abc"), &copy) == OK && text_eq(copy, LIT("abc")));
    EXPECT(arena_array(&a, SIZE_MAX / 2, 4, &mem) == ERR_LIMIT);
    arena_done(&a);
    EXPECT(arena_alloc(&a, 9000, &mem) == OK);
    arena_done(&a);
}

static void encodings_come_back(void)
{
    Buf text, back;
    const Bytes in = LIT("\x00\xffhello\x80");

    for (size_t len = 0; len <= in.len; len++) {
        const Bytes part = bytes_upto(in, len);
        Err (*const pairs[][2])(Bytes, Buf *) = {
            { hex_encode, hex_decode },
            { base64_encode, base64_decode },
            { base32_encode, base32_decode },
        };
        for (size_t i = 0; i < COUNT_OF(pairs); i++) {
            buf_init(&text, 64);
            buf_init(&back, 64);
            EXPECT(pairs[i][0](part, &text) == OK);
            EXPECT(pairs[i][1](buf_view(&text), &back) == OK);
            EXPECT(text_eq(buf_view(&back), part));
            buf_done(&text);
            buf_done(&back);
        }
    }
    buf_init(&back, 64);
    EXPECT(base64_decode(LIT("QQ="), &back) == ERR_MALFORMED);
    EXPECT(base64_decode(LIT("QR=="), &back) == ERR_MALFORMED);
    EXPECT(base64_decode(LIT("QQ==QQ=="), &back) == ERR_MALFORMED);
    EXPECT(hex_decode(LIT("0g"), &back) == ERR_MALFORMED);
    buf_done(&back);
}

static void json_is_always_valid(void)
{
    Buf out;

    buf_init(&out, 1024);
    Json j = json_write_begin(&out);
    json_write_object(&j, NULL);
    json_write_string(&j, "a", LIT("q\" \\ \n \x01 \xff \xe2\x82\xac"));
    json_write_array(&j, "b");
    json_write_u64(&j, NULL, 18446744073709551615u);
    json_write_i64(&j, NULL, -1);
    json_write_array_end(&j);
    json_write_object(&j, "c");
    json_write_object_end(&j);
    json_write_bool(&j, "d", true);
    json_write_null(&j, "e");
    json_write_object_end(&j);
    EXPECT(json_write_end(&j) == OK);
    EXPECT(
        text_eq(buf_view(&out), LIT("{\"a\":\"q\\\" \\\\ \\n \\u0001 \xEF\xBF\xBD \xe2\x82\xac\","
                                    "\"b\":[18446744073709551615,-1],\"c\":{},\"d\":true,"
                                    "\"e\":null}")));
    buf_done(&out);
}

static void text_answers(void)
{
    uint64_t v;

    EXPECT(text_eq_nocase(LIT("AbC"), LIT("aBc")));
    EXPECT(!text_eq(LIT("a"), LIT("b")));
    EXPECT(text_find(LIT("hello"), LIT("ll")) == 2 && text_find(LIT("hello"), LIT("x")) == 5);
    EXPECT(text_u64(LIT("42"), 100, &v) == OK && v == 42);
    EXPECT(text_u64(LIT("101"), 100, &v) == ERR_LIMIT);
    EXPECT(text_u64(LIT("-1"), 100, &v) == ERR_MALFORMED);
    EXPECT(text_u64(LIT("99999999999999999999999"), UINT64_MAX, &v) == ERR_LIMIT);
    EXPECT(utf8_valid(LIT("a\xe2\x82\xac\xf0\x9f\x98\x80")));
    EXPECT(!utf8_valid(LIT("\xc0\x80")) && !utf8_valid(LIT("\xed\xa0\x80")));
    EXPECT(!utf8_valid(LIT("\xe2\x82")) && !utf8_valid(LIT("\xf5\x80\x80\x80")));
    EXPECT(utf8_upto(LIT("a\xe2\x82\xac"), 3).len == 1);
    EXPECT(text_eq(text_trim(LIT("  a b\n")), LIT("a b")));
    EXPECT(secret_eq(LIT("abc"), LIT("abc")) && !secret_eq(LIT("abc"), LIT("abd")));
}

static void a_reader_never_passes_the_end(void)
{
    Reader r = reader_of(LIT("\x01\x02\x03"
                             "ab\0c"));
    uint16_t two;
    uint32_t four;
    Bytes s;

    EXPECT(reader_u16(&r, &two) == OK && two == 0x0102);
    EXPECT(reader_bytes(&r, 1, &s) == OK);
    EXPECT(reader_string(&r, &s) == OK && text_eq(s, LIT("ab")));
    EXPECT(reader_string(&r, &s) == ERR_MALFORMED);
    EXPECT(reader_u32(&r, &four) == ERR_MALFORMED);
    EXPECT(r.rest.len == 1);
}

/* SipHash paper, appendix A: key 00..0f, input 00..0e. */
static void siphash_agrees_with_the_paper(void)
{
    uint8_t key[16], in[15];

    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        in[i] = i;
    EXPECT(siphash(siphash_key(key), VIEW(in)) == 0xa129ca6149be45e5);
}

static void a_map_keeps_what_it_was_given(void)
{
    Map m;
    int values[1000];
    char key[8];
    void *old;

    map_init(&m, 1000, (SipKey){ 1, 2 });
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(key, sizeof key, "k%d", i);
            EXPECT(map_put(&m, text_of(key), &values[i], &old) == OK && old == NULL);
        }
        EXPECT(map_put(&m, LIT("one more"), &values[0], NULL) == ERR_LIMIT);
        for (int i = 0; i < 1000; i += 1 + round) {
            snprintf(key, sizeof key, "k%d", i);
            EXPECT(map_remove(&m, text_of(key)) == &values[i]);
            EXPECT(map_remove(&m, text_of(key)) == NULL);
        }
        for (int i = 0; i < 1000; i++) {
            snprintf(key, sizeof key, "k%d", i);
            EXPECT((map_get(&m, text_of(key)) == NULL) == (i % (1 + round) == 0));
        }
        size_t at = 0, seen = 0;
        while (map_next(&m, &at, NULL, &old))
            seen++;
        EXPECT(seen == m.count);
        map_done(&m);
    }
}

int main(void)
{
    TEST(a_buf_stops_at_its_bound);
    TEST(a_buf_knows_what_it_has_to_wipe);
    TEST(an_arena_stops_at_its_budget);
    TEST(encodings_come_back);
    TEST(json_is_always_valid);
    TEST(text_answers);
    TEST(siphash_agrees_with_the_paper);
    TEST(a_map_keeps_what_it_was_given);
    TEST(a_reader_never_passes_the_end);
    return 0;
}
