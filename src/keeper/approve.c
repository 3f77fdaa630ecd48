#include "keeper/approve.h"

#include "base/encode.h"
#include "base/json_write.h"
#include "base/text.h"
#include "keeper/check_word.h"
#include "model/limits.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <string.h>

enum { TEXT_MAX = 1 << 20, LOOK_ARENA = 4 << 20, ANSWER_MAX = 8192, SHOWN_MAX = 4096 };

static const uint64_t MS_NS = UINT64_C(1000000);
static const uint64_t HOUR_NS = UINT64_C(3600) * 1000000000;
static const uint64_t HOLD_MS_MAX = UINT64_C(30) * 24 * 3600 * 1000;

/* --- telling ------------------------------------------------------------------------------ */

void approve_tell(Keeper *k, const StoreRequest *r, HoldState state)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const KeeperPeer *peer = keeper_worker(k, &r->writer);
    const HoldAnswer answer = { .request = r->id,
                                .state = (uint8_t)state,
                                .check_word = r->check_word,
                                .who = r->who,
                                .why = r->why,
                                .approval_leaf = r->leaf };

    if (peer == NULL || peer->channel == NULL)
        return;
    buf_init(&body, ANSWER_MAX);
    if (pack_hold_answer(&body, &answer) != OK ||
        channel_tell(peer->channel, ASK_HOLD_ANSWER, buf_view(&body), -1) != OK)
        log_line(LOG_ERROR, "approval", "an answer could not be sent to its worker");
}

static bool waits(const StoreRequest *r)
{
    return !id_is_zero(&r->writer);
}

/* --- the text ----------------------------------------------------------------------------- */

static Err seal_text(Keeper *k, const Id *id, const HoldAsk *ask, Buf *out)
{
    CLEANUP(buf_done) Buf plain = { 0 };

    buf_init(&plain, TEXT_MAX);
    Json j = json_write_begin(&plain);
    json_write_object(&j, NULL);
    json_write_string(&j, "text", ask->text);
    json_write_raw(&j, "values", ask->values.len > 0 ? ask->values : LIT("[]"));
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    return keys_seal(&k->keys, VIEW(id->bytes), buf_view(&plain), out);
}

Err approve_text(Keeper *k, const StoreRequest *r, Buf *out)
{
    return keys_open(&k->keys, VIEW(r->id.bytes), r->sealed, out);
}

/* --- finding ------------------------------------------------------------------------------ */

typedef struct Found {
    Keeper *keeper;
    Arena *arena;
    Id id; /* zero: none */
    RequestState state;
    uint64_t time_ns; /* of the newest that fits */
} Found;

/* Newest first, so the first that counts is the one. */
static Err look_at(void *ctx, const StoreRequest *r)
{
    Found *f = ctx;
    const uint64_t now = f->keeper->now.unix_ns;

    if (!id_is_zero(&f->id))
        return OK;
    const bool counts = (r->state == REQUEST_OPEN && r->deadline_ns > now) ||
                        (r->state == REQUEST_APPROVED && r->valid_until_ns > now) ||
                        (r->state == REQUEST_DENIED && r->answered_ns + HOUR_NS > now);
    if (counts) {
        f->id = r->id;
        f->state = r->state;
    }
    return OK;
}

static Err find_same(Keeper *k, Bytes caller, const PackKey *unit, Arena *a, StoreRequest *ret)
{
    Found found = { .keeper = k, .arena = a };
    const RequestFilter same = { .caller = caller, .unit = unit };

    TRY(store_request_each(k->store, &same, look_at, &found));
    if (id_is_zero(&found.id))
        return ERR_MORE;
    return store_request_get(k->store, &found.id, a, ret);
}

/* --- making ------------------------------------------------------------------------------- */

static Err record_request(Keeper *k, const StoreRequest *r, const HoldAsk *ask)
{
    CLEANUP(buf_done) Buf payload = { 0 };
    const IdText id = id_text('r', &r->id);

    buf_init(&payload, TEXT_MAX);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "request", text_of(id.text));
    json_write_string(&j, "caller", r->caller);
    json_write_string(&j, "kind", text_of(identity_kind_name(r->caller_kind)));
    json_write_string(&j, "resource", r->resource);
    json_write_string(&j, "rule", r->rule);
    json_write_string(&j, "role", r->role);
    json_write_string(&j, "fact", r->fact);
    json_write_string(&j, "decision", r->decision);
    json_write_string(&j, "group", r->group);
    json_write_u64(&j, "count", r->count);
    json_write_u64(&j, "deadline_ns", r->deadline_ns);
    json_write_string(&j, "text", ask->text);
    json_write_raw(&j, "values", ask->values.len > 0 ? ask->values : LIT("[]"));
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = { .type = LEAF_APPROVAL_REQUEST,
                               .actor = r->caller,
                               .target = r->resource,
                               .about = r->session,
                               .payload = buf_view(&payload),
                               .ruling = RULING_HOLD,
                               .wait = true };
    return diary_write(&k->diary, &entry, k->now, NULL);
}

typedef struct Asker {
    const StoreSession *session;
    const HoldAsk *ask;
} Asker;

static bool session_waits(const HoldAsk *ask)
{
    return ask->ticket == 0 || ask->waits != 0;
}

static uint32_t people_asked(const HoldAsk *ask)
{
    return ask->count > 0 ? ask->count : 1;
}

static Err make_request(Keeper *k, const Asker *by, Arena *a, StoreRequest *ret)
{
    CLEANUP(buf_done) Buf sealed = { 0 };
    const HoldAsk *ask = by->ask;
    uint8_t random[2];
    const uint64_t hold = ask->hold_ms < HOLD_MS_MAX ? ask->hold_ms : HOLD_MS_MAX;

    random_fill(random, sizeof random);
    const CheckWord word = check_word(random);
    *ret = (StoreRequest){ .session = by->session->id,
                           .caller = by->session->user,
                           .caller_kind = by->session->kind,
                           .resource = by->session->resource,
                           .rule = ask->rule,
                           .role = ask->role,
                           .fact = ask->fact,
                           .decision = ask->decision,
                           .group = ask->group,
                           .unit = ask->unit,
                           .count = people_asked(ask),
                           .ticket = ask->ticket != 0,
                           .created_ns = k->now.unix_ns,
                           .deadline_ns = k->now.unix_ns + hold * MS_NS,
                           .valid_ms = ask->valid_ms };
    if (session_waits(ask))
        ret->writer = by->session->writer;
    random_fill(ret->id.bytes, sizeof ret->id.bytes);
    TRY(arena_copy(a, text_of(word.text), &ret->check_word));
    buf_init(&sealed, TEXT_MAX + 64);
    TRY(seal_text(k, &ret->id, ask, &sealed));
    ret->sealed = buf_view(&sealed);
    TRY(record_request(k, ret, ask));
    TRY(store_request_add(k->store, ret));
    ret->sealed = (Bytes){ 0 };
    return OK;
}

/* --- asking ------------------------------------------------------------------------------- */

static void say(HoldAnswer *ret, const StoreRequest *r, HoldState state)
{
    *ret = (HoldAnswer){ .request = r->id,
                         .state = (uint8_t)state,
                         .check_word = r->check_word,
                         .who = r->who,
                         .why = r->why,
                         .approval_leaf = r->leaf };
}

/* Somebody of the same caller waits for the same already, or left a ticket for it. A session that
 * would only wait for a while takes nobody's place. */
static Err join(Keeper *k, const Asker *by, StoreRequest *r, HoldAnswer *ret)
{
    const bool same = id_eq(&r->session, &by->session->id);
    const bool stays = session_waits(by->ask) && (by->ask->ticket == 0 || !waits(r) || same);

    if (stays && (!waits(r) || !same)) {
        const StoreRequest before = *r;
        r->session = by->session->id;
        r->writer = by->session->writer;
        TRY(store_request_move(k->store, r, REQUEST_OPEN));
        if (waits(&before)) {
            StoreRequest left = before;
            left.why = LIT("another session of yours waits for it now");
            approve_tell(k, &left, HOLD_WITHDRAWN);
        }
    }
    say(ret, r, stays ? HOLD_WAITING : HOLD_TICKET);
    return OK;
}

static Err use(Keeper *k, const Asker *by, StoreRequest *r, HoldAnswer *ret)
{
    r->state = REQUEST_USED;
    r->session = by->session->id;
    const Err err = store_request_move(k->store, r, REQUEST_APPROVED);

    if (err == ERR_MORE) {
        *ret = (HoldAnswer){ .why = LIT("the approval was used meanwhile") };
        return OK;
    }
    TRY(err);
    say(ret, r, HOLD_APPROVED);
    return OK;
}

static Err meet(Keeper *k, const Asker *by, StoreRequest *same, HoldAnswer *ret)
{
    if (same->state == REQUEST_OPEN)
        return join(k, by, same, ret);
    if (same->state == REQUEST_APPROVED)
        return use(k, by, same, ret);
    say(ret, same, HOLD_DENIED);
    return OK;
}

static Err too_many(Keeper *k, const StoreSession *session, bool *ret)
{
    const RequestFilter open = { .caller = session->user, .states = 1U << REQUEST_OPEN };
    uint64_t count;

    *ret = false;
    if (session->kind != IDENTITY_AGENT)
        return OK;
    TRY(store_request_count(k->store, &open, &count));
    *ret = count >= AGENT_REQUESTS_MAX;
    return OK;
}

/* Why it is not asked at all; *ret empty: it is. */
static Err why_not_asked(Keeper *k, const Asker *by, Arena *a, Bytes *ret)
{
    CLEANUP(buf_done) Buf words = { 0 };
    const uint32_t count = people_asked(by->ask);
    const StoreRequest probe = { .caller = by->session->user,
                                 .group = by->ask->group,
                                 .count = count };
    bool full, enough;

    *ret = (Bytes){ 0 };
    TRY(too_many(k, by->session, &full));
    if (full) {
        *ret = LIT("3 requests of this agent are open already");
        return OK;
    }
    TRY(approvers_are_enough(k, &probe, &enough));
    if (enough)
        return OK;
    buf_init(&words, SHOWN_MAX + 256);
    if (count == 1)
        TRY(text_format(&words, "there is nobody in %.*s who could answer", SHOW(by->ask->group)));
    else
        TRY(text_format(&words, "there are not %u people in %.*s who could answer", count,
                        SHOW(by->ask->group)));
    return arena_copy(a, buf_view(&words), ret);
}

static bool well_formed(const HoldAsk *ask)
{
    return ask->text.len <= LIMIT_HELD_TEXT && ask->fact.len <= SHOWN_MAX &&
           ask->rule.len <= SHOWN_MAX && ask->group.len > 0 && ask->group.len <= SHOWN_MAX &&
           ask->decision.len <= SHOWN_MAX && ask->role.len <= SHOWN_MAX;
}

Err approve_hold(Keeper *k, const Id *writer, const HoldAsk *ask, Arena *a, HoldAnswer *ret)
{
    StoreSession session;
    StoreRequest r;

    *ret = (HoldAnswer){ 0 };
    if (!well_formed(ask))
        return ERR_MALFORMED;
    const Err live = keeper_session(k, &ask->session, writer, a, &session);
    if (live == ERR_MORE)
        return ERR_MALFORMED;
    TRY(live);
    const Asker by = { &session, ask };
    const Err same = find_same(k, session.user, &ask->unit, a, &r);
    if (same == OK)
        return meet(k, &by, &r, ret);
    if (same != ERR_MORE)
        return same;
    TRY(why_not_asked(k, &by, a, &ret->why));
    if (ret->why.len > 0)
        return OK;
    TRY(make_request(k, &by, a, &r));
    say(ret, &r, session_waits(ask) ? HOLD_WAITING : HOLD_TICKET);
    return OK;
}

/* --- ending without an answer ------------------------------------------------------------- */

static Err record_end(Keeper *k, const StoreRequest *r, const char *outcome)
{
    CLEANUP(buf_done) Buf payload = { 0 };
    const IdText id = id_text('r', &r->id);

    buf_init(&payload, ANSWER_MAX);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "request", text_of(id.text));
    json_write_string(&j, "outcome", text_of(outcome));
    json_write_string(&j, "why", r->why);
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = { .type = LEAF_APPROVAL_ANSWER,
                               .actor = r->caller,
                               .target = r->resource,
                               .about = r->session,
                               .payload = buf_view(&payload),
                               .wait = false };
    return diary_write(&k->diary, &entry, k->now, NULL);
}

/* Nobody waits any more. A ticket stays, until its deadline. */
static Err leave(Keeper *k, StoreRequest *r, Bytes why)
{
    if (r->state != REQUEST_OPEN || (r->ticket && !waits(r)))
        return OK;
    if (r->ticket) {
        r->writer = (Id){ 0 };
        return store_request_move(k->store, r, REQUEST_OPEN);
    }
    return approve_take_back(k, r, why);
}

Err approve_take_back(Keeper *k, StoreRequest *r, Bytes why)
{
    r->why = utf8_upto(why, SHOWN_MAX / 4);
    r->answered_ns = k->now.unix_ns;
    r->state = REQUEST_WITHDRAWN;
    TRY(store_request_move(k->store, r, REQUEST_OPEN));
    approve_tell(k, r, HOLD_WITHDRAWN);
    return record_end(k, r, "withdrawn");
}

Err approve_withdraw(Keeper *k, const Id *writer, const HoldWithdraw *m)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    StoreRequest r;

    arena_init(&arena, LOOK_ARENA);
    const Err err = store_request_get(k->store, &m->request, &arena, &r);
    if (err == ERR_MORE || (err == OK && !id_eq(&r.writer, writer)))
        return OK; /* answered, or taken over, while the message was under way */
    TRY(err);
    const StoreRequest before = r;
    const Err left = leave(k, &r, m->why.len > 0 ? m->why : LIT("withdrawn by the caller"));
    if (left == OK && m->ticket != 0 && r.state == REQUEST_OPEN)
        approve_tell(k, &before, HOLD_TICKET);
    return left == ERR_MORE ? OK : left;
}

typedef struct Leaving {
    Keeper *keeper;
    Bytes why;
} Leaving;

static Err leave_one(void *ctx, const StoreRequest *r)
{
    const Leaving *l = ctx;
    StoreRequest copy = *r;
    const Err err = leave(l->keeper, &copy, l->why);

    return err == ERR_MORE ? OK : err;
}

Err approve_session_gone(Keeper *k, const Id *session)
{
    const RequestFilter of = { .session = session, .states = 1U << REQUEST_OPEN };
    Leaving l = { k, LIT("the session ended") };

    return store_request_each(k->store, &of, leave_one, &l);
}

Err approve_writer_gone(Keeper *k, const Id *writer)
{
    const RequestFilter of = { .writer = writer, .states = 1U << REQUEST_OPEN };
    Leaving l = { k, LIT("the worker ended") };

    return store_request_each(k->store, &of, leave_one, &l);
}

static Err leave_orphan(void *ctx, const StoreRequest *r)
{
    Leaving *l = ctx;

    return waits(r) && keeper_worker(l->keeper, &r->writer) == NULL ? leave_one(ctx, r) : OK;
}

Err approve_orphans_gone(Keeper *k)
{
    Leaving l = { k, LIT("the worker ended") };

    return store_request_each(k->store, &(RequestFilter){ .states = 1U << REQUEST_OPEN },
                              leave_orphan, &l);
}

/* --- time --------------------------------------------------------------------------------- */

static Err expire_one(void *ctx, const StoreRequest *r)
{
    Keeper *k = ctx;
    StoreRequest late = *r;
    const uint64_t limit = r->state == REQUEST_OPEN ? r->deadline_ns : r->valid_until_ns;

    if (limit > k->now.unix_ns)
        return OK;
    late.state = REQUEST_EXPIRED;
    if (r->state == REQUEST_OPEN)
        late.why = LIT("nobody answered in time");
    const Err err = store_request_move(k->store, &late, r->state);
    if (err == ERR_MORE)
        return OK;
    TRY(err);
    if (r->state == REQUEST_OPEN)
        approve_tell(k, &late, HOLD_EXPIRED);
    return record_end(k, &late, "expired");
}

Err approve_expire(Keeper *k)
{
    const RequestFilter pending = { .states = 1U << REQUEST_OPEN | 1U << REQUEST_APPROVED };

    return store_request_each(k->store, &pending, expire_one, k);
}
