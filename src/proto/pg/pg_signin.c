#include "proto/pg/pg_signin.h"

#include "base/reader.h"
#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_write.h"

enum {
    PROTOCOL_3 = 3 << 16,
    AUTH_OK = 0,
    AUTH_SASL = 10,
    AUTH_SASL_CONTINUE = 11,
    AUTH_SASL_FINAL = 12,
    REQUESTS_MAX = 2, /* one for TLS, one for GSS */
};

static const Bytes MECHANISM = LIT_INIT("SCRAM-SHA-256");
static const Bytes MECHANISM_PLUS = LIT_INIT("SCRAM-SHA-256-PLUS");

void pg_signin_init(PgSignin *s, Arena *arena)
{
    *s = (PgSignin){ .arena = arena };
}

static Err put_auth(Buf *out, uint32_t code, Bytes data)
{
    size_t mark;

    TRY(pg_open(out, 'R', &mark));
    TRY(buf_u32(out, code));
    TRY(buf_append(out, data));
    pg_close(out, mark);
    return OK;
}

/* NegotiateProtocolVersion: the minor that will be spoken, and the options that are not known. */
static Err negotiate(const PgStartup *p, Buf *out)
{
    size_t mark;

    if (!p->negotiate)
        return OK;
    TRY(pg_open(out, 'v', &mark));
    /* The whole version: libpq takes less than 3.0 for an attack. */
    TRY(buf_u32(out, PROTOCOL_3 | (uint32_t)p->minor));
    TRY(buf_u32(out, (uint32_t)p->unknown_option_count));
    for (size_t i = 0; i < p->unknown_option_count; i++)
        TRY(pg_string(out, p->unknown_options[i]));
    pg_close(out, mark);
    return OK;
}

static Err ask_for_sasl(const PgSignin *s, Buf *out)
{
    static const uint8_t LIST[] = "SCRAM-SHA-256\0"; /* the list's own end is the literal's NUL */
    static const uint8_t PLUS[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";

    return put_auth(out, AUTH_SASL, s->binding.len > 0 ? VIEW(PLUS) : VIEW(LIST));
}

/* Bytes behind the request were sent before the answer: CVE-2021-23214's way in. Inside TLS there
 * is nothing left to ask for. */
static Err answer_request(PgSignin *s, Wire *wire, size_t behind, PgSigninOrder *ret_order)
{
    const bool secure = s->startup.kind == PG_FIRST_TLS && s->tls != PG_TLS_NONE;

    if (behind > 0 || s->tls == PG_TLS_ACTIVE || ++s->first_packets > REQUESTS_MAX)
        return ERR_MALFORMED;
    if (secure) {
        s->phase = SIGNIN_AT_TLS;
        *ret_order = SIGNIN_TLS;
    }
    return buf_byte(&wire->to_client, secure ? 'S' : 'N');
}

static const Fault TLS_ONLY = { .code = CHP_3301,
                                .fact = LIT_INIT("this gateway takes connections with TLS only"),
                                .next = LIT_INIT("connect with sslmode=verify-full") };

static Err on_first_packet(PgSignin *s, Wire *wire, PgSigninOrder *ret_order, Fault *ret_fault)
{
    PgFrame frame;
    const Err err = pg_frame_next(buf_view(&wire->from_client), PG_UNTAGGED, LIMIT_STARTUP, &frame);

    if (err == ERR_MORE)
        return OK;
    TRY(err);
    TRY(arena_copy(s->arena, frame.body, &s->startup_packet));
    const size_t behind = buf_len(&wire->from_client) - frame.size;
    buf_consume(&wire->from_client, frame.size);
    TRY(pg_startup_read(s->startup_packet, s->arena, &s->startup, ret_fault));
    switch (s->startup.kind) {
    case PG_FIRST_CANCEL:
        *ret_order = SIGNIN_CANCEL;
        return OK;
    case PG_FIRST_TLS:
    case PG_FIRST_GSS:
        return answer_request(s, wire, behind, ret_order);
    case PG_FIRST_STARTUP:
        break;
    }
    if (s->tls == PG_TLS_REQUIRED) {
        *ret_fault = TLS_ONLY;
        return ERR_REFUSED;
    }
    s->phase = SIGNIN_AT_FIRST;
    TRY(negotiate(&s->startup, &wire->to_client));
    return ask_for_sasl(s, &wire->to_client);
}

static Err read_initial(PgSignin *s, Bytes body, Fault *ret_fault)
{
    Reader r = reader_of(body);
    ScramClientFirst first;
    Bytes mechanism, data;
    uint32_t len;

    TRY(reader_string(&r, &mechanism));
    TRY(reader_u32(&r, &len));
    TRY(reader_bytes(&r, len, &data));
    if (!reader_at_end(&r))
        return ERR_MALFORMED;
    *ret_fault = (Fault){ .code = CHP_3301, .fact = LIT("this sign-in method is not available") };
    const bool plus = s->binding.len > 0 && text_eq(mechanism, MECHANISM_PLUS);
    if (!plus && !text_eq(mechanism, MECHANISM))
        return ERR_REFUSED;
    TRY(scram_client_first_parse(data, &first));
    if ((first.binding == SCRAM_BOUND) != plus)
        return ERR_REFUSED;
    if (first.binding == SCRAM_NOT_OFFERED && s->binding.len > 0) {
        ret_fault->fact = LIT("channel binding was offered, and the client did not see it");
        ret_fault->next = LIT("somebody may be in between");
        return ERR_REFUSED;
    }
    s->bound = plus;
    TRY(arena_copy(s->arena, first.bare, &s->client_first_bare));
    return arena_copy(s->arena, first.gs2_header, &s->gs2_header);
}

/* RFC 5802 §5.1: the nonce of the final message is the one that was given: "r=NONCE,s=…". */
static bool nonce_is(Bytes server_first, Bytes nonce)
{
    const size_t end = 2 + nonce.len;

    return server_first.len > end && text_starts(server_first, LIT("r=")) &&
           text_eq(bytes_upto(bytes_from(server_first, 2), nonce.len), nonce) &&
           server_first.ptr[end] == ',';
}

static Err read_final(PgSignin *s, Bytes body)
{
    ScramClientFinal final;

    TRY(scram_client_final_parse(body, &final));
    if (!nonce_is(s->server_first, final.nonce))
        return ERR_REFUSED;
    TRY(scram_binding_check(&final, s->gs2_header, s->bound ? s->binding : (Bytes){ 0 }));
    s->proof = final.proof;
    return arena_copy(s->arena, final.without_proof, &s->client_final_without_proof);
}

static Err on_response(PgSignin *s, Wire *wire, PgSigninOrder *ret_order, Fault *ret_fault)
{
    PgFrame frame;
    const Err err = pg_frame_next(buf_view(&wire->from_client), PG_TAGGED, LIMIT_STARTUP, &frame);

    if (err == ERR_MORE)
        return OK;
    TRY(err);
    if (frame.tag != 'p')
        return ERR_MALFORMED;
    if (s->phase == SIGNIN_AT_FIRST) {
        TRY(read_initial(s, frame.body, ret_fault));
        *ret_order = SIGNIN_BEGIN;
    } else {
        *ret_fault = (Fault){ .code = CHP_3301 };
        TRY(read_final(s, frame.body));
        *ret_order = SIGNIN_PROVE;
    }
    s->phase = SIGNIN_AT_KEEPER;
    buf_consume(&wire->from_client, frame.size);
    return OK;
}

Err pg_signin_spoke(PgSignin *s, Wire *wire, PgSigninOrder *ret_order, Fault *ret_fault)
{
    *ret_order = SIGNIN_WAIT;
    *ret_fault = (Fault){ .code = CHP_5401 };
    switch (s->phase) {
    case SIGNIN_AT_START:
        return on_first_packet(s, wire, ret_order, ret_fault);
    case SIGNIN_AT_FIRST:
    case SIGNIN_AT_FINAL:
        return on_response(s, wire, ret_order, ret_fault);
    case SIGNIN_AT_TLS:
    case SIGNIN_AT_KEEPER:
    case SIGNIN_DONE:
        break;
    }
    return OK; /* what the client sends early waits in its buffer */
}

void pg_signin_secured(PgSignin *s, Bytes binding)
{
    s->phase = SIGNIN_AT_START;
    s->tls = PG_TLS_ACTIVE;
    s->binding = binding;
}

Err pg_signin_begun(PgSignin *s, Wire *wire, Bytes server_first)
{
    if (s->phase != SIGNIN_AT_KEEPER || s->server_first.len > 0)
        return ERR_MALFORMED;
    TRY(arena_copy(s->arena, server_first, &s->server_first));
    s->phase = SIGNIN_AT_FINAL;
    return put_auth(&wire->to_client, AUTH_SASL_CONTINUE, server_first);
}

Err pg_signin_proved(PgSignin *s, Wire *wire, Bytes server_final)
{
    if (s->phase != SIGNIN_AT_KEEPER || s->client_final_without_proof.len == 0)
        return ERR_MALFORMED;
    s->phase = SIGNIN_DONE;
    TRY(put_auth(&wire->to_client, AUTH_SASL_FINAL, server_final));
    return put_auth(&wire->to_client, AUTH_OK, (Bytes){ 0 });
}
