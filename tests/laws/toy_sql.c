#include "toy_sql.h"

#include "base/text.h"

static const struct {
    const char *word;
    StatementKind kind;
} KINDS[] = {
    { "prepare", STATEMENT_PREPARE },       { "execute", STATEMENT_EXECUTE },
    { "deallocate", STATEMENT_DEALLOCATE }, { "declare", STATEMENT_DECLARE },
    { "fetch", STATEMENT_FETCH },           { "close", STATEMENT_CLOSE },
    { "begin", STATEMENT_BEGIN },           { "commit", STATEMENT_COMMIT },
    { "rollback", STATEMENT_ROLLBACK },     { "rollbackto", STATEMENT_SAVEPOINT },
    { "discard", STATEMENT_DISCARD },       { "set", STATEMENT_SET },
    { "insert", STATEMENT_INSERT },         { "savepoint", STATEMENT_SAVEPOINT },
    { "copy", STATEMENT_COPY_TO },          { "copycsv", STATEMENT_COPY_TO },
    { "copybin", STATEMENT_COPY_TO },       { "copyin", STATEMENT_COPY_FROM },
};

static Bytes next_word(Bytes *rest)
{
    const Bytes in = text_trim(*rest);
    const size_t end = text_find(in, LIT(" "));

    *rest = text_trim(bytes_from(in, end));
    return bytes_upto(in, end);
}

static ToySql read_statement(Bytes text)
{
    ToySql s = { .kind = STATEMENT_SELECT, .whole = text_trim(text) };
    Bytes rest = s.whole, word;

    s.word = next_word(&rest);
    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (text_eq(s.word, text_of(KINDS[i].word)))
            s.kind = KINDS[i].kind;
    s.name = next_word(&rest);
    word = rest;
    if (s.kind == STATEMENT_DECLARE && text_eq(next_word(&word), LIT("hold"))) {
        s.holds = true;
        rest = word;
    }
    if (s.kind == STATEMENT_PREPARE || s.kind == STATEMENT_DECLARE)
        (void)next_word(&rest);
    s.inner = rest;
    if (s.kind == STATEMENT_COPY_TO)
        s.inner = text_trim(bytes_from(s.whole, s.word.len));
    return s;
}

size_t toy_split(Bytes text, ToySql ret[TOY_STATEMENTS])
{
    size_t count = 0;

    while (count < TOY_STATEMENTS && text_trim(text).len > 0) {
        const size_t end = text_find(text, LIT(";"));

        ret[count++] = read_statement(bytes_upto(text, end));
        text = bytes_from(text, end < text.len ? end + 1 : end);
    }
    return count;
}

bool toy_column(Bytes *rest, Bytes *ret)
{
    if (rest->len == 0)
        return false;
    const size_t end = text_find(*rest, LIT(","));
    *ret = bytes_upto(*rest, end);
    *rest = bytes_from(*rest, end < rest->len ? end + 1 : end);
    return true;
}
