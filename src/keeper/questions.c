#include "keeper/questions.h"

#include "base/text.h"
#include "keeper/admin.h"
#include "keeper/approve.h"
#include "keeper/segments.h"
#include "model/limits.h"
#include "sys/file.h"

enum { QUESTION_ARENA = 1 << 20 };

/* An answer of nothing but zeros says no in every one of them. */
#define ANSWER(peer, m, prefix, answer, fd)                                                        \
    do {                                                                                           \
        CLEANUP(buf_done) Buf answer_body_ = { 0 };                                                \
        buf_init(&answer_body_, LIMIT_IPC_MESSAGE - 64);                                           \
        TRY(pack_##prefix(&answer_body_, (answer)));                                               \
        TRY(channel_reply((peer)->channel, (m), buf_view(&answer_body_), (fd)));                   \
    } while (0)

static Err on_segment(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    SegmentAsk ask;
    SegmentAnswer answer;
    CLEANUP(file_done) File f = { .fd = -1 };

    (void)a;
    TRY(unpack_segment_ask(m->body, &ask));
    if (!id_eq(&ask.writer, &p->writer))
        return ERR_MALFORMED;
    TRY(segments_give(p->keeper, &p->writer, &answer, &f.fd));
    ANSWER(p, m, segment_answer, &answer, f.fd);
    return OK;
}

static Err on_seal(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return segments_seal(p, m->body);
}

static Err on_signin_begin(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    SigninBegin ask;
    SigninBeginAnswer answer = { 0 };

    TRY(unpack_signin_begin(m->body, &ask));
    /* A client that breaks SCRAM, or too many at once: an empty answer, and the worker says no. */
    if (signin_begin(p->keeper, &p->writer, &ask, a, &answer) != OK)
        answer = (SigninBeginAnswer){ 0 };
    ANSWER(p, m, signin_begin_answer, &answer, -1);
    return OK;
}

static Err on_signin_prove(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    SigninProve ask;
    SigninProveAnswer answer;

    TRY(unpack_signin_prove(m->body, &ask));
    TRY(signin_prove(p->keeper, &p->writer, &ask, a, &answer));
    ANSWER(p, m, signin_prove_answer, &answer, -1);
    /* Behind the answer: the worker knows the session by then. */
    return answer.ok != 0 ? budget_tell(p, &ask.session) : OK;
}

static Err on_session_end(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    Keeper *k = p->keeper;
    SessionEnd end;
    StoreSession session;

    TRY(unpack_session_end(m->body, &end));
    const Err live = keeper_session(k, &end.session, &p->writer, a, &session);
    if (live == ERR_MORE)
        return OK; /* said twice, as after a restart */
    TRY(live);
    session.ended_ns = k->now.unix_ns;
    session.reason = end.reason;
    session.statements = end.statements;
    TRY(store_session_end(k->store, &session));
    budget_session_gone(k, &end.session);
    return approve_session_gone(k, &end.session);
}

static Err on_session_server(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    SessionServer at;
    StoreSession session;

    TRY(unpack_session_server(m->body, &at));
    const Err live = keeper_session(p->keeper, &at.session, &p->writer, a, &session);
    if (live != OK)
        return live == ERR_MORE ? OK : live; /* it has ended, or never was this worker's */
    return store_session_server(p->keeper->store, &at.session, utf8_upto(at.endpoint, 64));
}

static Err on_session_alive(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    SessionAlive alive;
    StoreSession session;

    TRY(unpack_session_alive(m->body, &alive));
    if (!id_eq(&alive.writer, &p->writer))
        return ERR_MALFORMED;
    const Err live = keeper_session(p->keeper, &alive.session, &p->writer, a, &session);
    if (live == OK)
        return budget_tell(p, &alive.session);
    if (live != ERR_MORE)
        return live;
    /* We do not know it, or gave it up: it has to end. */
    session = (StoreSession){ .id = alive.session, .writer = p->writer };
    return keeper_kill_session(p->keeper, &session, LIT("the gateway does not know this session"));
}

static Err on_recorded(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return budget_recorded(p, m->body);
}

static Err on_upstream_prove(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return upstream_prove(p, m->id, m->body);
}

static Err on_upstream_md5(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return upstream_md5(p, m);
}

static Err on_tls_sign(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return handshake_sign(p, m->id, m->body);
}

static Err on_pseudonym_key(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    Keeper *k = p->keeper;
    PseudonymKey ask;
    PseudonymKeyAnswer answer = { 0 };
    StoreSession session;

    TRY(unpack_pseudonym_key(m->body, &ask));
    if (ask.scope.len > 1024)
        return ERR_MALFORMED;
    if (keeper_session(k, &ask.session, &p->writer, a, &session) == OK) {
        keys_pseudonym(&k->keys, session.resource, ask.scope, &answer.key_low, &answer.key_high);
        answer.ok = 1;
    }
    ANSWER(p, m, pseudonym_key_answer, &answer, -1);
    return OK;
}

static Err on_hold(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    HoldAsk ask;
    HoldAnswer answer;

    TRY(unpack_hold_ask(m->body, &ask));
    const Err err = approve_hold(p->keeper, &p->writer, &ask, a, &answer);
    if (err == ERR_MALFORMED)
        return err;
    if (err != OK)
        answer = (HoldAnswer){ .why = LIT("the request could not be recorded") };
    ANSWER(p, m, hold_answer, &answer, -1);
    return OK;
}

static Err on_hold_withdraw(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    HoldWithdraw withdraw;

    (void)a;
    TRY(unpack_hold_withdraw(m->body, &withdraw));
    return approve_withdraw(p->keeper, &p->writer, &withdraw);
}

static Err on_admin(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return admin_take(p, m);
}

static Err on_tally(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return tally_count(p->keeper, m->body);
}

static Err on_syncs(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return tally_syncs(p->keeper, m->body);
}

static Err on_metrics(KeeperPeer *p, const ChannelMessage *m, Arena *a)
{
    (void)a;
    return tally_ask(p, m->id);
}

typedef Err Handler(KeeperPeer *p, const ChannelMessage *m, Arena *a);

static const struct {
    AskKind kind;
    Handler *handler;
} TABLE[] = {
    { ASK_SEGMENT, on_segment },
    { ASK_SEAL, on_seal },
    { ASK_SIGNIN_BEGIN, on_signin_begin },
    { ASK_SIGNIN_PROVE, on_signin_prove },
    { ASK_SESSION_END, on_session_end },
    { ASK_SESSION_SERVER, on_session_server },
    { ASK_SESSION_ALIVE, on_session_alive },
    { ASK_RECORDED, on_recorded },
    { ASK_UPSTREAM_PROVE, on_upstream_prove },
    { ASK_UPSTREAM_MD5, on_upstream_md5 },
    { ASK_TLS_SIGN, on_tls_sign },
    { ASK_PSEUDONYM_KEY, on_pseudonym_key },
    { ASK_HOLD, on_hold },
    { ASK_HOLD_WITHDRAW, on_hold_withdraw },
    { ASK_ADMIN, on_admin },
    { ASK_TALLY, on_tally },
    { ASK_SYNCS, on_syncs },
    { ASK_METRICS, on_metrics },
};

Err questions_take(KeeperPeer *peer, const ChannelMessage *m)
{
    CLEANUP(arena_done) Arena arena = { 0 };

    arena_init(&arena, QUESTION_ARENA);
    if (!ask_allowed(m->kind, peer->party, PARTY_KEEPER, m->is_question))
        return ERR_REFUSED;
    for (size_t i = 0; i < COUNT_OF(TABLE); i++)
        if (TABLE[i].kind == m->kind)
            return TABLE[i].handler(peer, m, &arena);
    return ERR_REFUSED;
}
