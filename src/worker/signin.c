/* From accept to the target (connect.c): the client's sign-in, and what must be known before it may
 * ask anything. */
#include "worker/edition.h"

#include "base/encode.h"
#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_write.h"
#include "record/payload.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <string.h>

enum { PREPARE_MS = 10000 };

static void refuse(Session *s, MessageCode code)
{
    session_farewell(s, &(Fault){ .code = code });
}

static Err ask_keeper(Session *s, uint16_t kind, Bytes body, ChannelAnswer *answer)
{
    s->phase = SESSION_KEEPER;
    return channel_ask(s->worker->keeper, kind, body, answer, s);
}

Bytes signin_setting(const PgStartup *p, const char *name, bool own)
{
    const PgSetting *list = own ? p->own : p->settings;
    const size_t count = own ? p->own_count : p->setting_count;

    for (size_t i = 0; i < count; i++)
        if (text_eq_nocase(list[i].name, text_of(name)))
            return list[i].value;
    return (Bytes){ 0 };
}

/* --- what a statement needs ------------------------------------------------------------------- */

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
    connect_begin(s);
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
    if (session_is_over(s))
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

void signin_prepare(Session *s)
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
    CLEANUP(buf_done) Buf payload = { 0 }, certificate = { 0 };

    buf_init(&certificate, 2 * TLS_SHA256_BYTES);
    TRY(certificate_sha256(s, &certificate));
    const SessionStartNote note = {
        .who = &s->who,
        .resource = target_resource(s->target)->name,
        .role = s->ruler.role != NULL ? s->ruler.role->name : (Bytes){ 0 },
        .peer = text_of(s->peer),
        .application = signin_setting(&s->signin.startup, "application_name", false),
        .purpose = buf_view(&s->ruler.purpose),
        .policy_hash_hex = s->worker->edition->policy_hash_hex,
        .tls_version = text_of(s->client_tls != NULL ? tls_version(s->client_tls) : NULL),
        .tls_cipher = text_of(s->client_tls != NULL ? tls_cipher(s->client_tls) : NULL),
        .tls_bound = s->signin.bound,
        .certificate_subject = s->certificate.subject,
        .certificate_sha256_hex = buf_view(&certificate),
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

/* The keeper's record has the session's id. */
static void refuse_as_told(Session *s, const Fault *fault)
{
    if (message_entry(fault->code) == NULL) {
        refuse(s, CHP_3301);
        return;
    }
    s->named = true;
    session_farewell(s, fault);
}

static void on_proved(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    SigninProveAnswer a;

    session_mark(s);
    if (session_is_over(s))
        return;
    const bool told = m != NULL && unpack_signin_prove_answer(m->body, &a) == OK;
    if (told && a.ok == 0 && a.refused != 0) {
        const bool later = a.refused == CHP_3402;

        refuse_as_told(s,
                       &(Fault){ .code = (MessageCode)a.refused,
                                 .rule = a.rule,
                                 .fact = a.why,
                                 .next = later ? LIT("try again later, or tell the administrator")
                                               : (Bytes){ 0 } });
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
    /* A reload may have come in between. */
    const char *wrong =
        s->certificate_epoch != s->worker->edition->epoch ? certificate_refusal(s) : NULL;
    if (wrong != NULL) {
        refuse_as_told(s, &(Fault){ .code = CHP_3304, .fact = text_of(wrong) });
        return;
    }
    const Bytes purpose = signin_setting(&s->signin.startup, "purpose", true);
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
    s->recorded = s->begun = true;
    if (s->ruler.role == NULL)
        refuse(s, CHP_3102); /* written down: somebody who signed in and may do nothing */
    else
        greet_begin(s);
}

static void on_begun(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    SigninBeginAnswer a;

    session_mark(s);
    if (session_is_over(s))
        return;
    if (m == NULL || unpack_signin_begin_answer(m->body, &a) != OK) {
        refuse(s, CHP_5201);
        return;
    }
    s->id = a.session;
    if (a.refused != 0) {
        refuse_as_told(s, &(Fault){ .code = (MessageCode)a.refused, .fact = a.why });
        return;
    }
    if (a.server_first.len == 0) { /* the keeper has no room for another one, or its store failed */
        refuse(s, CHP_5301);
        return;
    }
    s->phase = SESSION_SIGNIN;
    if (pg_signin_begun(&s->signin, &s->gate.wire, a.server_first) != OK)
        refuse(s, CHP_3301);
}

static Err ask_begin(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 }, names = { 0 };
    SigninBegin ask = {
        .user = s->signin.startup.user,
        .resource = s->signin.startup.database,
        .peer = text_of(s->peer),
        .client_first_bare = s->signin.client_first_bare,
    };

    buf_init(&body, 32 << 10);
    ruler_init(&s->ruler, s->worker->hash_key);
    s->target = target_of(s->worker, s->signin.startup.database);
    TRY(certificate_tell(s, &ask, &names));
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
        .application = signin_setting(&s->signin.startup, "application_name", false),
        .purpose = signin_setting(&s->signin.startup, "purpose", true),
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
    const Cancel ask = { .slot = p->cancel_pid >> CANCEL_SLOT_SHIFT,
                         .pid = p->cancel_pid,
                         .key = p->cancel_key };

    hold_cancel(s->worker, &ask);
    s->phase = SESSION_DEAD;
}

void signin_step(Session *s)
{
    PgSigninOrder order;
    Fault fault = { .code = CHP_5301 }; /* of ours; the client's mistakes set it */
    Err err = pg_signin_spoke(&s->signin, &s->gate.wire, &order, &fault);

#ifdef CHAPERONE_TAKEN_OVER
    if (err == OK && order == SIGNIN_BEGIN && taken_over(s))
        return;
#endif
    if (err == OK && (order == SIGNIN_BEGIN || order == SIGNIN_PROVE) && s->worker->closed)
        refuse(s, CHP_5302);
    else if (err == OK && (order == SIGNIN_BEGIN || order == SIGNIN_PROVE) &&
             (!recorder_ready(&s->worker->recorder) || link_is_lost(s->worker)))
        refuse(s, CHP_5201);
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
