#include "proto/pg/pg_names.h"

#include "model/limits.h"

void pg_names_init(PgNames *n, PgQueue *queue, SipKey hash_key)
{
    *n = (PgNames){ .queue = queue };
    map_init(&n->statements, LIMIT_STATEMENT_NAMES, hash_key);
    map_init(&n->portals, LIMIT_STATEMENT_NAMES, hash_key);
}

void pg_names_done(PgNames *n)
{
    pg_statements_clear(n);
    pg_portals_clear(n);
    map_done(&n->statements);
    map_done(&n->portals);
}

PgStatement *pg_statement(const PgNames *n, Bytes name)
{
    return map_get(&n->statements, name);
}

static Err take_statement(PgNames *n, PgStatement **ret)
{
    PgStatement *s = n->free_statements;
    void *mem;

    if (s != NULL) {
        n->free_statements = s->next_free;
        *ret = s;
        return OK;
    }
    TRY(arena_alloc(n->queue->arena, sizeof *s, &mem));
    s = mem;
    buf_init(&s->text, LIMIT_STATEMENT);
    buf_init(&s->types, LIMIT_BIND_VALUES * sizeof(uint32_t));
    buf_init(&s->local_column, 256);
    buf_init(&s->runs, LIMIT_STATEMENT);
    *ret = s;
    return OK;
}

static void give_statement(PgNames *n, PgStatement *s)
{
    n->text_bytes -= buf_len(&s->text);
    buf_release(&s->text);
    buf_release(&s->runs);
    buf_release(&s->types);
    buf_release(&s->local_column);
    s->local = false;
    s->next_free = n->free_statements;
    n->free_statements = s;
}

Err pg_statement_put(PgNames *n, Bytes name, Bytes text, PgStatement **ret)
{
    PgStatement *s = pg_statement(n, name);

    if (s == NULL) {
        TRY(take_statement(n, &s));
        const Err err = map_put(&n->statements, name, s, NULL);
        if (err != OK) {
            give_statement(n, s);
            return err;
        }
    }
    n->text_bytes -= buf_len(&s->text);
    buf_truncate(&s->text, 0);
    buf_truncate(&s->types, 0);
    buf_truncate(&s->local_column, 0);
    buf_truncate(&s->runs, 0);
    s->local = false;
    s->confirmed = true;
    if (text.len > PG_NAMES_TEXT_MAX - n->text_bytes)
        return ERR_LIMIT;
    TRY(buf_append(&s->text, text));
    n->text_bytes += text.len;
    *ret = s;
    return OK;
}

void pg_statement_remove(PgNames *n, Bytes name)
{
    PgStatement *s = map_remove(&n->statements, name);

    if (s != NULL)
        give_statement(n, s);
}

void pg_statements_clear(PgNames *n)
{
    size_t at = 0;
    void *s;

    while (map_next(&n->statements, &at, NULL, &s))
        give_statement(n, s);
    map_done(&n->statements);
}

PgRun *pg_portal(const PgNames *n, Bytes name)
{
    return map_get(&n->portals, name);
}

static void drop_portal(PgNames *n, PgRun *run)
{
    if (run == NULL)
        return;
    n->text_bytes -= run->named_bytes;
    run->named_bytes = 0;
    pg_run_drop(n->queue, run);
}

Err pg_portal_put(PgNames *n, Bytes name, PgRun *run)
{
    const size_t bytes = pg_run_text(run).len;
    void *old = NULL;

    if (bytes > PG_NAMES_TEXT_MAX - n->text_bytes)
        return ERR_LIMIT;
    TRY(map_put(&n->portals, name, run, &old));
    run->named_bytes = bytes;
    n->text_bytes += bytes;
    pg_run_keep(run);
    drop_portal(n, old);
    return OK;
}

void pg_portal_remove(PgNames *n, Bytes name)
{
    drop_portal(n, map_remove(&n->portals, name));
}

void pg_portals_clear(PgNames *n)
{
    size_t at = 0;
    void *run;

    while (map_next(&n->portals, &at, NULL, &run))
        drop_portal(n, run);
    map_done(&n->portals);
}

/* One pass finds one, since removal ends a walk; sessions have a handful of portals. */
static bool find_ended(const PgNames *n, uint64_t seq, bool committed, Bytes *ret_name)
{
    size_t at = 0;
    void *value;

    while (map_next(&n->portals, &at, ret_name, &value)) {
        PgRun *run = value;

        if (run->bound_at > seq)
            continue;
        run->kept = run->kept || (run->holds && committed);
        if (!run->kept)
            return true;
    }
    return false;
}

void pg_portals_end(PgNames *n, uint64_t seq, bool committed)
{
    Bytes name;

    while (find_ended(n, seq, committed, &name))
        pg_portal_remove(n, name);
}
