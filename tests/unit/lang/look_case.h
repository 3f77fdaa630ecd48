/* What the tests of sql_look share: the catalogue of a real server (tests/data/pg15_schema.txt,
 * written by tests/differential), and one text looked at. */
#ifndef TESTS_LOOK_CASE_H
#define TESTS_LOOK_CASE_H

#include "../tools/schema_text.h"

typedef struct LookCase {
    Arena arena;
    const Meaning *m;
} LookCase;

/* The whole file tests/data/`name`; NULL-terminated. */
Bytes look_data(const char *name);
SchemaText *look_schema(void);
LookCase look_at(const char *text);
void look_done(LookCase *c);
ColumnRef look_column(const char *relation, const char *name);
bool look_uses(const Meaning *m, ColumnUseKind kind, const char *relation, const char *column);
/* Any use of it, of any kind but `not`. */
bool look_touches(const Meaning *m, const char *relation, const char *column);

#endif
