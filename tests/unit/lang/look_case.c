#include "look_case.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

Bytes look_data(const char *name)
{
    const char *folder = getenv("TEST_DATA");
    char path[4096];
    size_t len = 0;
    static uint8_t files[4][1 << 20];
    static size_t count;
    uint8_t *mem = files[count++];

    if (folder == NULL) {
        printf("SKIP: TEST_DATA is not set\n");
        exit(77);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");

    if (f == NULL || count > COUNT_OF(files)) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    len = fread(mem, 1, sizeof files[0] - 1, f);
    mem[len] = 0;
    fclose(f);
    return (Bytes){ mem, len };
}

SchemaText *look_schema(void)
{
    static SchemaText schema;
    static Arena arena;

    if (schema.ctx.schema == NULL) {
        arena_init(&arena, 64 << 20);
        schema_text_read(look_data("pg15_schema.txt"), &arena, &schema);
    }
    return &schema;
}

LookCase look_at(const char *text)
{
    LookCase c;

    arena_init(&c.arena, 16 << 20);
    if (sql_look(&look_schema()->ctx, text_of(text), &c.arena, &c.m) != OK) {
        fprintf(stderr, "ERR_LIMIT: %s\n", text);
        exit(1);
    }
    return c;
}

void look_done(LookCase *c)
{
    arena_done(&c->arena);
}

ColumnRef look_column(const char *relation, const char *name)
{
    const SchemaRelation *r = schema_find(&look_schema()->schema, LIT("public"), text_of(relation));

    if (r == NULL)
        exit(3);
    if (name[0] == '*')
        return (ColumnRef){ r->oid, 0 };
    const SchemaColumn *c = schema_column_named(r, text_of(name));

    if (c == NULL)
        exit(3);
    return (ColumnRef){ r->oid, c->attnum };
}

bool look_uses(const Meaning *m, ColumnUseKind kind, const char *relation, const char *column)
{
    const ColumnRef ref = look_column(relation, column);

    for (size_t i = 0; i < m->use_count; i++)
        if (m->uses[i].kind == kind && column_ref_eq(m->uses[i].column, ref))
            return true;
    return false;
}

bool look_touches(const Meaning *m, const char *relation, const char *column)
{
    const ColumnRef ref = look_column(relation, column);

    for (size_t i = 0; i < m->use_count; i++)
        if (m->uses[i].column.oid == ref.oid &&
            (m->uses[i].column.attnum == ref.attnum || m->uses[i].column.attnum == 0))
            return true;
    return false;
}
