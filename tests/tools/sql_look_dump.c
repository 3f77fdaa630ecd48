/* sql_look_dump SCHEMA < texts: one JSON line for each text; texts end with 0x1e. */
#include "base/json_write.h"
#include "base/text.h"
#include "lang/sql/sql_look.h"
#include "schema_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Bytes read_all(FILE *f)
{
    size_t len = 0, cap = 1 << 16;
    uint8_t *mem = malloc(cap);

    while (mem != NULL) {
        const size_t n = fread(mem + len, 1, cap - len, f);

        len += n;
        if (n == 0)
            break;
        if (len == cap)
            mem = realloc(mem, cap *= 2);
    }
    return (Bytes){ mem, len };
}

static void column(Json *j, const char *key, ColumnRef c)
{
    json_write_array(j, key);
    json_write_u64(j, NULL, c.oid);
    json_write_i64(j, NULL, c.attnum);
    json_write_array_end(j);
}

static void effects(Json *j, const char *key, unsigned set)
{
    json_write_array(j, key);
    for (unsigned bit = 1; bit != 0; bit <<= 1)
        if ((set & bit) != 0)
            json_write_string(j, NULL, text_of(effect_name(bit)));
    json_write_array_end(j);
}

static void statement(Json *j, const Statement *s)
{
    json_write_object(j, NULL);
    json_write_string(j, "kind", text_of(statement_kind_name(s->kind)));
    effects(j, "effects", s->effects);
    json_write_u64(j, "start", s->start);
    json_write_u64(j, "length", s->length);
    json_write_bool(j, "has_where", s->has_where);
    json_write_bool(j, "analyze", s->analyze);
    json_write_u64(j, "refers", s->refers);
    json_write_string(j, "name", s->name);
    json_write_string(j, "inner", s->inner);
    json_write_bool(j, "value_known", s->value_known);
    json_write_string(j, "value", s->value);
    json_write_bool(j, "set_local", s->set_local);
    json_write_bool(j, "outputs_known", s->outputs_known);
    json_write_array(j, "outputs");
    for (size_t i = 0; i < s->output_count; i++) {
        json_write_object(j, NULL);
        json_write_string(j, "name", s->outputs[i].name);
        column(j, "column", s->outputs[i].column);
        json_write_bool(j, "computed", s->outputs[i].kind == OUTPUT_COMPUTED);
        json_write_object_end(j);
    }
    json_write_array_end(j);
    json_write_object_end(j);
}

static const char *kind_name(ColumnUseKind kind)
{
    static const char *const NAMES[] = { "output",    "derived", "counted", "equals_value",
                                         "predicate", "written", "carried" };

    return NAMES[kind];
}

static void uses(Json *j, const Meaning *m)
{
    json_write_array(j, "uses");
    for (size_t i = 0; i < m->use_count; i++) {
        json_write_object(j, NULL);
        json_write_string(j, "kind", text_of(kind_name(m->uses[i].kind)));
        column(j, "column", m->uses[i].column);
        json_write_u64(j, "statement", m->uses[i].statement);
        json_write_i64(j, "output",
                       m->uses[i].output == UINT32_MAX ? -1 : (int64_t)m->uses[i].output);
        json_write_u64(j, "position", m->uses[i].position);
        json_write_object_end(j);
    }
    json_write_array_end(j);
    json_write_array(j, "values");
    for (size_t i = 0; i < m->value_count; i++) {
        json_write_object(j, NULL);
        json_write_string(j, "kind", text_of(kind_name(m->values[i].kind)));
        column(j, "column", m->values[i].column);
        json_write_u64(j, "parameter", m->values[i].parameter);
        json_write_string(j, "literal", m->values[i].literal);
        json_write_object_end(j);
    }
    json_write_array_end(j);
}

static void relations(Json *j, const Meaning *m)
{
    json_write_array(j, "relations");
    for (size_t i = 0; i < m->relation_count; i++) {
        json_write_object(j, NULL);
        json_write_u64(j, "oid", m->relations[i].oid);
        json_write_string(j, "name", m->relations[i].name);
        effects(j, "effects", m->relations[i].effects);
        json_write_object_end(j);
    }
    json_write_array_end(j);
    json_write_array(j, "unknown");
    for (size_t i = 0; i < m->unknown_count; i++)
        json_write_string(j, NULL, m->unknown[i].name);
    json_write_array_end(j);
}

static void dump(const SqlContext *ctx, Bytes text)
{
    Arena arena;
    const Meaning *m;
    Buf out;

    arena_init(&arena, 64 << 20);
    buf_init(&out, 64 << 20);
    if (sql_look(ctx, text, &arena, &m) != OK)
        exit(4);
    Json j = json_write_begin(&out);

    json_write_object(&j, NULL);
    json_write_bool(&j, "understood", m->understood);
    json_write_string(&j, "why_not", text_of(m->why_not));
    json_write_u64(&j, "why_not_position", m->why_not_position);
    effects(&j, "effects", m->effects);
    json_write_bool(&j, "depends_on_literals", m->depends_on_literals);
    json_write_array(&j, "statements");
    for (size_t i = 0; i < m->statement_count; i++)
        statement(&j, &m->statements[i]);
    json_write_array_end(&j);
    relations(&j, m);
    uses(&j, m);
    json_write_object_end(&j);
    if (json_write_end(&j) != OK)
        exit(4);
    fwrite(buf_view(&out).ptr, 1, buf_len(&out), stdout);
    putchar('\n');
    buf_done(&out);
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    SchemaText schema;
    Arena arena;

    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (f == NULL)
        return 2;
    const Bytes schema_text = read_all(f);
    fclose(f);
    arena_init(&arena, 256 << 20);
    schema_text_read(schema_text, &arena, &schema);
    const Bytes input = read_all(stdin);

    for (Bytes rest = input; rest.len > 0;) {
        const size_t end = text_find(rest, LIT("\x1e"));

        dump(&schema.ctx, bytes_upto(rest, end));
        rest = bytes_from(rest, end < rest.len ? end + 1 : end);
    }
    arena_done(&arena);
    free((void *)(uintptr_t)input.ptr);
    free((void *)(uintptr_t)schema_text.ptr);
    return 0;
}
