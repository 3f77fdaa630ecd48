/* From accept to the first ReadyForQuery: the client's sign-in, what must be known before it may
 * ask anything, and the gateway's own sign-in at the target. */
#include "worker/edition.h"

#include "base/encode.h"
#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_write.h"
#include "record/payload.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <string.h>
#include <unistd.h>

enum { PREPARE_MS = 10000, UPSTREAM_MS = 15000, NONCE_BYTES = 18, SLOT_SHIFT = 24, PAUSE_MS = 500 };

static void refuse(Session *s, MessageCode code)
{
    session_farewell(s, &(Fault){ .code = code });
}

/* Cut while somebody was being asked for it: what comes now is too late. */
static bool is_over(const Session *s)
{
    return s->phase == SESSION_ENDING || s->phase == SESSION_DEAD;
}

static Err ask_keeper(Session *s, uint16_t kind, Bytes body, ChannelAnswer *answer)
{
    s->phase = SESSION_KEEPER;
    return channel_ask(s->worker->keeper, kind, body, answer, s);
}

/* --- the target ------------------------------------------------------------------------------ */

static Bytes setting_named(const PgStartup *p, const char *name, bool own)
{
    const PgSetting *list = own ? p->own : p->settings;
    const size_t count = own ? p->own_count : p->setting_count;

    for (size_t i = 0; i < count; i++)
        if (text_eq_nocase(list[i].name, text_of(name)))
            return list[i].value;
    return (Bytes){ 0 };
}

static void on_upstream_proof(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    UpstreamProveAnswer a;
    Hash signature;

    session_mark(s);
    if (is_over(s))
        return;
    if (m == NULL || unpack_upstream_prove_answer(m->body, &a) != OK || a.ok == 0) {
        refuse(s, CHP_5102);
        return;
    }
    memcpy(signature.bytes, a.server_signature.bytes, sizeof signature.bytes);
    s->phase = SESSION_UPSTREAM;
    if (pg_upstream_proved(&s->upstream, &s->gate.wire, a.client_final, &signature) != OK)
        refuse(s, CHP_5102);
}

static void prove_upstream(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const UpstreamProve ask = {
        .session = s->id,
        .epoch = s->worker->edition->epoch,
        .resource = target_index(s->target),
        .client_first_bare = s->upstream.client_first_bare,
        .server_first = s->upstream.server_first,
        .gs2_header = s->upstream.gs2_header,
        .binding = s->upstream.binding,
    };

    buf_init(&body, 16 << 10);
    if (pack_upstream_prove(&body, &ask) != OK ||
        ask_keeper(s, ASK_UPSTREAM_PROVE, buf_view(&body), on_upstream_proof) != OK)
        refuse(s, CHP_5201);
}

/* Our own process id and key: the top bits say which worker knows the session. */
static void choose_cancel_key(Session *s)
{
    uint32_t random;

    random_fill(&random, sizeof random);
    random_fill(s->cancel_key, sizeof s->cancel_key);
    s->cancel_pid = s->worker->slot << SLOT_SHIFT | (random & 0xFFFFFF);
}

static Err open_road(Session *s)
{
    Buf *out = &s->gate.wire.to_client;
    size_t mark;

    choose_cancel_key(s);
    TRY(buf_append(out, buf_view(&s->upstream.parameters)));
    TRY(pg_parameter(out, LIT("chaperone.session"), text_of(id_text('s', &s->id).text)));
    TRY(pg_open(out, 'K', &mark));
    TRY(buf_u32(out, s->cancel_pid));
    TRY(buf_append(out, VIEW(s->cancel_key)));
    pg_close(out, mark);
    TRY(pg_ready(out, 'I'));
    ports_connect(s);
    s->deadline_ms = 0;
    s->phase = SESSION_OPEN;
    session_mark(s);
    return OK;
}

/* A password is often changed there first, and a moment later in the file that the keeper reads at
 * each proof. Once for a session, and once in a while for a target: others may count failures. */
static bool may_try_again(const Session *s)
{
    return text_eq(s->upstream.refused, LIT("28P01")) && s->again_ms == 0 &&
           target_may_try_again(s->target);
}

static void pause_before_again(Session *s)
{
    s->again_ms = now_ms(s->worker) + PAUSE_MS;
    session_detach_server(s);
    pg_upstream_done(&s->upstream);
    s->phase = SESSION_PAUSING;
}

static void upstream_step(Session *s)
{
    PgUpstreamOrder order;
    const Err err = pg_upstream_spoke(&s->upstream, &s->gate.wire, &order);

    if (err != OK) {
        log_line(LOG_WARN, "target", "%.*s refused the gateway: SQLSTATE %.*s",
                 SHOW(target_resource(s->target)->name), SHOW(s->upstream.refused));
        if (err == ERR_REFUSED && may_try_again(s))
            pause_before_again(s);
        else
            refuse(s, CHP_5102);
    } else if (order == UPSTREAM_PROVE) {
        prove_upstream(s);
    } else if (order == UPSTREAM_READY && open_road(s) != OK) {
        refuse(s, CHP_5101);
    } else if (s->server_gone && order == UPSTREAM_WAIT) {
        refuse(s, CHP_5101);
    }
}

static Err start_upstream(Session *s)
{
    CLEANUP(buf_done) Buf nonce = { 0 }, name = { 0 }, path = { 0 };
    const Resource *resource = target_resource(s->target);
    const PgStartup *p = &s->signin.startup;
    uint8_t random[NONCE_BYTES];
    PgSetting settings[PG_SETTINGS_MAX + 1];

    buf_init(&nonce, 64);
    buf_init(&name, 128);
    buf_init(&path, 1024);
    random_fill(random, sizeof random);
    TRY(base64_encode(VIEW(random), &nonce));
    TRY(text_format(&name, "chaperone/%s/%.*s", id_text('s', &s->id).text, SHOW(s->who.name)));
    TRY(text_format(&path, "%.*s", SHOW(s->view->knowledge->default_path)));
    memcpy(settings, p->settings, p->setting_count * sizeof *settings);
    settings[p->setting_count] = (PgSetting){ LIT("search_path"), buf_view(&path) };
    const PgUpstreamStart start = {
        .user = resource->credentials.user,
        .database = resource->database.len > 0 ? resource->database : resource->name,
        .application = utf8_upto(buf_view(&name), 63),
        .settings = settings,
        .setting_count = p->setting_count + 1,
        .nonce = buf_view(&nonce),
        .binding = s->server_tls != NULL ? tls_binding(s->server_tls) : (Bytes){ 0 },
    };
    s->phase = SESSION_UPSTREAM;
    s->deadline_ms = now_ms(s->worker) + UPSTREAM_MS;
    return pg_upstream_init(&s->upstream, &s->arena, &start, &s->gate.wire);
}

/* Handshake done, or not needed. */
static void enter_target(Session *s)
{
    if (start_upstream(s) != OK)
        refuse(s, CHP_5101);
}

static void secure_target(Session *s)
{
    const char *why = "it hung up";
    const Err err =
        s->server_gone ? ERR_IO : target_secure(s->target, s->server_fd, &s->server_tls, &why);

    if (err == OK) {
        enter_target(s);
    } else if (err != ERR_MORE) {
        log_line(LOG_WARN, "tls", "%.*s: %s; nothing is sent to it in plain text",
                 SHOW(target_resource(s->target)->name), why);
        refuse(s, CHP_5101);
    }
}

static void on_dialed(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    DialAnswer a = { 0 };

    session_mark(s);
    if (is_over(s)) {
        if (m != NULL && m->fd >= 0)
            close(m->fd);
        return;
    }
    if (m == NULL || unpack_dial_answer(m->body, &a) != OK || a.ok == 0 || m->fd < 0) {
        log_line(LOG_WARN, "target", "%.*s cannot be reached: %.*s",
                 SHOW(target_resource(s->target)->name), SHOW(a.why));
        refuse(s, CHP_5101);
        return;
    }
    session_attach_server(s, m->fd);
    if (!target_is_secured(s->target)) {
        enter_target(s);
        return;
    }
    s->phase = SESSION_SECURING;
    s->deadline_ms = now_ms(s->worker) + UPSTREAM_MS;
    if (target_secure_begin(m->fd) != OK)
        refuse(s, CHP_5101);
}

static void dial(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const DialAsk ask = { s->worker->edition->epoch, target_index(s->target) };

    buf_init(&body, 64);
    s->phase = SESSION_DIALING;
    if (pack_dial(&body, &ask) != OK ||
        channel_ask(s->worker->supervisor, ASK_DIAL, buf_view(&body), on_dialed, s) != OK)
        refuse(s, CHP_5101);
}

void signin_pause_over(Session *s)
{
    dial(s);
}

/* --- what must be known first ---------------------------------------------------------------- */

const MaskingProfile *session_profile(const Session *s)
{
    return policy_profile(s->ruler.policy, s->ruler.role->masking);
}

void signin_prepared(Session *s)
{
    if (s->phase != SESSION_PREPARING || s->keys_due > 0 || !target_is_known(s->target))
        return;
    if (s->view == NULL && target_view(s->target, session_profile(s), &s->view) != OK) {
        refuse(s, CHP_5202);
        return;
    }
    dial(s);
}

/* A statement may have waited for the keys that new rules ask for. */
static void go_on(Session *s)
{
    if (s->keys_due == 0 && s->gate.wait == GATE_WAITS_CATALOGUE && s->parse_job == NULL &&
        gate_resume(&s->gate) != OK)
        session_farewell(s, &(Fault){ .code = CHP_5401 });
}

static void on_pseudonym_key(void *ctx, const ChannelMessage *m)
{
    PhiKey *key;
    Session *s = ctx;
    PseudonymKeyAnswer a;
    uint8_t raw[64];

    session_mark(s);
    if (is_over(s))
        return;
    if (m == NULL || unpack_pseudonym_key_answer(m->body, &a) != OK || a.ok == 0) {
        refuse(s, CHP_5202);
        return;
    }
    /* Asked one after the other, so the answers come in order. */
    key = &s->phi_keys.keys[s->phi_keys.count - s->keys_due];
    memcpy(raw, a.key_low.bytes, 32);
    memcpy(raw + 32, a.key_high.bytes, 32);
    const Err err = siv_init(&key->siv, VIEW(raw));
    memset(raw, 0, sizeof raw);
    s->keys_due--;
    if (err != OK)
        refuse(s, CHP_5202);
    else if (s->phase == SESSION_OPEN)
        go_on(s);
    else
        signin_prepared(s);
}

static bool has_scope(const Session *s, Bytes scope)
{
    for (size_t i = 0; i < s->phi_keys.count; i++)
        if (text_eq(s->phi_keys.keys[i].scope, scope))
            return true;
    return false;
}

static bool is_missing(const Session *s, const MaskingRule *rule)
{
    return rule->method == MASK_PSEUDONYM && !has_scope(s, rule->scope);
}

static Err ask_for_key(Session *s, Bytes scope)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const PseudonymKey ask = { s->id, scope };

    buf_init(&body, 1024);
    s->phi_keys.keys[s->phi_keys.count++].scope = scope;
    s->keys_due++;
    TRY(pack_pseudonym_key(&body, &ask));
    return channel_ask(s->worker->keeper, ASK_PSEUDONYM_KEY, buf_view(&body), on_pseudonym_key, s);
}

Err signin_ask_missing_keys(Session *s)
{
    const MaskingProfile *profile = session_profile(s);
    const size_t rules = profile != NULL ? profile->rules.count : 0;
    PhiKeys *known = &s->phi_keys;
    size_t missing = 0;
    void *mem;

    for (size_t i = 0; i < rules; i++)
        missing += is_missing(s, &profile->rules.at[i]);
    if (missing == 0)
        return OK;
    TRY(arena_array(&s->arena, known->count + missing, sizeof(PhiKey), &mem));
    if (known->count > 0)
        memcpy(mem, known->keys, known->count * sizeof *known->keys);
    known->keys = mem;
    for (size_t i = 0; i < rules; i++) {
        const MaskingRule *rule = &profile->rules.at[i];

        if (is_missing(s, rule))
            TRY(ask_for_key(s, rule->scope));
    }
    return OK;
}

static void prepare(Session *s)
{
    s->phase = SESSION_PREPARING;
    s->deadline_ms = now_ms(s->worker) + PREPARE_MS;
    if (signin_ask_missing_keys(s) != OK) {
        refuse(s, CHP_5202);
        return;
    }
    if (!target_is_fresh(s->target))
        target_refresh(s->target);
    signin_prepared(s);
}

/* --- the client ------------------------------------------------------------------------------ */

static Err copy_groups(Session *s, PackList list)
{
    PackList walk = list;
    Bytes group;
    size_t count = 0;
    void *mem;

    while (pack_next(&walk, &group))
        count++;
    TRY(arena_array(&s->arena, count, sizeof(Bytes), &mem));
    Bytes *groups = mem;
    for (size_t i = 0; i < count && pack_next(&list, &group); i++)
        TRY(arena_copy(&s->arena, group, &groups[i]));
    s->who.groups = groups;
    s->who.group_count = count;
    return OK;
}

static Err take_identity(Session *s, const SigninProveAnswer *a)
{
    s->who.kind = (IdentityKind)a->identity_kind;
    s->who.by_token = a->by_token != 0;
    TRY(arena_copy(&s->arena, a->name, &s->who.name));
    TRY(arena_copy(&s->arena, a->owner, &s->who.owner));
    TRY(copy_groups(s, a->groups));
    TRY(arena_copy(&s->arena, a->server_final, &s->server_final));
    TRY(journal_key_init(&s->audit, a->audit_key.bytes, a->audit_key_id.bytes, 0));
    TRY(journal_key_init(&s->content, a->content_key.bytes, a->content_key_id.bytes, 0));
    hmac_key_init(&s->salt, VIEW(a->salt.bytes));
    memcpy(s->chain.id, s->id.bytes, sizeof s->chain.id);
    s->actor_commit = leaf_commit(&s->salt, s->who.name);
    s->target_commit = leaf_commit(&s->salt, target_resource(s->target)->name);
    return OK;
}

Err session_write_start(Session *s)
{
    CLEANUP(buf_done) Buf payload = { 0 };
    const SessionStartNote note = {
        .who = &s->who,
        .resource = target_resource(s->target)->name,
        .role = s->ruler.role != NULL ? s->ruler.role->name : (Bytes){ 0 },
        .peer = text_of(s->peer),
        .application = setting_named(&s->signin.startup, "application_name", false),
        .purpose = buf_view(&s->ruler.purpose),
        .policy_hash_hex = s->worker->edition->policy_hash_hex,
        .tls_version = text_of(s->client_tls != NULL ? tls_version(s->client_tls) : NULL),
        .tls_cipher = text_of(s->client_tls != NULL ? tls_cipher(s->client_tls) : NULL),
        .tls_bound = s->signin.bound,
    };
    SegmentRecord record = { .leaf = { .type = LEAF_SESSION_START }, .key = &s->audit };

    buf_init(&payload, LIMIT_RECORD);
    TRY(payload_session_start(&note, &payload));
    record.payload = buf_view(&payload);
    s->durable = true;
    return ports_write_record(s, &record);
}

static Err begin_session(Session *s, const SigninProveAnswer *a)
{
    TRY(take_identity(s, a));
    TRY(budget_open(s));
    ports_begin(s);
    s->ruler.policy = &s->worker->edition->config.policy;
    s->ruler.resource = target_resource(s->target);
    s->ruler.identity = &s->who;
    s->ruler.session = &s->id;
    s->ruler.role = policy_role(s->ruler.policy, &s->who, s->ruler.resource);
    return OK;
}

/* Who it is was shown; there is no room for what they would record. */
static void refuse_as_told(Session *s, const SigninProveAnswer *a)
{
    s->named = true;
    session_farewell(s, &(Fault){ .code = CHP_3402,
                                  .rule = a->rule,
                                  .fact = a->why,
                                  .next = LIT("try again later, or tell the administrator") });
}

static void on_proved(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    SigninProveAnswer a;

    session_mark(s);
    if (is_over(s))
        return;
    const bool told = m != NULL && unpack_signin_prove_answer(m->body, &a) == OK;
    if (told && a.ok == 0 && a.refused == CHP_3402) {
        refuse_as_told(s, &a);
        return;
    }
    if (!told || a.ok == 0 || s->target == NULL) {
        refuse(s, CHP_3301);
        return;
    }
    if (begin_session(s, &a) != OK) {
        refuse(s, CHP_5301);
        return;
    }
    const Bytes purpose = setting_named(&s->signin.startup, "purpose", true);
    if (purpose.len > 0 && buf_append(&s->ruler.purpose, utf8_upto(purpose, 64)) != OK) {
        refuse(s, CHP_5301);
        return;
    }
    if (s->ruler.role != NULL &&
        pg_signin_proved(&s->signin, &s->gate.wire, s->server_final) != OK) {
        refuse(s, CHP_5301);
        return;
    }
    /* All that went out up to here is sign-in; from here on what leaves is recorded. */
    s->gate.written = buf_len(&s->gate.wire.to_client);
    if (session_write_start(s) != OK) {
        session_unrecorded(s);
        return;
    }
    s->recorded = true;
    if (s->ruler.role == NULL)
        refuse(s, CHP_3102); /* written down: somebody who signed in and may do nothing */
    else
        prepare(s);
}

static void on_begun(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    SigninBeginAnswer a;

    session_mark(s);
    if (is_over(s))
        return;
    if (m == NULL || unpack_signin_begin_answer(m->body, &a) != OK) {
        refuse(s, CHP_5201);
        return;
    }
    s->id = a.session;
    s->phase = SESSION_SIGNIN;
    if (pg_signin_begun(&s->signin, &s->gate.wire, a.server_first) != OK)
        refuse(s, CHP_3301);
}

static Err ask_begin(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const SigninBegin ask = {
        .user = s->signin.startup.user,
        .resource = s->signin.startup.database,
        .peer = text_of(s->peer),
        .client_first_bare = s->signin.client_first_bare,
    };

    buf_init(&body, 32 << 10);
    ruler_init(&s->ruler, s->worker->hash_key);
    s->target = target_of(s->worker, s->signin.startup.database);
    TRY(pack_signin_begin(&body, &ask));
    return ask_keeper(s, ASK_SIGNIN_BEGIN, buf_view(&body), on_begun);
}

static Err ask_prove(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    SigninProve ask = {
        .session = s->id,
        .client_final_without_proof = s->signin.client_final_without_proof,
        .gs2_header = s->signin.gs2_header,
        .tls = s->client_tls != NULL,
        .epoch = s->client_tls != NULL ? s->tls_epoch : s->worker->edition->epoch,
        .application = setting_named(&s->signin.startup, "application_name", false),
        .purpose = setting_named(&s->signin.startup, "purpose", true),
    };

    buf_init(&body, 32 << 10);
    s->proving = true;
    memcpy(ask.proof.bytes, s->signin.proof.bytes, sizeof ask.proof.bytes);
    TRY(pack_signin_prove(&body, &ask));
    return ask_keeper(s, ASK_SIGNIN_PROVE, buf_view(&body), on_proved);
}

static void cancel(Session *s)
{
    const PgStartup *p = &s->signin.startup;
    const Cancel ask = { .slot = p->cancel_pid >> SLOT_SHIFT,
                         .pid = p->cancel_pid,
                         .key = p->cancel_key };

    hold_cancel(s->worker, &ask);
    s->phase = SESSION_DEAD;
}

static void client_step(Session *s)
{
    PgSigninOrder order;
    Fault fault;
    Err err = pg_signin_spoke(&s->signin, &s->gate.wire, &order, &fault);

    if (err == OK && (order == SIGNIN_BEGIN || order == SIGNIN_PROVE) && s->worker->closed)
        refuse(s, CHP_5302);
    else if (err == OK && order == SIGNIN_BEGIN)
        err = ask_begin(s);
    else if (err == OK && order == SIGNIN_PROVE)
        err = ask_prove(s);
    else if (err == OK && order == SIGNIN_CANCEL)
        cancel(s);
    else if (err == OK && order == SIGNIN_TLS)
        s->phase = SESSION_SHAKING; /* once `S` has left: session_flush() */
    if (err != OK)
        session_farewell(s, &fault);
}

void signin_step(Session *s)
{
    if (s->phase == SESSION_UPSTREAM)
        upstream_step(s);
    else if (s->phase == SESSION_SECURING)
        secure_target(s);
    else
        client_step(s);
}
