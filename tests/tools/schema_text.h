/* A Schema and a search_path from lines of tab-separated words, for tests:
 *
 *   relation  oid kind schema name reading_runs_code writing_runs_code
 *   column    attnum name type_oid typmod origin_oid origin_attnum generated   (of the last
 * relation) reads     oid attnum function | operator | type | harmless   schema name cast      name
 *   implicit
 *   path      name */
#ifndef TESTS_SCHEMA_TEXT_H
#define TESTS_SCHEMA_TEXT_H

#include "lang/sql/sql_look.h"

typedef struct SchemaText {
    Schema schema;
    SqlContext ctx;
} SchemaText;

/* Ends the process on anything odd: it is a test's own input. */
void schema_text_read(Bytes text, Arena *arena, SchemaText *ret);

#endif
