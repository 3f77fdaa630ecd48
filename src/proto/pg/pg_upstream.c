#include "proto/pg/pg_upstream.h"

#include "base/encode.h"
#include "base/reader.h"
#include "base/text.h"
#include "crypto/md5_password.h"
#include "crypto/scram.h"
#include "model/limits.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_parameters.h"
#include "proto/pg/pg_startup.h"
#include "proto/pg/pg_write.h"

enum {
    PROTOCOL_3_0 = 3 << 16,
    CANCEL_CODE = 1234 << 16 | 5678,
    AUTH_OK = 0,
    AUTH_CLEAR = 3,
    AUTH_MD5 = 5,
    AUTH_SASL = 10,
    AUTH_SASL_CONTINUE = 11,
    AUTH_SASL_FINAL = 12,
    KEY_MAX = 256,
};

/* What holds for every session, whatever the client asked for. */
static const PgSetting FORCED[] = {
    { LIT_INIT("client_encoding"), LIT_INIT("UTF8") },
    { LIT_INIT("standard_conforming_strings"), LIT_INIT("on") },
};

static Err put_setting(Buf *out, PgSetting s)
{
    TRY(pg_string(out, s.name));
    return pg_string(out, s.value);
}

static Err put_quoted(Buf *out, Bytes text)
{
    TRY(buf_byte(out, '\''));
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            TRY(buf_byte(out, '\''));
        TRY(buf_byte(out, text.ptr[i]));
    }
    return buf_byte(out, '\'');
}

static Err put_startup(const PgUpstreamStart *start, Buf *out)
{
    size_t mark;

    TRY(pg_open(out, 0, &mark));
    TRY(buf_u32(out, PROTOCOL_3_0));
    TRY(put_setting(out, (PgSetting){ LIT("user"), start->user }));
    TRY(put_setting(out, (PgSetting){ LIT("database"), start->database }));
    for (size_t i = 0; i < start->setting_count && !start->pooled; i++)
        if (!text_eq_nocase(start->settings[i].name, LIT("application_name")))
            TRY(put_setting(out, start->settings[i]));
    TRY(put_setting(out, (PgSetting){ LIT("application_name"), start->application }));
    for (size_t i = 0; i < COUNT_OF(FORCED); i++)
        TRY(put_setting(out, FORCED[i]));
    TRY(buf_byte(out, 0));
    pg_close(out, mark);
    return OK;
}

/* standard_conforming_strings is on: only quotes count. */
static Err put_set(Buf *out, PgSetting s)
{
    TRY(buf_append(out, LIT(", pg_catalog.set_config(")));
    TRY(put_quoted(out, s.name));
    TRY(buf_append(out, LIT(", ")));
    TRY(put_quoted(out, s.value));
    return buf_append(out, LIT(", false)"));
}

/* A pooler knows few settings, and refuses a startup packet with others. */
static Err write_settings(PgUpstream *u, const PgUpstreamStart *start)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, LIMIT_STARTUP * 3);
    TRY(buf_append(&text, LIT("SELECT 1")));
    TRY(put_set(&text, (PgSetting){ LIT(PG_BACKEND_MARK), start->nonce }));
    for (size_t i = 0; i < start->setting_count; i++)
        if (!text_eq_nocase(start->settings[i].name, LIT("application_name")))
            TRY(put_set(&text, start->settings[i]));
    TRY(arena_copy(u->arena, start->nonce, &u->mark));
    return arena_copy(u->arena, buf_view(&text), &u->settings);
}

Err pg_upstream_init(PgUpstream *u, Arena *arena, const PgUpstreamStart *start, Wire *wire)
{
    CLEANUP(buf_done) Buf first = { 0 };

    *u = (PgUpstream){ .arena = arena, .md5_allowed = start->md5_allowed, .pooled = start->pooled };
    buf_init(&u->parameters, LIMIT_STARTUP);
    buf_init(&first, SCRAM_MESSAGE_MAX);
    TRY(scram_client_first_write(LIT("n,,"), start->nonce, &first));
    TRY(arena_copy(arena, bytes_from(buf_view(&first), 3), &u->client_first_bare));
    TRY(arena_copy(arena, start->binding, &u->binding));
    if (start->pooled)
        TRY(write_settings(u, start));
    return put_startup(start, &wire->to_server);
}

void pg_upstream_done(PgUpstream *u)
{
    buf_done(&u->parameters);
}

static Err send_initial(PgUpstream *u, Bytes mechanisms, Buf *out)
{
    static const Bytes MECHANISM = LIT_INIT("SCRAM-SHA-256"), PLUS = LIT_INIT("SCRAM-SHA-256-PLUS");
    const bool can_bind = u->binding.len > 0;
    Reader r = reader_of(mechanisms);
    bool offered = false, bound = false;
    size_t mark;
    Bytes name = { 0 };

    do {
        TRY(reader_string(&r, &name));
        offered = offered || text_eq(name, MECHANISM);
        bound = bound || (can_bind && text_eq(name, PLUS));
    } while (name.len > 0);
    if (!offered && !bound)
        return ERR_REFUSED;
    u->gs2_header = bound ? LIT("p=tls-server-end-point,,") : can_bind ? LIT("y,,") : LIT("n,,");
    if (!bound)
        u->binding = (Bytes){ 0 };
    TRY(pg_open(out, 'p', &mark));
    TRY(pg_string(out, bound ? PLUS : MECHANISM));
    TRY(buf_u32(out, (uint32_t)(u->gs2_header.len + u->client_first_bare.len)));
    TRY(buf_append(out, u->gs2_header));
    TRY(buf_append(out, u->client_first_bare));
    pg_close(out, mark);
    u->phase = UPSTREAM_AT_CONTINUE;
    return OK;
}

/* "v=" and the signature that only somebody who knows the verifier can make. */
static Err check_signature(PgUpstream *u, Bytes message)
{
    CLEANUP(buf_done) Buf want = { 0 };

    buf_init(&want, 128);
    TRY(buf_append(&want, LIT("v=")));
    TRY(base64_encode(VIEW(u->server_signature.bytes), &want));
    if (!secret_eq(message, buf_view(&want)))
        return ERR_REFUSED;
    u->phase = UPSTREAM_AT_OK;
    return OK;
}

/* Nothing of ours goes out. */
static Err refuse_method(PgUpstream *u, uint32_t code)
{
    if (u->phase != UPSTREAM_AT_START)
        return ERR_REFUSED;
    u->why = code == AUTH_OK      ? "it lets the gateway in without asking for a proof"
             : code == AUTH_CLEAR ? "it asks for the password in clear"
             : code == AUTH_MD5   ? "it asks for MD5, which `credentials.md5` does not allow"
                                  : "it asks for a way to sign in that the gateway does not have";
    return ERR_REFUSED;
}

static Err take_md5(PgUpstream *u, Bytes salt, PgUpstreamOrder *ret_order)
{
    if (salt.len != MD5_SALT_BYTES)
        return ERR_MALFORMED;
    u->phase = UPSTREAM_AT_KEEPER;
    *ret_order = UPSTREAM_MD5;
    return arena_copy(u->arena, salt, &u->md5_salt);
}

static Err on_auth(PgUpstream *u, Wire *wire, Bytes body, PgUpstreamOrder *ret_order)
{
    Reader r = reader_of(body);
    uint32_t code;

    TRY(reader_u32(&r, &code));
    /* Before SCRAM was done: whoever lets us in unasked may not be the target at all. */
    if (code == AUTH_OK && u->phase == UPSTREAM_AT_OK) {
        u->phase = UPSTREAM_AT_READY;
        return OK;
    }
    if (code == AUTH_MD5 && u->phase == UPSTREAM_AT_START && u->md5_allowed)
        return take_md5(u, r.rest, ret_order);
    if (code == AUTH_SASL && u->phase == UPSTREAM_AT_START)
        return send_initial(u, r.rest, &wire->to_server);
    if (code == AUTH_SASL_CONTINUE && u->phase == UPSTREAM_AT_CONTINUE) {
        if (r.rest.len > SCRAM_MESSAGE_MAX)
            return ERR_LIMIT;
        u->phase = UPSTREAM_AT_KEEPER;
        *ret_order = UPSTREAM_PROVE;
        return arena_copy(u->arena, r.rest, &u->server_first);
    }
    if (code == AUTH_SASL_FINAL && u->phase == UPSTREAM_AT_FINAL)
        return check_signature(u, r.rest);
    return refuse_method(u, code);
}

static Err on_error(PgUpstream *u, Bytes body)
{
    Reader r = reader_of(body);
    uint8_t code;
    Bytes text;

    for (;;) {
        TRY(reader_u8(&r, &code));
        if (code == 0)
            break;
        TRY(reader_string(&r, &text));
        if (code == 'C')
            TRY(arena_copy(u->arena, text, &u->refused));
    }
    return ERR_REFUSED;
}

static Err on_parameter(PgUpstream *u, const PgFrame *frame)
{
    Reader r = reader_of(frame->body);
    Bytes name, value;

    TRY(reader_string(&r, &name));
    TRY(reader_string(&r, &value));
    if (text_eq(name, LIT("server_version")))
        TRY(arena_copy(u->arena, value, &u->version));
    if (text_eq(name, LIT("client_encoding")) && !text_eq(value, LIT("UTF8")))
        return ERR_REFUSED;
    if (text_eq(name, LIT("standard_conforming_strings")) && !text_eq(value, LIT("on")))
        return ERR_REFUSED;
    return pg_is_own_setting(name) ? OK : pg_parameters_put(&u->parameters, frame->whole);
}

static Err on_key(PgUpstream *u, Bytes body)
{
    Reader r = reader_of(body);

    TRY(reader_u32(&r, &u->pid));
    if (r.rest.len == 0 || r.rest.len > KEY_MAX)
        return ERR_MALFORMED;
    return arena_copy(u->arena, r.rest, &u->key);
}

static Err ask_backend(PgUpstream *u, Wire *wire)
{
    u->phase = UPSTREAM_AT_BACKEND;
    return pg_query(&wire->to_server, text_of(PG_BACKEND_QUERY));
}

static Err refuse_pooler(PgUpstream *u, const char *why)
{
    u->why = why;
    return ERR_REFUSED;
}

/* What the server said of itself, at its ReadyForQuery. */
static Err on_described(PgUpstream *u, Wire *wire, PgUpstreamOrder *ret_order)
{
    if (!u->described)
        return ERR_MALFORMED;
    if (!u->pooled && u->backend.pid != u->pid)
        return refuse_pooler(u,
                             "a connection pooler stands before it, and the resource does not say "
                             "`pooler: session`");
    if (u->backend.mark.len > 0)
        return refuse_pooler(u, PG_NOT_ONE_SESSION);
    if (!u->pooled) {
        u->phase = UPSTREAM_DONE;
        *ret_order = UPSTREAM_READY;
        return OK;
    }
    u->phase = UPSTREAM_AT_SETTINGS;
    return pg_query(&wire->to_server, u->settings);
}

bool pg_upstream_is_same(const PgUpstream *u, const PgBackend *now)
{
    return now->pid == u->backend.pid && text_eq(now->mark, u->mark);
}

static Err on_checked(PgUpstream *u, PgUpstreamOrder *ret_order)
{
    if (!u->described)
        return ERR_MALFORMED;
    if (!pg_upstream_is_same(u, &u->now))
        return refuse_pooler(u, PG_NOT_ONE_SESSION);
    u->phase = UPSTREAM_DONE;
    *ret_order = UPSTREAM_READY;
    return OK;
}

static Err on_answered(PgUpstream *u, Wire *wire, PgUpstreamOrder *ret_order)
{
    if (u->phase == UPSTREAM_AT_BACKEND)
        return on_described(u, wire, ret_order);
    if (u->phase == UPSTREAM_AT_CHECK)
        return on_checked(u, ret_order);
    u->described = false;
    u->phase = UPSTREAM_AT_CHECK;
    return pg_query(&wire->to_server, text_of(PG_BACKEND_QUERY));
}

static Err on_row(PgUpstream *u, Bytes row)
{
    if (u->phase == UPSTREAM_AT_SETTINGS)
        return OK;
    if (u->described)
        return ERR_MALFORMED;
    u->described = true;
    return pg_backend_read(row, u->arena, u->phase == UPSTREAM_AT_CHECK ? &u->now : &u->backend);
}

/* Answers to the gateway's own queries: T, one D, C, Z. */
static Err on_backend(PgUpstream *u, Wire *wire, const PgFrame *frame, PgUpstreamOrder *ret_order)
{
    switch (frame->tag) {
    case 'T':
    case 'C':
    case 'N':
        return OK;
    case 'S':
        return on_parameter(u, frame);
    case 'E':
        return on_error(u, frame->body);
    case 'D':
        return on_row(u, frame->body);
    case 'Z':
        return on_answered(u, wire, ret_order);
    default:
        return ERR_MALFORMED;
    }
}

static Err on_frame(PgUpstream *u, Wire *wire, const PgFrame *frame, PgUpstreamOrder *ret_order)
{
    const bool signed_in = u->phase == UPSTREAM_AT_READY;

    if (u->phase >= UPSTREAM_AT_BACKEND)
        return on_backend(u, wire, frame, ret_order);

    switch (frame->tag) {
    case 'R':
        return on_auth(u, wire, frame->body, ret_order);
    case 'E':
        return on_error(u, frame->body);
    case 'N':
        return OK;
    case 'S':
        return signed_in ? on_parameter(u, frame) : ERR_MALFORMED;
    case 'K':
        return signed_in ? on_key(u, frame->body) : ERR_MALFORMED;
    case 'Z':
        return signed_in ? ask_backend(u, wire) : ERR_MALFORMED;
    default:
        return ERR_MALFORMED;
    }
}

Err pg_upstream_spoke(PgUpstream *u, Wire *wire, PgUpstreamOrder *ret_order)
{
    *ret_order = UPSTREAM_WAIT;
    while (*ret_order == UPSTREAM_WAIT && u->phase != UPSTREAM_AT_KEEPER) {
        PgFrame frame;
        const Err err =
            pg_frame_next(buf_view(&wire->from_server), PG_TAGGED, LIMIT_STARTUP, &frame);

        if (err == ERR_MORE)
            return OK;
        TRY(err);
        TRY(on_frame(u, wire, &frame, ret_order));
        buf_consume(&wire->from_server, frame.size);
    }
    return OK;
}

Err pg_upstream_proved(PgUpstream *u, Wire *wire, Bytes client_final, const Hash *server_signature)
{
    if (u->phase != UPSTREAM_AT_KEEPER || u->md5_salt.len > 0)
        return ERR_MALFORMED;
    u->server_signature = *server_signature;
    u->phase = UPSTREAM_AT_FINAL;
    return pg_message(&wire->to_server, 'p', client_final);
}

/* The server shows nothing in return: AuthenticationOk is due. */
Err pg_upstream_md5(PgUpstream *u, Wire *wire, Bytes answer)
{
    size_t mark;

    if (u->phase != UPSTREAM_AT_KEEPER || u->md5_salt.len == 0)
        return ERR_MALFORMED;
    u->phase = UPSTREAM_AT_OK;
    TRY(pg_open(&wire->to_server, 'p', &mark));
    TRY(pg_string(&wire->to_server, answer));
    pg_close(&wire->to_server, mark);
    return OK;
}

Err pg_upstream_cancel(const PgUpstream *u, Buf *out)
{
    size_t mark;

    TRY(pg_open(out, 0, &mark));
    TRY(buf_u32(out, CANCEL_CODE));
    TRY(buf_u32(out, u->pid));
    TRY(buf_append(out, u->key));
    pg_close(out, mark);
    return OK;
}
