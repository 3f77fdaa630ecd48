#include "lang/sql/lineage.h"

#include "base/checked.h"
#include "base/text.h"

#include <string.h>

enum {
    DEDUPE_WINDOW = 64,    /* uses are compared with this many before them */
    STEPS_MAX = 8 << 20,   /* a statement of 1 MiB has fewer nodes than bytes */
    QUOTED_NAME_MAX = 256, /* bytes of a name that a refusal quotes */
};

Err look_refuse(Look *l, int32_t position, const char *words, Bytes name)
{
    const Bytes all = text_of(words);
    const size_t place = text_find(all, LIT("@"));
    const char *why;
    Buf b;

    buf_init(&b, 1024);
    Err err = buf_append(&b, bytes_upto(all, place));
    if (err == OK)
        err = buf_append(&b, utf8_upto(name, QUOTED_NAME_MAX));
    if (err == OK && place < all.len)
        err = buf_append(&b, bytes_from(all, place + 1));
    if (err == OK)
        err = arena_string(l->out, buf_view(&b), &why);
    buf_done(&b);
    if (err != OK)
        return err;
    l->why = why;
    l->why_position = position > 0 ? (uint32_t)position : 0;
    return ERR_REFUSED;
}

Err look_grow(Look *l, void **array, size_t *cap, size_t count, size_t size)
{
    void *grown;
    size_t wider;

    if (count < *cap)
        return OK;
    TRY(size_mul(count > 4 ? count : 4, 2, &wider));
    TRY(arena_array(l->arena, wider, size, &grown));
    if (count > 0)
        memcpy(grown, *array, count * size);
    *array = grown;
    *cap = wider;
    return OK;
}

Err look_push(Look *l, Task task)
{
    void *tasks = l->tasks;

    TRY(look_grow(l, &tasks, &l->task_cap, l->task_count, sizeof *l->tasks));
    l->tasks = tasks;
    l->tasks[l->task_count++] = task;
    return OK;
}

Err look_run(Look *l)
{
    while (l->task_count > 0) {
        const Task task = l->tasks[--l->task_count];

        if (++l->steps > STEPS_MAX)
            return look_refuse(l, 0, "the statement is too complex", LIT(""));
        TRY(task.step(l, &task));
    }
    return OK;
}

Statement *look_statement(Look *l)
{
    return &l->statements[l->current];
}

Err source_add(Look *l, Sources *to, Source source)
{
    for (size_t i = 0; i < to->count; i++)
        if (column_ref_eq(to->list[i].column, source.column) && to->list[i].how == source.how)
            return OK;
    void *list = to->list;

    TRY(look_grow(l, &list, &to->cap, to->count, sizeof *to->list));
    to->list = list;
    to->list[to->count++] = source;
    return OK;
}

Err source_add_read(Look *l, Sources *to, const Sources *from)
{
    for (size_t i = 0; i < from->count; i++) {
        Source s = from->list[i];

        s.how = s.how == HOW_COUNTED ? HOW_COUNTED : HOW_DERIVED;
        TRY(source_add(l, to, s));
    }
    return OK;
}

Err sink_new(Look *l, SinkKind kind, Sources *to, Query *query, Sink **ret)
{
    void *mem;

    TRY(arena_alloc(l->arena, sizeof(Sink), &mem));
    *ret = mem;
    **ret = (Sink){ .kind = kind, .to = to, .query = query };
    return OK;
}

Err use_add(Look *l, ColumnUseKind kind, Source source, uint32_t output)
{
    const size_t first = l->use_count > DEDUPE_WINDOW ? l->use_count - DEDUPE_WINDOW : 0;
    void *uses = l->uses;

    for (size_t i = first; i < l->use_count; i++) {
        const ColumnUse *u = &l->uses[i];

        if (u->kind == kind && column_ref_eq(u->column, source.column) && u->output == output &&
            u->statement == l->current)
            return OK;
    }
    TRY(look_grow(l, &uses, &l->use_cap, l->use_count, sizeof *l->uses));
    l->uses = uses;
    l->uses[l->use_count++] = (ColumnUse){
        .kind = kind,
        .column = source.column,
        .statement = l->current,
        .output = output,
        .position = source.position == NO_POSITION ? 0 : source.position,
    };
    return OK;
}

Err value_add(Look *l, ValueUse value)
{
    void *values = l->values;

    TRY(look_grow(l, &values, &l->value_cap, l->value_count, sizeof *l->values));
    l->values = values;
    l->values[l->value_count++] = value;
    return OK;
}

/* One source into one sink, and then into the sinks of the scalar sub-queries around it. */
static Err sink_one(Look *l, const Sink *sink, Source s, ColumnUseKind as_predicate)
{
    for (; sink != NULL; sink = sink->query != NULL ? sink->query->derive_into : NULL) {
        const ColumnUseKind carried = s.how == HOW_COUNTED ? USE_COUNTED : USE_CARRIED;

        if (sink->kind == SINK_COL)
            return source_add(l, sink->to, s);
        TRY(use_add(l, sink->kind == SINK_CARRIED ? carried : as_predicate, s, NO_OUTPUT));
        s.how = s.how == HOW_COUNTED ? HOW_COUNTED : HOW_DERIVED;
        as_predicate = s.how == HOW_COUNTED ? USE_COUNTED : USE_PREDICATE;
    }
    return OK;
}

Err sink_sources(Look *l, const Sink *sink, const Sources *from)
{
    for (size_t i = 0; i < from->count; i++) {
        Source s = from->list[i];

        s.how = s.how == HOW_COUNTED ? HOW_COUNTED : HOW_DERIVED;
        TRY(sink_one(l, sink, s, s.how == HOW_COUNTED ? USE_COUNTED : USE_PREDICATE));
    }
    return OK;
}

Err sink_counted(Look *l, const Sink *sink, const Sources *from)
{
    for (size_t i = 0; i < from->count; i++) {
        Source s = from->list[i];

        s.how = s.how == HOW_DERIVED ? HOW_DERIVED : HOW_COUNTED;
        TRY(sink_one(l, sink, s, s.how == HOW_COUNTED ? USE_COUNTED : USE_PREDICATE));
    }
    return OK;
}

Err sink_equals(Look *l, const Sink *sink, const Sources *from)
{
    for (size_t i = 0; i < from->count; i++) {
        Source s = from->list[i];
        const ColumnUseKind kind = s.how == HOW_DIRECT    ? USE_EQUALS_VALUE
                                   : s.how == HOW_COUNTED ? USE_COUNTED
                                                          : USE_PREDICATE;

        s.how = s.how == HOW_COUNTED ? HOW_COUNTED : HOW_DERIVED;
        TRY(sink_one(l, sink, s, kind));
    }
    return OK;
}

Err relation_add(Look *l, const SchemaRelation *r, unsigned effects, int32_t position)
{
    for (size_t i = 0; i < l->relation_count; i++) {
        RelationUse *u = &l->relations[i];

        if (u->oid == r->oid && u->statement == l->current) {
            u->effects |= effects;
            return OK;
        }
    }
    void *relations = l->relations;

    TRY(look_grow(l, &relations, &l->relation_cap, l->relation_count, sizeof *l->relations));
    l->relations = relations;
    l->relations[l->relation_count++] = (RelationUse){
        .oid = r->oid,
        .schema = r->schema,
        .name = r->name,
        .effects = effects,
        .statement = l->current,
        .position = position > 0 ? (uint32_t)position : 0,
    };
    return OK;
}

static ColumnUseKind kind_of(How how)
{
    switch (how) {
    case HOW_DIRECT:
        return USE_OUTPUT;
    case HOW_DERIVED:
        return USE_DERIVED;
    case HOW_COUNTED:
        return USE_COUNTED;
    }
    return USE_DERIVED;
}

Err emit_outputs(Look *l, const Query *from, bool to_one)
{
    for (size_t i = 0; i < from->col_count; i++)
        for (size_t k = 0; k < from->cols[i]->sources.count; k++) {
            const Source s = from->cols[i]->sources.list[k];

            TRY(use_add(l, kind_of(s.how), s, to_one ? 0 : (uint32_t)i));
        }
    return OK;
}

Err emit_carried(Look *l, const Query *from)
{
    for (size_t i = 0; i < from->col_count; i++)
        for (size_t k = 0; k < from->cols[i]->sources.count; k++) {
            const Source s = from->cols[i]->sources.list[k];

            TRY(use_add(l, s.how == HOW_COUNTED ? USE_COUNTED : USE_CARRIED, s, NO_OUTPUT));
        }
    return OK;
}
