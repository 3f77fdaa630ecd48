#include "store/store_session.h"

#include "base/text.h"
#include "store/query.h"

static const char ADD[] =
    "INSERT INTO session (id, text, writer, user, kind, resource, peer, application, purpose,"
    " credential, audit_key, content_key, first_segment, started, ended, reason, statements,"
    " certificate_subject, certificate_sha256)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
#define COLUMNS                                                                                    \
    "SELECT id, writer, user, kind, resource, peer, application, purpose, credential, audit_key,"  \
    " content_key, first_segment, started, ended, reason, statements, recorded, server,"           \
    " certificate_subject, certificate_sha256 FROM session "
static const char GET[] = COLUMNS "WHERE id = ?";
static const char FIND[] = COLUMNS "WHERE text = ?";
static const char EACH[] =
    COLUMNS "WHERE (length(?1) = 0 OR user = ?1) AND (length(?2) = 0 OR writer = ?2)"
            " AND (?3 = 0 OR ended = 0) ORDER BY started DESC LIMIT ?4";
static const char END[] =
    "UPDATE session SET ended = ?, reason = ?, statements = ? WHERE id = ? AND ended = 0";
static const char SERVER[] = "UPDATE session SET server = ? WHERE id = ?";
static const char LIVE_COUNT[] = "SELECT count(*) FROM session WHERE ended = 0";
/* In the order of Fallen; the first that holds speaks. */
static const char FALLEN[] =
    "SELECT * FROM (SELECT s.id, s.writer, CASE WHEN u.name IS NULL THEN 1 WHEN u.disabled THEN 2"
    " WHEN u.expires != 0 AND u.expires <= ?1 THEN 3 WHEN v.id IS NULL THEN 4"
    " WHEN v.revoked != 0 THEN 5 WHEN v.expires != 0 AND v.expires <= ?1 THEN 6 ELSE 0 END AS why"
    " FROM session s LEFT JOIN user u ON u.name = s.user LEFT JOIN verifier v"
    " ON v.id = s.credential WHERE s.ended = 0) WHERE why != 0";
static const char KEY_ADD[] =
    "INSERT INTO record_key (id, wrapped, session, content, created) VALUES (?, ?, ?, ?, ?)";
static const char KEY_GET[] = "SELECT wrapped FROM record_key WHERE id = ?";

Err store_session_add(Store *s, const StoreSession *n)
{
    const IdText text = id_text('s', &n->id);
    Query q = query_begin(s, ADD);

    query_blob(&q, VIEW(n->id.bytes));
    query_text(&q, text_of(text.text));
    query_blob(&q, VIEW(n->writer.bytes));
    query_text(&q, n->user);
    query_u64(&q, (uint64_t)n->kind);
    query_text(&q, n->resource);
    query_text(&q, n->peer);
    query_text(&q, n->application);
    query_text(&q, n->purpose);
    query_blob(&q, VIEW(n->credential.bytes));
    query_blob(&q, VIEW(n->audit_key.bytes));
    query_blob(&q, VIEW(n->content_key.bytes));
    query_u64(&q, n->first_segment);
    query_u64(&q, n->started_ns);
    query_u64(&q, n->ended_ns);
    query_text(&q, n->reason);
    query_u64(&q, n->statements);
    query_text(&q, n->certificate_subject);
    query_text(&q, n->certificate_sha256);
    return query_run(&q);
}

static StoreSession take(Query *q)
{
    StoreSession n = { .id = query_take_id(q) };

    n.writer = query_take_id(q);
    n.user = query_take(q);
    n.kind = (IdentityKind)query_take_u64(q);
    n.resource = query_take(q);
    n.peer = query_take(q);
    n.application = query_take(q);
    n.purpose = query_take(q);
    n.credential = query_take_id(q);
    n.audit_key = query_take_id(q);
    n.content_key = query_take_id(q);
    n.first_segment = query_take_u64(q);
    n.started_ns = query_take_u64(q);
    n.ended_ns = query_take_u64(q);
    n.reason = query_take(q);
    n.statements = query_take_u64(q);
    n.recorded = query_take_u64(q);
    n.server = query_take(q);
    n.certificate_subject = query_take(q);
    n.certificate_sha256 = query_take(q);
    return n;
}

static Err one(Query *q, Arena *a, StoreSession *ret)
{
    Err err = ERR_MORE;

    if (query_next(q)) {
        *ret = take(q);
        Bytes *const texts[] = { &ret->user,
                                 &ret->resource,
                                 &ret->peer,
                                 &ret->application,
                                 &ret->purpose,
                                 &ret->reason,
                                 &ret->server,
                                 &ret->certificate_subject,
                                 &ret->certificate_sha256 };
        err = OK;
        for (size_t i = 0; i < COUNT_OF(texts) && err == OK; i++)
            err = arena_copy(a, *texts[i], texts[i]);
    }
    TRY(query_end(q));
    return err;
}

Err store_session_get(Store *s, const Id *id, Arena *a, StoreSession *ret)
{
    Query q = query_begin(s, GET);

    query_blob(&q, VIEW(id->bytes));
    return one(&q, a, ret);
}

Err store_session_find(Store *s, Bytes text, Arena *a, StoreSession *ret)
{
    Query q = query_begin(s, FIND);

    query_text(&q, text);
    return one(&q, a, ret);
}

Err store_session_each(Store *s, const SessionFilter *filter, StoreSessionFn *fn, void *ctx)
{
    Query q = query_begin(s, EACH);
    Err err = OK;

    query_text(&q, filter->user);
    query_blob(&q, filter->writer != NULL ? VIEW(filter->writer->bytes) : (Bytes){ 0 });
    query_u64(&q, filter->live);
    query_u64(&q, filter->limit > 0 ? filter->limit : INT64_MAX);
    while (err == OK && query_next(&q)) {
        const StoreSession n = take(&q);
        err = fn(ctx, &n);
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}

Err store_session_end(Store *s, const StoreSession *ended)
{
    Query q = query_begin(s, END);
    uint64_t changed;

    query_u64(&q, ended->ended_ns);
    query_text(&q, ended->reason);
    query_u64(&q, ended->statements);
    query_blob(&q, VIEW(ended->id.bytes));
    TRY(query_changed(&q, &changed));
    return changed == 1 ? OK : ERR_MORE;
}

Err store_session_server(Store *s, const Id *id, Bytes endpoint)
{
    Query q = query_begin(s, SERVER);

    query_text(&q, endpoint);
    query_blob(&q, VIEW(id->bytes));
    return query_run(&q);
}

Err store_session_live_count(Store *s, uint64_t *ret)
{
    Query q = query_begin(s, LIVE_COUNT);

    *ret = query_next(&q) ? query_take_u64(&q) : 0;
    return query_end(&q);
}

Err store_session_fallen(Store *s, uint64_t now_ns, StoreFallenFn *fn, void *ctx)
{
    Query q = query_begin(s, FALLEN);
    Err err = OK;

    query_u64(&q, now_ns);
    while (err == OK && query_next(&q)) {
        StoreSession session = { .id = query_take_id(&q) };

        session.writer = query_take_id(&q);
        err = fn(ctx, &session, (Fallen)query_take_u64(&q));
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}

Err store_key_add(Store *s, const StoreKey *key)
{
    Query q = query_begin(s, KEY_ADD);

    query_blob(&q, VIEW(key->id.bytes));
    query_blob(&q, key->wrapped);
    query_blob(&q, VIEW(key->session.bytes));
    query_u64(&q, key->content);
    query_u64(&q, key->created_ns);
    return query_run(&q);
}

Err store_key_get(Store *s, const Id *id, Buf *out)
{
    Query q = query_begin(s, KEY_GET);

    query_blob(&q, VIEW(id->bytes));
    const bool found = query_next(&q);
    const Err err = found ? buf_append(out, query_take(&q)) : OK;
    TRY(query_end(&q));
    return err != OK ? err : found ? OK : ERR_MORE;
}
