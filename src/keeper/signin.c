#include "keeper/signin.h"

#include "base/encode.h"
#include "base/json_write.h"
#include "base/siphash.h"
#include "base/text.h"
#include "keeper/certificate.h"
#include "keeper/keeper_state.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <string.h>

static const uint64_t MINUTE_NS = UINT64_C(60) * 1000000000;

enum { NONCE_BYTES = 18, SALT_BYTES = 16, SIGNIN_ARENA = 16 << 10, NAME_SHOWN = 128 };

/* --- too many failures -------------------------------------------------------------------- */

static Attempts *attempts_of(Signins *s, Bytes user, Bytes peer, uint64_t *ret_who)
{
    const SipKey key = siphash_key(s->hash_key);
    size_t host = peer.len; /* every connection has another port */

    while (host > 0 && peer.ptr[host - 1] != ':')
        host--;
    host = host > 0 ? host : peer.len;
    const uint64_t parts[] = { siphash(key, user), siphash(key, bytes_upto(peer, host)) };
    *ret_who = siphash(key, VIEW(parts));
    return &s->attempts[*ret_who % ATTEMPT_SLOTS];
}

bool signin_is_limited(Keeper *k, Bytes user, Bytes peer)
{
    uint64_t who;
    const Attempts *a = attempts_of(&k->signins, user, peer, &who);

    return a->who == who && a->failed >= ATTEMPTS_FREE &&
           k->now.mono_ns - a->since_mono_ns < MINUTE_NS;
}

void signin_count_failure(Keeper *k, Bytes user, Bytes peer)
{
    uint64_t who;
    Attempts *a = attempts_of(&k->signins, user, peer, &who);

    if (a->who != who || k->now.mono_ns - a->since_mono_ns >= MINUTE_NS)
        *a = (Attempts){ .who = who, .since_mono_ns = k->now.mono_ns };
    a->failed++;
}

/* --- the record ----------------------------------------------------------------------------- */

static Err record_attempt(Keeper *k, const Signin *n, Bytes outcome, Ruling ruling)
{
    const bool admitted = ruling == RULING_ALLOW;
    CLEANUP(buf_done) Buf payload = { 0 };

    const IdText session = id_text('s', &n->session);

    buf_init(&payload, 8192);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "user", n->user);
    json_write_string(&j, "resource", n->resource);
    json_write_string(&j, "peer", n->peer);
    json_write_string(&j, "session", text_of(session.text));
    json_write_string(&j, "method", n->plus ? LIT("scram-sha-256-plus") : LIT("scram-sha-256"));
    if (n->certificate_sha256.len > 0) {
        json_write_string(&j, "certificate_subject", n->certificate_subject);
        json_write_string(&j, "certificate_sha256", n->certificate_sha256);
    }
    json_write_string(&j, "outcome", outcome);
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    DiaryEntry entry = { .type = LEAF_AUTH,
                         .actor = n->user,
                         .target = n->resource,
                         .payload = buf_view(&payload),
                         .ruling = (uint8_t)ruling,
                         .wait = admitted };
    if (admitted)
        entry.about = n->session;
    return diary_write(&k->diary, &entry, k->now, NULL);
}

/* --- begin -------------------------------------------------------------------------------- */

static void forget(Signin *n)
{
    arena_done(&n->arena);
    *n = (Signin){ 0 };
}

void signins_done(Signins *s)
{
    for (size_t i = 0; i < SIGNINS_MAX; i++)
        forget(&s->open[i]);
}

static Signin *free_place(Keeper *k)
{
    for (size_t i = 0; i < SIGNINS_MAX; i++) {
        Signin *n = &k->signins.open[i];

        if (!id_is_zero(&n->session) && k->now.mono_ns - n->begun_mono_ns > MINUTE_NS)
            forget(n);
        if (id_is_zero(&n->session))
            return n;
    }
    return NULL;
}

/* For names that nobody has, as people would have it. */
static void fake_salt(const Keeper *k, Bytes user, ScramServerFirst *ret)
{
    const Hash salt = hmac_of(&k->keys.fake_salt, user);

    memcpy(ret->salt, salt.bytes, SALT_BYTES);
    ret->salt_bytes = SALT_BYTES;
    ret->rounds = USER_ROUNDS;
}

static Err choose_salt(Keeper *k, Bytes user, Arena *a, ScramServerFirst *ret)
{
    StoreUser u;

    fake_salt(k, user, ret);
    const Err err = store_user_get(k->store, user, a, &u);
    if (err == ERR_MORE)
        return OK;
    TRY(err);
    if (u.salt.len >= SCRAM_SALT_MIN && u.salt.len <= SCRAM_SALT_MAX) {
        memcpy(ret->salt, u.salt.ptr, u.salt.len);
        ret->salt_bytes = u.salt.len;
        ret->rounds = u.rounds;
    }
    return OK;
}

static Err write_server_first(Keeper *k, Signin *n, Buf *out)
{
    CLEANUP(buf_done) Buf nonce = { 0 };
    uint8_t ours[NONCE_BYTES];
    Bytes theirs;
    ScramServerFirst first = { 0 };

    buf_init(&nonce, 2 * SCRAM_NONCE_MAX);
    TRY(scram_client_first_bare_parse(n->client_first_bare, &theirs));
    random_fill(ours, sizeof ours);
    TRY(buf_append(&nonce, theirs));
    TRY(base64_encode(VIEW(ours), &nonce));
    first.nonce = buf_view(&nonce);
    TRY(choose_salt(k, n->user, &n->arena, &first));
    return scram_server_first_write(&first, out);
}

static Err begin(Keeper *k, Signin *n, const SigninBegin *ask)
{
    CLEANUP(buf_done) Buf first = { 0 };

    buf_init(&first, SCRAM_MESSAGE_MAX);
    arena_init(&n->arena, SIGNIN_ARENA);
    TRY(arena_copy(&n->arena, ask->user, &n->user));
    TRY(arena_copy(&n->arena, ask->resource, &n->resource));
    TRY(arena_copy(&n->arena, ask->peer, &n->peer));
    TRY(arena_copy(&n->arena, ask->client_first_bare, &n->client_first_bare));
    TRY(write_server_first(k, n, &first));
    return arena_copy(&n->arena, buf_view(&first), &n->server_first);
}

static void log_refused_certificate(const Signin *n)
{
    const IdText session = id_text('s', &n->session);

    log_line(LOG_WARN, "sign-in", "%s: a client certificate is missing or not accepted",
             session.text);
}

/* There is nothing to prove any more. */
static Err refuse_certificate(Keeper *k, Signin *n, Bytes why, Arena *a, SigninBeginAnswer *ret)
{
    log_refused_certificate(n);
    ret->refused = CHP_3304;
    Err err = arena_copy(a, why, &ret->why);
    if (err == OK)
        err = record_attempt(k, n, why, RULING_DENY);
    forget(n);
    return err;
}

Err signin_begin(Keeper *k, const Id *writer, const SigninBegin *ask, Arena *a,
                 SigninBeginAnswer *ret)
{
    Signin *n = free_place(k);

    if (n == NULL || ask->user.len > NAME_SHOWN || ask->resource.len > NAME_SHOWN)
        return ERR_LIMIT;
    const Err err = begin(k, n, ask);
    if (err != OK) {
        forget(n);
        return err;
    }
    random_fill(n->session.bytes, sizeof n->session.bytes);
    n->writer = *writer;
    n->begun_mono_ns = k->now.mono_ns;
    ret->session = n->session;
    Bytes why;
    if (certificate_refuses(k, n, ask, &why))
        return refuse_certificate(k, n, why, a, ret);
    return arena_copy(a, n->server_first, &ret->server_first);
}

/* --- prove -------------------------------------------------------------------------------- */

typedef struct Trial {
    const Keeper *keeper;
    const ScramExchange *exchange;
    Hash proof;
    size_t tried;
    bool held;
    StoreVerifier verifier; /* that held; its views are dead */
} Trial;

static ScramVerifier scram_of(const StoreVerifier *v)
{
    ScramVerifier s;

    memcpy(s.stored_key.bytes, v->stored_key.bytes, sizeof s.stored_key.bytes);
    memcpy(s.server_key.bytes, v->server_key.bytes, sizeof s.server_key.bytes);
    return s;
}

static Err try_verifier(void *ctx, const StoreVerifier *v)
{
    Trial *t = ctx;
    const ScramVerifier s = scram_of(v);
    const uint64_t now = t->keeper->now.unix_ns;

    t->tried++;
    const bool holds = scram_proof_holds(&s, t->exchange, &t->proof);
    if (!holds || v->revoked_ns != 0 || (v->expires_ns != 0 && v->expires_ns <= now))
        return OK;
    t->held = true;
    t->verifier = *v;
    return OK;
}

static void try_nobody(const Keeper *k, Bytes user, Trial *t)
{
    const Hash key = hmac_of(&k->keys.fake_verifier, user);
    const ScramVerifier fake = { .stored_key = key, .server_key = key };

    t->held = scram_proof_holds(&fake, t->exchange, &t->proof) && false;
}

/* What the client took for the end of its road is our own certificate (RFC 5802 §6): the
 * one that it was shown. "y": it knows
 * of channel binding and was offered none, which over TLS somebody must have hidden from it. */
static bool is_bound_rightly(const Keeper *k, const SigninProve *ask)
{
    const KeeperEdition *e = keeper_edition_of(k, ask->epoch);

    if (e == NULL)
        return false; /* its certificate is long gone */
    const TlsCertificate *c = &e->handshakes.certificate;
    const bool bound = text_starts(ask->gs2_header, LIT("p="));
    const bool has_binding = e->handshakes.key != NULL && c->binding_len > 0;
    const Bytes binding = { c->binding, bound ? c->binding_len : 0 };

    if (bound && (!has_binding || ask->tls == 0))
        return false;
    if (has_binding && ask->tls != 0 && text_starts(ask->gs2_header, LIT("y")))
        return false;
    return scram_binding_holds(ask->client_final_without_proof, ask->gs2_header, binding);
}

/* A key of this session's records: to the worker in clear, to the store wrapped. */
static Err make_key(Keeper *k, const Id *session, bool content, PackKey *ret_key, Id *ret_id)
{
    CLEANUP(buf_done) Buf wrapped = { 0 };

    buf_init(&wrapped, 256);
    random_fill(ret_key->bytes, sizeof ret_key->bytes);
    random_fill(ret_id->bytes, sizeof ret_id->bytes);
    TRY(keys_seal(&k->keys, VIEW(ret_id->bytes), VIEW(ret_key->bytes), &wrapped));
    const StoreKey row = { .id = *ret_id,
                           .wrapped = buf_view(&wrapped),
                           .session = *session,
                           .content = content,
                           .created_ns = k->now.unix_ns };
    return store_key_add(k->store, &row);
}

static Err keep_session(Keeper *k, const Signin *n, const SigninProve *ask, const Trial *trial,
                        SigninProveAnswer *ret)
{
    StoreSession row = { .id = n->session,
                         .writer = n->writer,
                         .user = n->user,
                         .kind = (IdentityKind)ret->identity_kind,
                         .resource = n->resource,
                         .peer = n->peer,
                         .application = ask->application,
                         .purpose = ask->purpose,
                         .credential = trial->verifier.id,
                         .certificate_subject = n->certificate_subject,
                         .certificate_sha256 = n->certificate_sha256,
                         .started_ns = k->now.unix_ns };

    TRY(make_key(k, &n->session, false, &ret->audit_key, &ret->audit_key_id));
    TRY(make_key(k, &n->session, true, &ret->content_key, &ret->content_key_id));
    TRY(store_segment_lowest_open(k->store, &n->writer, &row.first_segment));
    row.audit_key = ret->audit_key_id;
    row.content_key = ret->content_key_id;
    ret->salt = keys_record_salt(&k->keys, &n->session);
    return store_session_add(k->store, &row);
}

static Err pack_groups(const Identity *who, Arena *a, PackList *ret)
{
    CLEANUP(buf_done) Buf list = { 0 };

    buf_init(&list, 64 << 10);
    for (size_t i = 0; i < who->group_count; i++)
        TRY(pack_item(&list, who->groups[i]));
    return arena_copy(a, buf_view(&list), &ret->packed);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

typedef struct Proof {
    Keeper *keeper;
    const Signin *signin;
    const SigninProve *ask;
    const Trial *trial;
    const Identity *who;
    const StoreUser *user;
} Proof;

static Err admit(const Proof *p, Arena *a, SigninProveAnswer *ret)
{
    CLEANUP(buf_done) Buf final = { 0 };
    Keeper *k = p->keeper;
    const ScramVerifier verifier = scram_of(&p->trial->verifier);

    buf_init(&final, SCRAM_MESSAGE_MAX);
    TRY(scram_server_final_write(&verifier, p->trial->exchange, &final));
    TRY(arena_copy(a, buf_view(&final), &ret->server_final));
    ret->identity_kind = (uint8_t)p->who->kind;
    ret->name = p->who->name;
    ret->owner = p->who->owner;
    TRY(pack_groups(p->who, a, &ret->groups));
    ret->by_token = p->trial->verifier.kind == VERIFIER_TOKEN;
    ret->expires_unix_ns = earliest(p->trial->verifier.expires_ns, p->user->expires_ns);
    TRY(store_begin(k->store));
    Err err = keep_session(k, p->signin, p->ask, p->trial, ret);
    if (err == OK)
        err = record_attempt(k, p->signin, LIT("success"), RULING_ALLOW);
    if (err == OK)
        err = store_commit(k->store);
    store_rollback(k->store);
    return err;
}

/* Of whoever is who they say: would their records have room? */
static bool no_room(Keeper *k, const Signin *n, Arena *a, SigninProveAnswer *ret)
{
    ret->rule = LIT("recording-budget");
    if (budget_refuses(k, n->user, n->resource, a, &ret->why))
        return true;
    ret->rule = LIT("disk-watermark");
    return watermark_refuses(k, n->user, a, &ret->why);
}

static Err judge(Keeper *k, const Signin *n, const SigninProve *ask, Arena *a,
                 SigninProveAnswer *ret)
{
    const ScramExchange exchange = { n->client_first_bare, n->server_first,
                                     ask->client_final_without_proof };
    Trial trial = { 0 };
    Identity who;
    StoreUser user;

    trial.keeper = k;
    trial.exchange = &exchange;
    memcpy(trial.proof.bytes, ask->proof.bytes, sizeof trial.proof.bytes);
    const Err known = keeper_identity(k, n->user, a, &who, &user);
    if (known != OK && known != ERR_MORE)
        return known;
    TRY(store_verifier_each(k->store, n->user, try_verifier, &trial));
    if (trial.tried == 0)
        try_nobody(k, n->user, &trial);
    if (certificate_is_missing(k, n, known == OK ? &who : NULL)) {
        signin_count_failure(k, n->user, n->peer);
        log_refused_certificate(n);
        ret->refused = CHP_3304;
        ret->why = LIT("no client certificate was shown");
        return record_attempt(k, n, ret->why, RULING_DENY);
    }
    if (known != OK || !trial.held || !is_bound_rightly(k, ask) ||
        signin_is_limited(k, n->user, n->peer)) {
        signin_count_failure(k, n->user, n->peer);
        return record_attempt(k, n, LIT("failure"), RULING_DENY);
    }
    if (no_room(k, n, a, ret)) {
        ret->refused = CHP_3402;
        return record_attempt(k, n, ret->why, RULING_DENY);
    }
    const Proof proof = { k, n, ask, &trial, &who, &user };
    TRY(admit(&proof, a, ret));
    ret->ok = 1;
    return OK;
}

static Signin *pending(Signins *s, const Id *session, const Id *writer)
{
    for (size_t i = 0; i < SIGNINS_MAX; i++)
        if (id_eq(&s->open[i].session, session) && id_eq(&s->open[i].writer, writer))
            return &s->open[i];
    return NULL;
}

Err signin_prove(Keeper *k, const Id *writer, const SigninProve *ask, Arena *a,
                 SigninProveAnswer *ret)
{
    *ret = (SigninProveAnswer){ 0 };
    Signin *n = id_is_zero(&ask->session) ? NULL : pending(&k->signins, &ask->session, writer);

    if (n == NULL)
        return OK; /* too late, or never begun: no */
    n->plus = text_starts(ask->gs2_header, LIT("p="));
    const Err err = judge(k, n, ask, a, ret);
    forget(n);
    if (err == OK)
        return OK;
    *ret = (SigninProveAnswer){ 0 };
    log_line(LOG_ERROR, "sign-in", "cannot be recorded or kept: %s", store_why(k->store));
    return OK;
}
