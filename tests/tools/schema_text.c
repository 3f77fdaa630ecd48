#include "schema_text.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8, ENTRIES_MAX = 20000, NAMES_MAX = 5000 };

typedef struct Names {
    SchemaName *list;
    size_t count;
} Names;

typedef struct Lines {
    Arena *arena;
    SchemaRelation *relations;
    SchemaColumn *columns;
    ColumnRef *reads;
    size_t relation_count, column_count, read_count;
    Names functions, operators, types, harmless;
    Bytes *casts, *path;
    size_t cast_count, path_count;
    bool implicit;
} Lines;

static void *array(Arena *arena, size_t count, size_t size)
{
    void *mem;

    if (arena_array(arena, count, size, &mem) != OK)
        exit(3);
    return mem;
}

static Bytes take(Bytes *rest, Bytes until)
{
    const size_t at = text_find(*rest, until);
    const Bytes word = bytes_upto(*rest, at);

    *rest = bytes_from(*rest, at < rest->len ? at + 1 : at);
    return word;
}

static long number(Bytes word)
{
    char text[24] = { 0 };

    memcpy(text, word.ptr, word.len < sizeof text ? word.len : sizeof text - 1);
    return strtol(text, NULL, 10);
}

static void add_name(Names *to, const Bytes *w)
{
    if (to->count == NAMES_MAX)
        exit(3);
    to->list[to->count++] = (SchemaName){ w[1], w[2] };
}

static void add_relation(Lines *l, const Bytes *w)
{
    SchemaRelation *r = &l->relations[l->relation_count++];

    *r = (SchemaRelation){
        .oid = (uint32_t)number(w[1]),
        .kind = (RelationKind)w[2].ptr[0],
        .schema = w[3],
        .name = w[4],
        .columns = l->columns + l->column_count,
        .reads = l->reads + l->read_count,
        .reading_runs_code = number(w[5]) != 0,
        .writing_runs_code = number(w[6]) != 0,
    };
}

static void add_column(Lines *l, const Bytes *w)
{
    l->columns[l->column_count++] = (SchemaColumn){
        .attnum = (int16_t)number(w[1]),
        .name = w[2],
        .type_oid = (uint32_t)number(w[3]),
        .typmod = (int32_t)number(w[4]),
        .origin = { (uint32_t)number(w[5]), (int16_t)number(w[6]) },
        .generated = number(w[7]) != 0,
    };
    l->relations[l->relation_count - 1].column_count++;
}

static void add_line(Lines *l, Bytes line)
{
    Bytes w[WORDS_MAX] = { { 0 } };
    Bytes rest = line;

    if (line.len == 0 || l->column_count == ENTRIES_MAX || l->read_count == ENTRIES_MAX)
        return;
    for (size_t i = 0; i < WORDS_MAX; i++)
        w[i] = take(&rest, LIT("\t"));
    if (text_eq(w[0], LIT("relation"))) {
        add_relation(l, w);
    } else if (text_eq(w[0], LIT("column"))) {
        add_column(l, w);
    } else if (text_eq(w[0], LIT("reads"))) {
        l->reads[l->read_count++] = (ColumnRef){ (uint32_t)number(w[1]), (int16_t)number(w[2]) };
        l->relations[l->relation_count - 1].read_count++;
    } else if (text_eq(w[0], LIT("function"))) {
        add_name(&l->functions, w);
    } else if (text_eq(w[0], LIT("operator"))) {
        add_name(&l->operators, w);
    } else if (text_eq(w[0], LIT("type"))) {
        add_name(&l->types, w);
    } else if (text_eq(w[0], LIT("harmless"))) {
        add_name(&l->harmless, w);
    } else if (text_eq(w[0], LIT("cast"))) {
        l->casts[l->cast_count++] = w[1];
    } else if (text_eq(w[0], LIT("path"))) {
        l->path[l->path_count++] = w[1];
    } else if (text_eq(w[0], LIT("implicit"))) {
        l->implicit = true;
    } else {
        fprintf(stderr, "odd schema line: %.*s\n", SHOW(line));
        exit(3);
    }
}

static int by_name(const void *a, const void *b)
{
    const SchemaName *x = a, *y = b;
    const int order = text_compare(x->schema, y->schema);

    return order != 0 ? order : text_compare(x->name, y->name);
}

static int by_relation(const void *a, const void *b)
{
    const SchemaRelation *x = a, *y = b;
    const int order = text_compare(x->schema, y->schema);

    return order != 0 ? order : text_compare(x->name, y->name);
}

static const SchemaRelation *sorting;

static int by_oid(const void *a, const void *b)
{
    const uint32_t x = sorting[*(const uint32_t *)a].oid, y = sorting[*(const uint32_t *)b].oid;

    return x < y ? -1 : x > y;
}

static void sort_names(Names *n)
{
    qsort(n->list, n->count, sizeof *n->list, by_name);
}

static void finish(Lines *l, SchemaText *ret)
{
    uint32_t *oids = array(l->arena, l->relation_count, sizeof *oids);

    qsort(l->relations, l->relation_count, sizeof *l->relations, by_relation);
    for (size_t i = 0; i < l->relation_count; i++)
        oids[i] = (uint32_t)i;
    sorting = l->relations;
    qsort(oids, l->relation_count, sizeof *oids, by_oid);
    sort_names(&l->functions);
    sort_names(&l->operators);
    sort_names(&l->types);
    sort_names(&l->harmless);
    ret->schema = (Schema){
        .generation = 1,
        .relations = l->relations,
        .relation_count = l->relation_count,
        .by_oid = oids,
        .functions = l->functions.list,
        .function_count = l->functions.count,
        .operators = l->operators.list,
        .operator_count = l->operators.count,
        .types = l->types.list,
        .type_count = l->types.count,
        .harmless_types = l->harmless.list,
        .harmless_type_count = l->harmless.count,
        .cast_targets = l->casts,
        .cast_target_count = l->cast_count,
        .implicit_user_cast = l->implicit,
    };
    ret->ctx = (SqlContext){ &ret->schema, l->path, l->path_count };
}

void schema_text_read(Bytes text, Arena *arena, SchemaText *ret)
{
    Lines l = { .arena = arena };

    l.relations = array(arena, ENTRIES_MAX, sizeof *l.relations);
    l.columns = array(arena, ENTRIES_MAX, sizeof *l.columns);
    l.reads = array(arena, ENTRIES_MAX, sizeof *l.reads);
    l.functions.list = array(arena, NAMES_MAX, sizeof(SchemaName));
    l.operators.list = array(arena, NAMES_MAX, sizeof(SchemaName));
    l.types.list = array(arena, NAMES_MAX, sizeof(SchemaName));
    l.harmless.list = array(arena, NAMES_MAX, sizeof(SchemaName));
    l.casts = array(arena, NAMES_MAX, sizeof(Bytes));
    l.path = array(arena, NAMES_MAX, sizeof(Bytes));
    while (text.len > 0)
        add_line(&l, take(&text, LIT("\n")));
    finish(&l, ret);
}
