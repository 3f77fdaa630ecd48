/* The first packet with and without TLS, and what may be said of channel binding. */
#include "pg_leg.h"

#include "base/text.h"
#include "proto/pg/pg_upstream.h"

/* Each way to begin: what is answered with a certificate, and inside TLS. */
static void requests_and_tls(void)
{
    static const Bytes TLS = B("\004\322\026\057"), GSS = B("\004\322\026\060"),
                       CANCEL = B("\004\322\026\056\0\0\0\001abcd");
    const struct {
        PgTls tls;
        Bytes packet, behind, answer;
        Err err;
        PgSigninOrder order;
        PgSigninPhase phase;
    } CASES[] = {
        { PG_TLS_NONE, TLS, B(""), B("N"), OK, SIGNIN_WAIT, SIGNIN_AT_START },
        { PG_TLS_OFFERED, TLS, B(""), B("S"), OK, SIGNIN_TLS, SIGNIN_AT_TLS },
        { PG_TLS_REQUIRED, TLS, B(""), B("S"), OK, SIGNIN_TLS, SIGNIN_AT_TLS },
        { PG_TLS_ACTIVE, TLS, B(""), B(""), ERR_MALFORMED, SIGNIN_WAIT, SIGNIN_AT_START },
        { PG_TLS_OFFERED, TLS, B("x"), B(""), ERR_MALFORMED, SIGNIN_WAIT, SIGNIN_AT_START },
        { PG_TLS_OFFERED, GSS, B(""), B("N"), OK, SIGNIN_WAIT, SIGNIN_AT_START },
        { PG_TLS_ACTIVE, GSS, B(""), B(""), ERR_MALFORMED, SIGNIN_WAIT, SIGNIN_AT_START },
        { PG_TLS_REQUIRED, B(USER "\0"), B(""), B(""), ERR_REFUSED, SIGNIN_WAIT, SIGNIN_AT_START },
        { PG_TLS_OFFERED, B(USER "\0"), B(""), B("R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0"), OK,
          SIGNIN_WAIT, SIGNIN_AT_FIRST },
        { PG_TLS_ACTIVE, B(USER "\0"), B(""),
          B("R\0\0\0\052\0\0\0\012SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"), OK, SIGNIN_WAIT,
          SIGNIN_AT_FIRST },
        { PG_TLS_REQUIRED, CANCEL, B(""), B(""), OK, SIGNIN_CANCEL, SIGNIN_AT_START },
        { PG_TLS_ACTIVE, CANCEL, B(""), B(""), OK, SIGNIN_CANCEL, SIGNIN_AT_START },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        PgSignin s;
        PgSigninOrder order;
        Fault fault;
        Leg l;

        leg_init(&l);
        pg_signin_init(&s, &l.arena);
        if (CASES[i].tls == PG_TLS_ACTIVE)
            pg_signin_secured(&s, LIT("hash"));
        else
            s.tls = CASES[i].tls;
        untagged(&l.wire.from_client, CASES[i].packet);
        EXPECT(buf_append(&l.wire.from_client, CASES[i].behind) == OK);
        EXPECT(pg_signin_spoke(&s, &l.wire, &order, &fault) == CASES[i].err);
        EXPECT(order == CASES[i].order && s.phase == CASES[i].phase);
        EXPECT(text_eq(buf_view(&l.wire.to_client), CASES[i].answer));
        leg_done(&l);
    }
}

/* What a client may say of channel binding, by what it was offered. */
static void channel_binding_is_not_taken_away(void)
{
    static const struct {
        bool offered;
        const char *mechanism, *gs2;
        Err err;
    } CASES[] = {
        { true, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", OK },
        { true, "SCRAM-SHA-256", "n,,", OK },
        { true, "SCRAM-SHA-256", "y,,", ERR_REFUSED },
        { true, "SCRAM-SHA-256-PLUS", "n,,", ERR_REFUSED },
        { true, "SCRAM-SHA-256-PLUS", "y,,", ERR_REFUSED },
        { true, "SCRAM-SHA-256", "p=tls-server-end-point,,", ERR_REFUSED },
        { true, "SCRAM-SHA-256-PLUS", "p=tls-unique,,", ERR_MALFORMED },
        { false, "SCRAM-SHA-256", "n,,", OK },
        { false, "SCRAM-SHA-256", "y,,", OK },
        { false, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", ERR_REFUSED },
        { false, "SCRAM-SHA-256", "p=tls-server-end-point,,", ERR_REFUSED },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        PgSignin s;
        PgSigninOrder order;
        Fault fault;
        Leg l;
        Buf first = { 0 };
        size_t mark;

        leg_init(&l);
        buf_init(&first, 4096);
        pg_signin_init(&s, &l.arena);
        if (CASES[i].offered)
            pg_signin_secured(&s, LIT("hash"));
        untagged(&l.wire.from_client, V(USER "\0"));
        EXPECT(pg_signin_spoke(&s, &l.wire, &order, &fault) == OK);
        EXPECT(text_format(&first, "%sn=,r=0123456789abcdef", CASES[i].gs2) == OK);
        Buf *out = &l.wire.from_client;
        EXPECT(pg_open(out, 'p', &mark) == OK && pg_string(out, text_of(CASES[i].mechanism)) == OK);
        EXPECT(buf_u32(out, (uint32_t)buf_len(&first)) == OK);
        EXPECT(buf_append(out, buf_view(&first)) == OK);
        pg_close(out, mark);
        EXPECT(pg_signin_spoke(&s, &l.wire, &order, &fault) == CASES[i].err);
        EXPECT(order == (CASES[i].err == OK ? SIGNIN_BEGIN : SIGNIN_WAIT));
        leg_done(&l);
        buf_done(&first);
    }
}

/* What the target offers, what we say: bound when it can be, and never silent about that we could.
 */
static void the_target_is_bound_to(void)
{
    static const char P[] = "p=tls-server-end-point,,";
    static const struct {
        const char *binding;
        Bytes offered;
        const char *mechanism, *gs2;
        Err err;
    } CASES[] = {
        { "hash", B("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"), "SCRAM-SHA-256-PLUS", P, OK },
        { "hash", B("SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0"), "SCRAM-SHA-256-PLUS", P, OK },
        { "hash", B("SCRAM-SHA-256-PLUS\0\0"), "SCRAM-SHA-256-PLUS", P, OK },
        { "hash", B("SCRAM-SHA-256\0\0"), "SCRAM-SHA-256", "y,,", OK },
        { "", B("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"), "SCRAM-SHA-256", "n,,", OK },
        { "", B("SCRAM-SHA-256-PLUS\0\0"), "", "", ERR_REFUSED },
        { "hash", B("SCRAM-SHA-1\0\0"), "", "", ERR_REFUSED },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const PgUpstreamStart start = { .user = LIT("svc"),
                                        .database = LIT("ehr"),
                                        .nonce = LIT("0123456789abcdefghijklmn"),
                                        .binding = text_of(CASES[i].binding) };
        CLEANUP(buf_done) Buf want = { 0 };
        PgUpstreamOrder order;
        PgUpstream u;
        Leg l;
        size_t mark;

        leg_init(&l);
        buf_init(&want, 1024);
        EXPECT(pg_upstream_init(&u, &l.arena, &start, &l.wire) == OK);
        buf_truncate(&l.wire.to_server, 0);
        Buf *out = &l.wire.from_server;
        EXPECT(pg_open(out, 'R', &mark) == OK && buf_u32(out, 10) == OK);
        EXPECT(buf_append(out, CASES[i].offered) == OK);
        pg_close(out, mark);
        EXPECT(pg_upstream_spoke(&u, &l.wire, &order) == CASES[i].err);
        if (CASES[i].err == OK) {
            const Bytes gs2 = text_of(CASES[i].gs2);

            EXPECT(pg_open(&want, 'p', &mark) == OK);
            EXPECT(pg_string(&want, text_of(CASES[i].mechanism)) == OK);
            EXPECT(buf_u32(&want, (uint32_t)(gs2.len + u.client_first_bare.len)) == OK);
            EXPECT(buf_append(&want, gs2) == OK && buf_append(&want, u.client_first_bare) == OK);
            pg_close(&want, mark);
            EXPECT(text_eq(buf_view(&l.wire.to_server), buf_view(&want)));
            EXPECT(text_eq(u.gs2_header, gs2));
            EXPECT(u.binding.len == (gs2.ptr[0] == 'p' ? 4 : 0));
        } else {
            EXPECT(buf_len(&l.wire.to_server) == 0);
        }
        pg_upstream_done(&u);
        leg_done(&l);
    }
}

int main(void)
{
    TEST(requests_and_tls);
    TEST(channel_binding_is_not_taken_away);
    TEST(the_target_is_bound_to);
    return 0;
}
