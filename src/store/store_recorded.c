#include "store/store_recorded.h"

#include "store/query.h"

static const char PUT[] =
    "INSERT INTO recorded (user, resource, hour, hour_bytes, day, day_bytes)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (user, resource) DO UPDATE SET hour = excluded.hour,"
    " hour_bytes = excluded.hour_bytes, day = excluded.day, day_bytes = excluded.day_bytes";
static const char EACH[] = "SELECT user, resource, hour, hour_bytes, day, day_bytes FROM recorded";
static const char FORGET[] = "DELETE FROM recorded WHERE day < ?";
static const char SESSION[] = "UPDATE session SET recorded = ? WHERE id = ?";
#define OF_DAY                                                                                     \
    "WITH writer AS (SELECT user, sum(day_bytes) AS bytes FROM recorded WHERE day = ?1"            \
    " GROUP BY user) "
static const char SHARE[] =
    OF_DAY ", own AS (SELECT coalesce((SELECT bytes FROM writer WHERE user = ?2), 0) AS bytes)"
           " SELECT own.bytes,"
           " (SELECT coalesce(sum(w.bytes), 0) FROM writer w WHERE w.bytes > own.bytes),"
           " (SELECT coalesce(sum(w.bytes), 0) FROM writer w) FROM own";
static const char WRITERS[] =
    OF_DAY "SELECT user, bytes FROM writer ORDER BY bytes DESC, user LIMIT ?2";

Err store_recorded_put(Store *s, const StoreRecorded *r)
{
    Query q = query_begin(s, PUT);

    query_text(&q, r->user);
    query_text(&q, r->resource);
    query_u64(&q, r->hour);
    query_u64(&q, r->hour_bytes);
    query_u64(&q, r->day);
    query_u64(&q, r->day_bytes);
    return query_run(&q);
}

Err store_recorded_each(Store *s, StoreRecordedFn *fn, void *ctx)
{
    Query q = query_begin(s, EACH);
    Err err = OK;

    while (err == OK && query_next(&q)) {
        StoreRecorded r = { .user = query_take(&q) };

        r.resource = query_take(&q);
        r.hour = query_take_u64(&q);
        r.hour_bytes = query_take_u64(&q);
        r.day = query_take_u64(&q);
        r.day_bytes = query_take_u64(&q);
        err = fn(ctx, &r);
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}

Err store_recorded_forget(Store *s, uint64_t day)
{
    Query q = query_begin(s, FORGET);

    query_u64(&q, day);
    return query_run(&q);
}

Err store_session_recorded(Store *s, const Id *session, uint64_t bytes)
{
    Query q = query_begin(s, SESSION);

    query_u64(&q, bytes);
    query_blob(&q, VIEW(session->bytes));
    return query_run(&q);
}

Err store_share(Store *s, Bytes user, uint64_t day, StoreShare *ret)
{
    Query q = query_begin(s, SHARE);

    *ret = (StoreShare){ 0 };
    query_u64(&q, day);
    query_text(&q, user);
    if (query_next(&q)) {
        ret->own = query_take_u64(&q);
        ret->larger = query_take_u64(&q);
        ret->whole = query_take_u64(&q);
    }
    return query_end(&q);
}

Err store_writer_each(Store *s, uint64_t day, uint64_t limit, StoreWriterFn *fn, void *ctx)
{
    Query q = query_begin(s, WRITERS);
    Err err = OK;

    query_u64(&q, day);
    query_u64(&q, limit);
    while (err == OK && query_next(&q)) {
        const Bytes user = query_take(&q);

        err = fn(ctx, user, query_take_u64(&q));
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}
