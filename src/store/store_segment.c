#include "store/store_segment.h"

#include "store/query.h"

static const char ADD[] =
    "INSERT INTO segment (id, writer, keeper, state, created, length, count, last, log_start)"
    " VALUES (1 + (SELECT coalesce(max(id), 0) FROM segment),"
    " ?, ?, 0, ?, 0, 0, zeroblob(32), 0) RETURNING id";
#define COLUMNS                                                                                    \
    "SELECT id, writer, keeper, state, created, length, count, last, log_start FROM segment "
static const char GET[] = COLUMNS "WHERE id = ?";
#define FILTER "WHERE (length(?1) = 0 OR writer = ?1) AND (?2 = 0 OR state = 0) AND id >= ?3 "
static const char EACH[] = COLUMNS FILTER "ORDER BY id";
static const char BACKWARD[] = COLUMNS FILTER "ORDER BY id DESC";
static const char SEAL[] =
    "UPDATE segment SET state = 1, length = ?, count = ?, last = ?, log_start = ?"
    " WHERE id = ? AND state = 0";
static const char REMOVE[] = "DELETE FROM segment WHERE id = ? AND state = 0";
static const char LOWEST[] =
    "SELECT coalesce(min(id), 0) FROM segment WHERE state = 0 AND (writer = ? OR keeper = 1)";
static const char NUMBER[] = "SELECT count(*) FROM segment";
static const char CHECKPOINT_ADD[] =
    "INSERT INTO checkpoint (size, created, note) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";

Err store_segment_add(Store *s, StoreSegment *segment)
{
    Query q = query_begin(s, ADD);

    query_blob(&q, VIEW(segment->writer.bytes));
    query_u64(&q, segment->keeper);
    query_u64(&q, segment->created_ns);
    if (query_next(&q))
        segment->id = query_take_u64(&q);
    return query_run(&q);
}

static StoreSegment take(Query *q)
{
    StoreSegment g = { .id = query_take_u64(q) };

    g.writer = query_take_id(q);
    g.keeper = query_take_u64(q) != 0;
    g.state = (SegmentState)query_take_u64(q);
    g.created_ns = query_take_u64(q);
    g.length = query_take_u64(q);
    g.count = query_take_u64(q);
    g.last = query_take_key(q);
    g.log_start = query_take_u64(q);
    return g;
}

Err store_segment_get(Store *s, uint64_t id, StoreSegment *ret)
{
    Query q = query_begin(s, GET);

    query_u64(&q, id);
    const bool found = query_next(&q);
    if (found)
        *ret = take(&q);
    TRY(query_end(&q));
    return found ? OK : ERR_MORE;
}

Err store_segment_seal(Store *s, const StoreSegment *g)
{
    Query q = query_begin(s, SEAL);
    uint64_t changed;

    query_u64(&q, g->length);
    query_u64(&q, g->count);
    query_blob(&q, VIEW(g->last.bytes));
    query_u64(&q, g->log_start);
    query_u64(&q, g->id);
    TRY(query_changed(&q, &changed));
    return changed == 1 ? OK : ERR_MORE;
}

Err store_segment_remove(Store *s, uint64_t id)
{
    Query q = query_begin(s, REMOVE);

    query_u64(&q, id);
    return query_run(&q);
}

Err store_segment_each(Store *s, const SegmentFilter *f, StoreSegmentFn *fn, void *ctx)
{
    Query q = query_begin(s, f->backward ? BACKWARD : EACH);
    Err err = OK;

    query_blob(&q, f->writer != NULL ? VIEW(f->writer->bytes) : (Bytes){ 0 });
    query_u64(&q, f->open);
    query_u64(&q, f->from);
    while (err == OK && query_next(&q)) {
        const StoreSegment g = take(&q);
        err = fn(ctx, &g);
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}

static Err number(Query *q, uint64_t *ret)
{
    *ret = query_next(q) ? query_take_u64(q) : 0;
    return query_end(q);
}

Err store_segment_lowest_open(Store *s, const Id *writer, uint64_t *ret)
{
    Query q = query_begin(s, LOWEST);

    query_blob(&q, VIEW(writer->bytes));
    return number(&q, ret);
}

Err store_segment_count(Store *s, uint64_t *ret)
{
    Query q = query_begin(s, NUMBER);

    return number(&q, ret);
}

Err store_checkpoint_add(Store *s, uint64_t size, uint64_t created_ns, Bytes note)
{
    Query q = query_begin(s, CHECKPOINT_ADD);

    query_u64(&q, size);
    query_u64(&q, created_ns);
    query_text(&q, note);
    return query_run(&q);
}

Err store_checkpoint_newest(Store *s, Buf *out)
{
    static const char NEWEST[] =
        "SELECT note FROM checkpoint ORDER BY size DESC, created DESC LIMIT 1";
    Query q = query_begin(s, NEWEST);
    Err err = ERR_MORE;

    if (query_next(&q))
        err = buf_append(out, query_take(&q));
    TRY(query_end(&q));
    return err;
}
