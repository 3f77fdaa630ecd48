#include "../fuzz/scan_compare.h"
#include "../test.h"
#include "base/text.h"
#include "lang/sql/sql_bounds.h"
#include "lang/sql/sql_lexer.h"
#include "model/limits.h"

#include <string.h>

static uint8_t mem[LIMIT_STATEMENT + 64];

static Err bounds_of(const char *unit, size_t times, SqlBounds *ret)
{
    size_t len = 0;

    for (size_t i = 0; i < times && len + strlen(unit) < sizeof mem; i++) {
        memcpy(mem + len, unit, strlen(unit));
        len += strlen(unit);
    }
    return sql_bounds((Bytes){ mem, len }, ret);
}

static void depth_is_bounded(void)
{
    SqlBounds b;

    EXPECT(bounds_of("1+", 500, &b) == OK && b.open_tokens == 1000 && !b.on_loop);
    EXPECT(bounds_of("1+", 200, &b) == OK && b.on_loop);
    EXPECT(bounds_of("1+", 1001, &b) == ERR_LIMIT);
    EXPECT(bounds_of("(", 2001, &b) == ERR_LIMIT);
    EXPECT(bounds_of("1,", 100000, &b) == OK && b.open_tokens < 4);
    EXPECT(bounds_of("select 1,2 union ", 1000, &b) == ERR_LIMIT);
    EXPECT(bounds_of("(1),", 100000, &b) == OK);
    EXPECT(bounds_of("/**/", 100000, &b) == ERR_LIMIT);
    EXPECT(bounds_of("set (a,b)=((", 50, &b) == ERR_LIMIT);
    EXPECT(bounds_of("set (a,b)=(", 5, &b) == OK && b.weight > 32);
    EXPECT(bounds_of("x", LIMIT_STATEMENT + 1, &b) == ERR_LIMIT);
}

static void bad_bytes_are_refused(void)
{
    SqlBounds b;

    EXPECT(sql_bounds((Bytes){ (const uint8_t *)"a\0b", 3 }, &b) == ERR_MALFORMED &&
           b.why_position == 1);
    EXPECT(sql_bounds(LIT("select '\xff'"), &b) == ERR_MALFORMED);
    EXPECT(sql_bounds(LIT("select '\xc0\x80'"), &b) == ERR_MALFORMED);
    EXPECT(sql_bounds(LIT("select 'a"), &b) == ERR_MALFORMED && b.why_position == 7);
    EXPECT(sql_bounds(LIT("/* /* */"), &b) == ERR_MALFORMED);
    EXPECT(sql_bounds(LIT("$a$ $b$"), &b) == ERR_MALFORMED);
    EXPECT(sql_bounds(LIT("select \"\""), &b) == ERR_MALFORMED);
    EXPECT(sql_bounds(LIT(""), &b) == OK && b.tokens == 0);
}

static void kept_text_is_a_slice(void)
{
    Bytes inner;

    EXPECT(sql_lexer_after(LIT("prepare a (int) as /* x */ select $1 -- y"), LIT("as"), &inner) ==
               OK &&
           text_eq(inner, LIT("select $1")));
    EXPECT(sql_lexer_after(LIT("declare \"for\" cursor for select 1 as \"for\" ;"), LIT("for"),
                           &inner) == OK &&
           text_eq(inner, LIT("select 1 as \"for\" ;")));
    EXPECT(sql_lexer_after(LIT("prepare a"), LIT("as"), &inner) == ERR_MALFORMED);
}

/* --- soup of pieces that a lexer can get wrong --- */

static const char *const PIECES[] = {
    "'",       "''",  "E'",   "e'\\'",      "U&'", "u&\"", "\"",  "\"\"",     "$$", "$a$",    "$a",
    "$1",      "$",   "a$b$", "--",         "\n",  "\r",   "/*",  "*/",       "/",  "*",      "-",
    "+",       "@",   "<",    ">",          "=",   "!=",   "=>",  "::",       ":=", ":",      "..",
    ".",       "1.",  "1.e5", "1e",         ".5",  "1..2", "0x1", "1_0",      "a",  "select", "N'",
    "B'",      "x'",  "\\",   " ",          "\t",  "\f",   "\v",  "\xc3\xa9", "(",  ")",      "[",
    "]",       ",",   ";",    "%",          "^",   "#",    "&",   "|",        "`",  "?",      "~",
    "uescape", "'!'", "1",    "9999999999", "E",   "U&",   "_",
};

static void tokens_end_where_postgresql_ends_them(void)
{
    uint64_t seed = 42;
    char text[256];

    for (size_t round = 0; round < 150000; round++) {
        size_t len = 0;
        const size_t pieces = 1 + round % 24;

        for (size_t i = 0; i < pieces; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const char *piece = PIECES[(seed >> 33) % COUNT_OF(PIECES)];

            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        text[len] = 0;
        const char *difference = scan_difference((Bytes){ (const uint8_t *)text, len });

        if (difference != NULL)
            fprintf(stderr, "%s: [%s]\n", difference, text);
        EXPECT(difference == NULL);
    }
}

int main(void)
{
    TEST(depth_is_bounded);
    TEST(bad_bytes_are_refused);
    TEST(kept_text_is_a_slice);
    TEST(tokens_end_where_postgresql_ends_them);
    return 0;
}
