/* Everyday statements, what psql's commands send among them: understood, and READ at most. */
#include "../test.h"
#include "base/text.h"
#include "look_case.h"

static void everyday_statements_are_read(void)
{
    Bytes rest = look_data("benign.sql");
    size_t count = 0, bad = 0;

    while (rest.len > 0) {
        const Bytes mark = LIT("\n-- next --\n");
        const size_t end = text_find(rest, mark);
        Arena arena;
        const Meaning *m;

        arena_init(&arena, 16 << 20);
        EXPECT(sql_look(&look_schema()->ctx, bytes_upto(rest, end), &arena, &m) == OK);
        if (!m->understood || (m->effects & ~(unsigned)EFFECT_READ) != 0) {
            fprintf(stderr, "%s: %.*s\n", m->understood ? "not READ" : m->why_not,
                    SHOW(bytes_upto(rest, end)));
            bad++;
        }
        count++;
        arena_done(&arena);
        rest = bytes_from(rest, end < rest.len ? end + mark.len : end);
    }
    EXPECT(bad == 0);
    EXPECT(count >= 100);
}

int main(void)
{
    TEST(everyday_statements_are_read);
    return 0;
}
