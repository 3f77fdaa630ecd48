#include "proto/pg/pg_queue.h"

#include "model/limits.h"
#include "proto/pg/pg_copy.h"

#include <string.h>

enum {
    QUEUE_FIRST = 8,
    COPY_HEAD_MAX = 256 << 10, /* 1,664 names of 63 bytes, each of them doubled, and delimiters */
};

void pg_queue_init(PgQueue *q, Arena *arena, const ProtoPorts *ports)
{
    *q = (PgQueue){ .arena = arena, .ports = ports };
}

void pg_queue_rest(PgQueue *q)
{
    for (PgRun *run = q->free_runs; run != NULL; run = run->next_free)
        buf_release(&run->shape);
}

void pg_queue_done(PgQueue *q)
{
    while (q->count > 0)
        pg_queue_pop(q);
    for (PgRun *run = q->free_runs; run != NULL; run = run->next_free)
        buf_done(&run->shape);
    q->free_runs = NULL;
}

PgAwaited *pg_queue_at(const PgQueue *q, size_t index)
{
    assert(index < q->count);
    return &q->ring[(q->head + index) % q->cap];
}

PgAwaited *pg_queue_head(const PgQueue *q)
{
    return q->count > 0 ? pg_queue_at(q, 0) : NULL;
}

/* Doubling leaves at most as much behind in the arena as the last ring holds. */
static Err grow(PgQueue *q)
{
    const size_t cap = q->cap > 0 ? q->cap * 2 : QUEUE_FIRST;
    void *mem;

    if (cap > PG_QUEUE_MAX)
        return ERR_LIMIT;
    TRY(arena_array(q->arena, cap, sizeof *q->ring, &mem));
    PgAwaited *ring = mem;
    for (size_t i = 0; i < q->count; i++)
        ring[i] = *pg_queue_at(q, i);
    q->ring = ring;
    q->head = 0;
    q->cap = cap;
    return OK;
}

Err pg_queue_push(PgQueue *q, PgExpect expect, PgRun *run, PgAwaited **ret)
{
    if (q->count == q->cap)
        TRY(grow(q));
    q->count++;
    PgAwaited *entry = pg_queue_at(q, q->count - 1);
    *entry = (PgAwaited){ .expect = expect, .seq = q->next_seq++, .run = run };
    buf_init(&entry->reply, LIMIT_BIND_VALUES * sizeof(uint32_t));
    buf_init(&entry->name, LIMIT_STARTUP);
    if (run != NULL) {
        pg_run_keep(run);
        entry->text_bytes = pg_run_text(run).len;
        q->text_bytes += entry->text_bytes;
    }
    *ret = entry;
    return OK;
}

void pg_queue_pop(PgQueue *q)
{
    PgAwaited *entry = pg_queue_at(q, 0);

    q->changing_names -= entry->changes_names;
    q->text_bytes -= entry->text_bytes;
    pg_run_drop(q, entry->run);
    buf_done(&entry->reply);
    buf_done(&entry->name);
    q->head = (q->head + 1) % q->cap;
    q->count--;
}

void pg_queue_changes_names(PgQueue *q, PgAwaited *entry)
{
    q->changing_names += !entry->changes_names;
    entry->changes_names = true;
}

static void set_copy(PgRun *run)
{
    const Statement *out = pg_copy_out(run->judged), *in = pg_copy_in(run->judged);

    run->copy = out != NULL ? out->copy : NULL;
    run->takes = in != NULL ? in->copy : NULL;
}

Err pg_run_new(PgQueue *q, Judged *judged, PgRun **ret)
{
    PgRun *run = q->free_runs;

    if (run == NULL) {
        void *mem;

        TRY(arena_alloc(q->arena, sizeof *run, &mem));
        run = mem;
        buf_init(&run->shape, 2048 * sizeof(PgShapeColumn)); /* PostgreSQL: 1,664 result columns */
        buf_init(&run->kept_text, LIMIT_STATEMENT);
        buf_init(&run->local_tag, 64);
        buf_init(&run->local_column, 256);
        buf_init(&run->local_value, 64 << 10);
        buf_init(&run->copy_head, COPY_HEAD_MAX);
    } else {
        q->free_runs = run->next_free;
    }
    Buf shape = run->shape, tag = run->local_tag, column = run->local_column;
    Buf value = run->local_value, text = run->kept_text, head = run->copy_head;
    *run = (PgRun){ .refs = 1, .judged = judged, .shape = shape };
    run->local_tag = tag;
    run->local_column = column;
    run->local_value = value;
    run->kept_text = text;
    run->copy_head = head;
    set_copy(run);
    if (judged != NULL)
        q->ports->keep(q->ports->ctx, judged);
    *ret = run;
    return OK;
}

Bytes pg_run_text(const PgRun *run)
{
    if (buf_len(&run->kept_text) > 0)
        return buf_view(&run->kept_text);
    return run->judged != NULL ? run->judged->text : (Bytes){ 0 };
}

void pg_run_judge(PgQueue *q, PgRun *run, Judged *judged)
{
    if (judged != NULL)
        q->ports->keep(q->ports->ctx, judged);
    if (run->judged != NULL)
        q->ports->drop(q->ports->ctx, run->judged);
    run->judged = judged;
    set_copy(run);
}

void pg_run_keep(PgRun *run)
{
    run->refs++;
}

void pg_run_drop(PgQueue *q, PgRun *run)
{
    if (run == NULL || --run->refs > 0)
        return;
    if (run->judged != NULL)
        q->ports->drop(q->ports->ctx, run->judged);
    run->judged = NULL;
    buf_truncate(&run->shape, 0); /* kept for the next run: 40 bytes a column, no data */
    buf_release(&run->kept_text);
    buf_release(&run->local_tag);
    buf_release(&run->local_column);
    buf_release(&run->local_value);
    buf_release(&run->copy_head);
    run->next_free = q->free_runs;
    q->free_runs = run;
}
