#include "store/store_request.h"

#include "base/text.h"
#include "store/query.h"

static const char ADD[] =
    "INSERT INTO request (id, text, session, writer, caller, caller_kind, resource, rule, role,"
    " fact, decision, asked_group, sealed, unit, count, state, ticket, check_word, created,"
    " deadline, valid_ms, valid_until, answered, who, why, leaf)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
#define COLUMNS                                                                                    \
    "SELECT id, session, writer, caller, caller_kind, resource, rule, role, fact, decision,"       \
    " asked_group, sealed, unit, count, state, ticket, check_word, created, deadline, valid_ms,"   \
    " valid_until, answered, who, why, leaf FROM request "
/* ?1 … ?5: an empty one matches everything. */
#define FILTER                                                                                     \
    "WHERE (length(?1) = 0 OR caller = ?1) AND (length(?2) = 0 OR unit = ?2)"                      \
    " AND (length(?3) = 0 OR session = ?3) AND (length(?4) = 0 OR writer = ?4)"                    \
    " AND (?5 = 0 OR (?5 >> state) & 1) "
static const char GET[] = COLUMNS "WHERE id = ?";
static const char FIND[] = COLUMNS "WHERE text = ?";
static const char EACH[] = COLUMNS FILTER "ORDER BY created DESC";
static const char NUMBER[] = "SELECT count(*) FROM request " FILTER;
static const char MOVE[] =
    "UPDATE request SET state = ?, ticket = ?, deadline = ?, valid_until = ?, answered = ?,"
    " who = ?, why = ?, leaf = ?, session = ?, writer = ? WHERE id = ? AND state = ?";
static const char LATER[] = "UPDATE request SET deadline = deadline + ?1, valid_until = CASE WHEN"
                            " valid_until > 0 THEN valid_until + ?1 ELSE 0 END WHERE state = ?2 OR"
                            " state = ?3";
static const char EARLIER[] =
    "UPDATE request SET deadline = max(deadline - ?1, 1), valid_until = CASE"
    " WHEN valid_until > 0 THEN max(valid_until - ?1, 1) ELSE 0 END WHERE"
    " state = ?2 OR state = ?3";
static const char ANSWER_ADD[] =
    "INSERT INTO request_answer (request, who, said, reason, at) VALUES (?, ?, ?, ?, ?)";
static const char ANSWER_EACH[] =
    "SELECT who, said, reason, at FROM request_answer WHERE request = ? ORDER BY at";

const char *request_state_name(RequestState state)
{
    static const char *const NAMES[] = {
        [REQUEST_OPEN] = "open",       [REQUEST_APPROVED] = "approved",
        [REQUEST_USED] = "used",       [REQUEST_DENIED] = "denied",
        [REQUEST_EXPIRED] = "expired", [REQUEST_WITHDRAWN] = "withdrawn",
    };

    return (size_t)state < COUNT_OF(NAMES) ? NAMES[state] : "unknown";
}

Err store_request_add(Store *s, const StoreRequest *r)
{
    const IdText text = id_text('r', &r->id);
    Query q = query_begin(s, ADD);

    query_blob(&q, VIEW(r->id.bytes));
    query_text(&q, text_of(text.text));
    query_blob(&q, VIEW(r->session.bytes));
    query_blob(&q, VIEW(r->writer.bytes));
    query_text(&q, r->caller);
    query_u64(&q, (uint64_t)r->caller_kind);
    query_text(&q, r->resource);
    query_text(&q, r->rule);
    query_text(&q, r->role);
    query_text(&q, r->fact);
    query_text(&q, r->decision);
    query_text(&q, r->group);
    query_blob(&q, r->sealed);
    query_blob(&q, VIEW(r->unit.bytes));
    query_u64(&q, r->count);
    query_u64(&q, (uint64_t)r->state);
    query_u64(&q, r->ticket);
    query_text(&q, r->check_word);
    query_u64(&q, r->created_ns);
    query_u64(&q, r->deadline_ns);
    query_u64(&q, r->valid_ms);
    query_u64(&q, r->valid_until_ns);
    query_u64(&q, r->answered_ns);
    query_text(&q, r->who);
    query_text(&q, r->why);
    query_blob(&q, VIEW(r->leaf.bytes));
    return query_run(&q);
}

static StoreRequest take(Query *q)
{
    StoreRequest r = { .id = query_take_id(q) };

    r.session = query_take_id(q);
    r.writer = query_take_id(q);
    r.caller = query_take(q);
    r.caller_kind = (IdentityKind)query_take_u64(q);
    r.resource = query_take(q);
    r.rule = query_take(q);
    r.role = query_take(q);
    r.fact = query_take(q);
    r.decision = query_take(q);
    r.group = query_take(q);
    r.sealed = query_take(q);
    r.unit = query_take_key(q);
    r.count = (uint32_t)query_take_u64(q);
    r.state = (RequestState)query_take_u64(q);
    r.ticket = query_take_u64(q) != 0;
    r.check_word = query_take(q);
    r.created_ns = query_take_u64(q);
    r.deadline_ns = query_take_u64(q);
    r.valid_ms = query_take_u64(q);
    r.valid_until_ns = query_take_u64(q);
    r.answered_ns = query_take_u64(q);
    r.who = query_take(q);
    r.why = query_take(q);
    r.leaf = query_take_key(q);
    return r;
}

static Err copy(Arena *a, StoreRequest *r)
{
    Bytes *const texts[] = { &r->caller,     &r->resource, &r->rule,  &r->role,
                             &r->fact,       &r->decision, &r->group, &r->sealed,
                             &r->check_word, &r->who,      &r->why };

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        TRY(arena_copy(a, *texts[i], texts[i]));
    return OK;
}

static Err one(Query *q, Arena *a, StoreRequest *ret)
{
    Err err = ERR_MORE;

    if (query_next(q)) {
        *ret = take(q);
        err = copy(a, ret);
    }
    TRY(query_end(q));
    return err;
}

Err store_request_get(Store *s, const Id *id, Arena *a, StoreRequest *ret)
{
    Query q = query_begin(s, GET);

    query_blob(&q, VIEW(id->bytes));
    return one(&q, a, ret);
}

Err store_request_find(Store *s, Bytes text, Arena *a, StoreRequest *ret)
{
    Query q = query_begin(s, FIND);

    query_text(&q, text);
    return one(&q, a, ret);
}

static void put_id(Query *q, const Id *id)
{
    query_blob(q, id != NULL ? VIEW(id->bytes) : (Bytes){ 0 });
}

static void put_filter(Query *q, const RequestFilter *f)
{
    query_text(q, f->caller);
    query_blob(q, f->unit != NULL ? VIEW(f->unit->bytes) : (Bytes){ 0 });
    put_id(q, f->session);
    put_id(q, f->writer);
    query_u64(q, f->states);
}

Err store_request_each(Store *s, const RequestFilter *filter, StoreRequestFn *fn, void *ctx)
{
    Query q = query_begin(s, EACH);
    Err err = OK;

    put_filter(&q, filter);
    while (err == OK && query_next(&q)) {
        const StoreRequest r = take(&q);
        err = fn(ctx, &r);
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}

Err store_request_count(Store *s, const RequestFilter *filter, uint64_t *ret)
{
    Query q = query_begin(s, NUMBER);

    put_filter(&q, filter);
    *ret = query_next(&q) ? query_take_u64(&q) : 0;
    return query_end(&q);
}

Err store_request_move(Store *s, const StoreRequest *r, RequestState from)
{
    Query q = query_begin(s, MOVE);
    uint64_t changed;

    query_u64(&q, (uint64_t)r->state);
    query_u64(&q, r->ticket);
    query_u64(&q, r->deadline_ns);
    query_u64(&q, r->valid_until_ns);
    query_u64(&q, r->answered_ns);
    query_text(&q, r->who);
    query_text(&q, r->why);
    query_blob(&q, VIEW(r->leaf.bytes));
    query_blob(&q, VIEW(r->session.bytes));
    query_blob(&q, VIEW(r->writer.bytes));
    query_blob(&q, VIEW(r->id.bytes));
    query_u64(&q, (uint64_t)from);
    TRY(query_changed(&q, &changed));
    return changed == 1 ? OK : ERR_MORE;
}

Err store_request_shift(Store *s, int64_t by_ns)
{
    Query q = query_begin(s, by_ns < 0 ? EARLIER : LATER);

    query_u64(&q, by_ns < 0 ? (uint64_t)-by_ns : (uint64_t)by_ns);
    query_u64(&q, (uint64_t)REQUEST_OPEN);
    query_u64(&q, (uint64_t)REQUEST_APPROVED);
    return query_run(&q);
}

Err store_answer_add(Store *s, const Id *request, const StoreAnswer *a)
{
    Query q = query_begin(s, ANSWER_ADD);

    query_blob(&q, VIEW(request->bytes));
    query_text(&q, a->who);
    query_u64(&q, a->approved);
    query_text(&q, a->reason);
    query_u64(&q, a->at_ns);
    return query_run(&q);
}

Err store_answer_each(Store *s, const Id *request, StoreAnswerFn *fn, void *ctx)
{
    Query q = query_begin(s, ANSWER_EACH);
    Err err = OK;

    query_blob(&q, VIEW(request->bytes));
    while (err == OK && query_next(&q)) {
        StoreAnswer a = { .who = query_take(&q) };
        a.approved = query_take_u64(&q) != 0;
        a.reason = query_take(&q);
        a.at_ns = query_take_u64(&q);
        err = fn(ctx, &a);
    }
    const Err ended = query_end(&q);
    return err != OK ? err : ended;
}
