#include "model/meaning.h"

#include "base/text.h"

static const struct {
    unsigned effect;
    const char *name;
} NAMES[] = {
#define EFFECT_NAME(name, bit, text) { EFFECT_##name, text },
    EFFECTS(EFFECT_NAME)
#undef EFFECT_NAME
};

const char *effect_name(unsigned effect)
{
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (NAMES[i].effect == effect)
            return NAMES[i].name;
    return NULL;
}

unsigned effect_by_name(Bytes name)
{
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (text_eq(text_of(NAMES[i].name), name))
            return NAMES[i].effect;
    return 0;
}

const char *statement_kind_name(StatementKind kind)
{
    static const char *const KINDS[] = {
        [STATEMENT_OTHER] = "statement",
        [STATEMENT_SELECT] = "SELECT",
        [STATEMENT_INSERT] = "INSERT",
        [STATEMENT_UPDATE] = "UPDATE",
        [STATEMENT_DELETE] = "DELETE",
        [STATEMENT_MERGE] = "MERGE",
        [STATEMENT_TRUNCATE] = "TRUNCATE",
        [STATEMENT_COPY_TO] = "COPY TO",
        [STATEMENT_COPY_FROM] = "COPY FROM",
        [STATEMENT_BEGIN] = "BEGIN",
        [STATEMENT_COMMIT] = "COMMIT",
        [STATEMENT_ROLLBACK] = "ROLLBACK",
        [STATEMENT_SAVEPOINT] = "SAVEPOINT",
        [STATEMENT_SET] = "SET",
        [STATEMENT_RESET] = "RESET",
        [STATEMENT_SHOW] = "SHOW",
        [STATEMENT_EXPLAIN] = "EXPLAIN",
        [STATEMENT_PREPARE] = "PREPARE",
        [STATEMENT_EXECUTE] = "EXECUTE",
        [STATEMENT_DEALLOCATE] = "DEALLOCATE",
        [STATEMENT_DECLARE] = "DECLARE",
        [STATEMENT_FETCH] = "FETCH",
        [STATEMENT_CLOSE] = "CLOSE",
        [STATEMENT_DISCARD] = "DISCARD",
        [STATEMENT_LISTEN] = "LISTEN",
        [STATEMENT_CALL] = "CALL",
        [STATEMENT_DO] = "DO",
    };

    return (size_t)kind < COUNT_OF(KINDS) ? KINDS[kind] : "statement";
}

bool statement_resets_all(const Statement *s)
{
    return (s->kind == STATEMENT_RESET || s->kind == STATEMENT_DISCARD) &&
           text_eq(s->name, LIT("all"));
}

bool statement_changes_path(const Statement *s)
{
    return statement_resets_all(s) || ((s->kind == STATEMENT_SET || s->kind == STATEMENT_RESET) &&
                                       text_eq_nocase(s->name, LIT("search_path")));
}
