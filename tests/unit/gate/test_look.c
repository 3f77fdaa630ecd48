/* What was understood is remembered by text and by shape, and lives as long as somebody uses it. */
#include "base/text.h"
#include "gate/look.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

/* --- a toy language: "word=value"; the value is the literal, and "odd" values decide things
 * ----------- */

static size_t looks;

static Err toy_look(const LangContext *ctx, Bytes text, Arena *arena, const Meaning **ret)
{
    void *mem;

    (void)ctx;
    looks++;
    TRY(arena_alloc(arena, sizeof(Meaning), &mem));
    *(Meaning *)mem = (Meaning){ .understood = !text_starts(text, LIT("?")),
                                 .why_not_position = (uint32_t)text.len };
    *ret = mem;
    return OK;
}

static Err toy_shape(Bytes text, Buf *key, LangShape *ret)
{
    const size_t at = text_find(text, LIT("="));

    if (at == text.len)
        return ERR_MALFORMED;
    ret->count = 1;
    ret->literals[0] = (LangLiteral){ (uint32_t)at + 1, (uint32_t)text.len };
    return buf_append(key, bytes_upto(text, at));
}

static bool toy_speaks(const Meaning *meaning, Bytes text, const LangShape *shape)
{
    return meaning->understood && !text_eq(bytes_from(text, shape->literals[0].start), LIT("odd"));
}

static Err toy_remake(const LangModel *other, Bytes text, const LangShape *shape, Arena *arena,
                      const Meaning **ret)
{
    void *mem;

    EXPECT(other->shape->count == 1 && shape->literals[0].end == text.len);
    TRY(arena_alloc(arena, sizeof(Meaning), &mem));
    *(Meaning *)mem = *other->meaning;
    ((Meaning *)mem)->why_not_position = (uint32_t)text.len;
    *ret = mem;
    return OK;
}

static bool toy_heavy(Bytes text)
{
    return text_starts(text, LIT("heavy"));
}

static const Lang TOY = { toy_look, toy_heavy, toy_shape, toy_speaks, toy_remake };
static const Schema FIRST = { .generation = 1 }, SECOND = { .generation = 2 };
static const Bytes PATH[] = { LIT_INIT("public") }, OTHER_PATH[] = { LIT_INIT("lab") };
static const LangContext CONTEXT = { &FIRST, PATH, 1 };

static Judged *at(LookCache *c, const LangContext *ctx, const char *text)
{
    Judged *judged = NULL;

    EXPECT(look_at(c, ctx, text_of(text), &judged) == OK);
    EXPECT(text_eq(judged->text, text_of(text)));
    EXPECT(judged->meaning->why_not_position == strlen(text));
    return judged;
}

static void ask(LookCache *c, const LangContext *ctx, const char *text)
{
    look_drop(at(c, ctx, text));
}

static LookCache fresh(void)
{
    LookCache c;

    look_init(&c, &TOY, siphash_key((const uint8_t[16]){ 7 }));
    looks = 0;
    return c;
}

static void texts_and_shapes_are_known(void)
{
    LookCache c = fresh();

    ask(&c, &CONTEXT, "a=1");
    ask(&c, &CONTEXT, "a=1");
    EXPECT(looks == 1 && c.hits == 1 && c.alike == 0 && c.misses == 1);
    ask(&c, &CONTEXT, "a=22");
    EXPECT(looks == 1 && c.alike == 1);
    ask(&c, &CONTEXT, "b=1");
    ask(&c, &CONTEXT, "none");
    ask(&c, &CONTEXT, "none");
    EXPECT(looks == 3 && c.hits == 2 && c.misses == 3);
    look_done(&c);
}

static void another_catalogue_is_another_text(void)
{
    LookCache c = fresh();
    const LangContext newer = { &SECOND, PATH, 1 }, elsewhere = { &FIRST, OTHER_PATH, 1 };

    ask(&c, &CONTEXT, "a=1");
    ask(&c, &newer, "a=1");
    ask(&c, &elsewhere, "a=1");
    EXPECT(looks == 3 && c.hits == 0 && c.alike == 0);
    ask(&c, &newer, "a=2");
    ask(&c, &elsewhere, "a=3");
    EXPECT(looks == 3 && c.alike == 2);
    look_done(&c);
}

static void some_are_understood_anew(void)
{
    static char longer[LOOK_CACHED_TEXT_MAX + 8];
    LookCache c = fresh();
    Judged *judged;

    ask(&c, &CONTEXT, "a=odd");
    ask(&c, &CONTEXT, "a=1");
    EXPECT(looks == 2);
    ask(&c, &CONTEXT, "?=1");
    ask(&c, &CONTEXT, "?=1");
    EXPECT(looks == 4);
    memset(longer, 'x', sizeof longer - 1);
    ask(&c, &CONTEXT, longer);
    ask(&c, &CONTEXT, longer);
    EXPECT(looks == 6);
    EXPECT(look_at(&c, &CONTEXT, LIT("heavy=1"), &judged) == ERR_MORE && looks == 6);
    look_done(&c);
}

/* The table is emptied while answers to its texts are on their way. */
static void what_is_in_use_stays(void)
{
    LookCache c = fresh();
    Judged *first = at(&c, &CONTEXT, "a=1"), *alike = at(&c, &CONTEXT, "a=22");

    for (int i = 0; i <= LOOK_CACHE_MAX; i++) {
        char text[32];

        snprintf(text, sizeof text, "w%d=1", i);
        ask(&c, &CONTEXT, text);
    }
    EXPECT(looks == LOOK_CACHE_MAX + 2 && c.shapes.count < LOOK_CACHE_MAX);
    ask(&c, &CONTEXT, "a=333");
    EXPECT(looks == LOOK_CACHE_MAX + 3);
    look_drop(first);
    EXPECT(text_eq(alike->text, LIT("a=22")) && alike->meaning->why_not_position == 4);
    look_done(&c);
    look_drop(alike);
}

int main(void)
{
    TEST(texts_and_shapes_are_known);
    TEST(another_catalogue_is_another_text);
    TEST(some_are_understood_anew);
    TEST(what_is_in_use_stays);
    return 0;
}
