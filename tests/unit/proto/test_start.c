/* Frames, the first packet, the client's sign-in, and what is left of a server's errors. */
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_scrub.h"
#include "proto/pg/pg_signin.h"
#include "proto/pg/pg_write.h"

#include "base/reader.h"
#include "base/text.h"
#include "crypto/scram.h"
#include "pg_leg.h"

#include <string.h>

#define CANARY "123-45-6789"

/* --- frames ----------------------------------------------------------------------------------- */

static void frames_begin_and_end_where_they_say(void)
{
    static const struct {
        Bytes in;
        PgFraming framing;
        Err err;
        size_t size;
    } CASES[] = {
        { B("Q\0\0\0\006a\0"), PG_TAGGED, OK, 7 },
        { B("Q\0\0\0\006a\0Q"), PG_TAGGED, OK, 7 },
        { B("S\0\0\0\004"), PG_TAGGED, OK, 5 },
        { B("\0\0\0\004"), PG_UNTAGGED, OK, 4 },
        { B(""), PG_TAGGED, ERR_MORE, 5 },
        { B("Q\0\0\0"), PG_TAGGED, ERR_MORE, 5 },
        { B("Q\0\0\0\006a"), PG_TAGGED, ERR_MORE, 7 },
        { B("\0\0"), PG_UNTAGGED, ERR_MORE, 4 },
        { B("Q\0\0\0\003"), PG_TAGGED, ERR_MALFORMED, 0 },
        { B("Q\0\0\0\0"), PG_TAGGED, ERR_MALFORMED, 0 },
        { B("Q\0\0\0\145"), PG_TAGGED, ERR_LIMIT, 0 }, /* 101 */
        { B("Q\377\377\377\377"), PG_TAGGED, ERR_LIMIT, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        PgFrame f;
        uint8_t *exact = malloc(CASES[i].in.len + 1);

        EXPECT(exact != NULL);
        memcpy(exact, CASES[i].in.ptr, CASES[i].in.len);
        EXPECT(pg_frame_next((Bytes){ exact, CASES[i].in.len }, CASES[i].framing, 100, &f) ==
               CASES[i].err);
        EXPECT(CASES[i].size == 0 || f.size == CASES[i].size);
        free(exact);
    }
}

/* --- the first packet ---------------------------------------------------------------------------
 */

static const struct {
    Bytes packet;
    Err err;
    Bytes database;
    const char *settings; /* name=value; of what goes to the server */
    const char *own;
} STARTUPS[] = {
    { B(USER "\0"), OK, B("dana"), "", "" },
    { B(USER "database\0ehr\0\0"), OK, B("ehr"), "", "" },
    { B(USER "application_name\0psql\0client_encoding\0UTF8\0\0"), OK, B("dana"),
      "application_name=psql;", "" },
    { B(USER "client_encoding\0SJIS\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "standard_conforming_strings\0off\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "search_path\0evil\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "role\0postgres\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "session_replication_role\0replica\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "replication\0true\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "replication\0false\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "DateStyle\0ISO\0TimeZone\0UTC\0\0"), OK, B("dana"), "DateStyle=ISO;TimeZone=UTC;",
      "" },
    { B(USER "chaperone.purpose\0treatment\0CHAPERONE.notices\0off\0\0"), OK, B("dana"), "",
      "purpose=treatment;notices=off;" },
    { B(USER "options\0-c statement_timeout=5s\0\0"), OK, B("dana"), "statement_timeout=5s;", "" },
    { B(USER "options\0 -cgeqo=off  --lock-timeout=1 \0\0"), OK, B("dana"),
      "geqo=off;lock_timeout=1;", "" },
    { B(USER "options\0-c timezone=A\\ B\\\\C\0\0"), OK, B("dana"), "timezone=A B\\C;", "" },
    { B(USER "options\0--chaperone.purpose=x\0\0"), OK, B("dana"), "", "purpose=x;" },
    { B(USER "options\0-c search_path=evil\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "options\0-c\\ search_path=evil\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "options\0-c search\\_path=evil\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "options\0--search-path=evil\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "options\0-c\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "options\0-c geqo\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "options\0-d 5\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "options\0-E\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(USER "application_name\0\377\0\0"), ERR_REFUSED, B(""), "", "" },
    { B(V3 "user\0da\377na\0\0"), ERR_MALFORMED, B(""), "", "" },
    { B(V3 "database\0ehr\0\0"), ERR_MALFORMED, B(""), "", "" }, /* no user */
    { B(V3 "user\0\0\0"), ERR_MALFORMED, B(""), "", "" },
    { B(V3 "user\0dana"), ERR_MALFORMED, B(""), "", "" },
    { B(USER), ERR_MALFORMED, B(""), "", "" },          /* no end */
    { B(USER "\0more"), ERR_MALFORMED, B(""), "", "" }, /* behind the end */
    { B("\0\002\0\0user\0dana\0\0"), ERR_REFUSED, B(""), "", "" },
    { B("\0\004\0\0user\0dana\0\0"), ERR_REFUSED, B(""), "", "" },
    { B("\0\003"), ERR_MALFORMED, B(""), "", "" },
    { B("\004\322\026\057x"), ERR_MALFORMED, B(""), "", "" }, /* SSLRequest with more inside */
    { B("\004\322\026\060x"), ERR_MALFORMED, B(""), "", "" }, /* GSSENCRequest */
    { B("\004\322\026\056\0\0\0\001abc"), ERR_MALFORMED, B(""), "", "" },
    { B("\004\322\026\056\0\0\0\001"), ERR_MALFORMED, B(""), "", "" },
};

static void list(const PgSetting *settings, size_t count, Buf *out)
{
    for (size_t i = 0; i < count; i++)
        EXPECT(text_format(out, "%.*s=%.*s;", SHOW(settings[i].name), SHOW(settings[i].value)) ==
               OK);
}

static void startup_parameters_are_held_to_the_list(void)
{
    for (size_t i = 0; i < COUNT_OF(STARTUPS); i++) {
        CLEANUP(buf_done) Buf settings, own;
        CLEANUP(arena_done) Arena arena;
        PgStartup s;
        Fault fault = { 0 };

        buf_init(&settings, 4096);
        buf_init(&own, 4096);
        arena_init(&arena, 1 << 16);
        const Err err = pg_startup_read(STARTUPS[i].packet, &arena, &s, &fault);
        if (err != STARTUPS[i].err)
            fprintf(stderr, "startup %zu: %d\n", i, (int)err);
        EXPECT(err == STARTUPS[i].err);
        EXPECT((err == ERR_REFUSED) == (fault.code != CHP_NONE));
        if (err != OK)
            continue;
        list(s.settings, s.setting_count, &settings);
        list(s.own, s.own_count, &own);
        EXPECT(text_eq(s.user, LIT("dana")) && text_eq(s.database, STARTUPS[i].database));
        EXPECT(text_eq(buf_view(&settings), text_of(STARTUPS[i].settings)));
        EXPECT(text_eq(buf_view(&own), text_of(STARTUPS[i].own)));
    }
}

static void too_many_parameters_are_too_many(void)
{
    CLEANUP(arena_done) Arena arena;
    CLEANUP(buf_done) Buf packet;
    PgStartup s;
    Fault fault;

    arena_init(&arena, 1 << 16);
    buf_init(&packet, 1 << 16);
    EXPECT(buf_append(&packet, V(USER)) == OK);
    for (int i = 0; i <= PG_SETTINGS_MAX; i++)
        EXPECT(buf_append(&packet, V("jit\0off\0")) == OK);
    EXPECT(buf_byte(&packet, 0) == OK);
    EXPECT(pg_startup_read(buf_view(&packet), &arena, &s, &fault) == ERR_LIMIT);
}

/* --- signing in --- */

/* The first packet's kind, what is behind it, what came of it. */
static void the_first_packet_decides(void)
{
    static const struct {
        Bytes packet, behind, answer;
        Err err;
        PgSigninOrder order;
        PgSigninPhase phase;
    } CASES[] = {
        { B("\004\322\026\057"), B(""), B("N"), OK, SIGNIN_WAIT, SIGNIN_AT_START },
        { B("\004\322\026\060"), B(""), B("N"), OK, SIGNIN_WAIT, SIGNIN_AT_START },
        { B("\004\322\026\057"), B("\026"), B(""), ERR_MALFORMED, SIGNIN_WAIT, SIGNIN_AT_START },
        { B("\004\322\026\060"), B("Q"), B(""), ERR_MALFORMED, SIGNIN_WAIT, SIGNIN_AT_START },
        { B("\004\322\026\056\0\0\0\001abcd"), B(""), B(""), OK, SIGNIN_CANCEL, SIGNIN_AT_START },
        { B(USER "\0"), B(""), B("R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0"), OK, SIGNIN_WAIT,
          SIGNIN_AT_FIRST },
        { B("\0\003\0\002user\0dana\0\0"), B(""), B("R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0"), OK,
          SIGNIN_WAIT, SIGNIN_AT_FIRST },
        /* 3.1 was never spoken. libpq takes a version below 3.0 for an attack: the whole number */
        { B("\0\003\0\001user\0dana\0\0"), B(""),
          B("v\0\0\0\014\0\003\0\0\0\0\0\0R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0"), OK, SIGNIN_WAIT,
          SIGNIN_AT_FIRST },
        { B("\0\003\047\017user\0dana\0_pq_.x\0y\0\0"), B(""),
          B("v\0\0\0\023\0\003\0\002\0\0\0\001_pq_.x\0R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0"), OK,
          SIGNIN_WAIT, SIGNIN_AT_FIRST },
        { B("\0\003\0\003user\0dana\0\0"), B(""),
          B("v\0\0\0\014\0\003\0\002\0\0\0\0R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0"), OK,
          SIGNIN_WAIT, SIGNIN_AT_FIRST },
        /* an unknown option, and nothing else unknown: the minor stays what was asked for */
        { B(USER "_pq_.x\0y\0_pq_.z\0\0\0"), B(""),
          B("v\0\0\0\032\0\003\0\0\0\0\0\002_pq_.x\0_pq_.z\0R\0\0\0\027\0\0\0\012SCRAM-SHA-"
            "256\0\0"),
          OK, SIGNIN_WAIT, SIGNIN_AT_FIRST },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        PgSignin s;
        PgSigninOrder order;
        Fault fault;
        Leg l;

        leg_init(&l);
        pg_signin_init(&s, &l.arena);
        untagged(&l.wire.from_client, CASES[i].packet);
        EXPECT(buf_append(&l.wire.from_client, CASES[i].behind) == OK);
        EXPECT(pg_signin_spoke(&s, &l.wire, &order, &fault) == CASES[i].err);
        EXPECT(order == CASES[i].order && s.phase == CASES[i].phase);
        EXPECT(text_eq(buf_view(&l.wire.to_client), CASES[i].answer));
        leg_done(&l);
    }
}

/* A key has 4 to 256 bytes; whose it is, its owner knows. */
static void cancel_keys_have_the_lengths_of_3_2(void)
{
    static const uint8_t CODE[] = "\004\322\026\056\0\0\0\001";
    static const size_t LENGTHS[] = { 3, 4, 5, 32, 256, 257 };

    for (size_t i = 0; i < COUNT_OF(LENGTHS); i++) {
        CLEANUP(arena_done) Arena arena = { 0 };
        CLEANUP(buf_done) Buf packet = { 0 };
        const bool fits = LENGTHS[i] >= 4 && LENGTHS[i] <= 256;
        PgStartup s;
        Fault fault;

        arena_init(&arena, 1 << 16);
        buf_init(&packet, 1 << 16);
        EXPECT(buf_append(&packet, VIEW(CODE)) == OK);
        buf_truncate(&packet, 8);
        for (size_t k = 0; k < LENGTHS[i]; k++)
            EXPECT(buf_byte(&packet, (uint8_t)k) == OK);
        const Err err = pg_startup_read(buf_view(&packet), &arena, &s, &fault);
        EXPECT(err == (fits ? OK : ERR_MALFORMED));
        EXPECT(!fits || (s.cancel_pid == 1 && s.cancel_key.len == LENGTHS[i]));
    }
}

/* Protocol 2 knows no fields: 'E', the text, NUL. */
static void what_is_older_or_newer_is_told_so(void)
{
    static const struct {
        Bytes packet;
        bool before_3;
        const char *says;
    } CASES[] = {
        { B("\0\001\0\0"), true, "protocol 1.0 " },
        { B("\0\002\0\0dana"), true, "protocol 2.0 " },
        { B("\0\004\0\001user\0dana\0\0"), false, "protocol 4.1 " },
        { B("\004\322\026\061"), false, "protocol 1234.5681 " }, /* no request that we know */
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        CLEANUP(arena_done) Arena arena = { 0 };
        CLEANUP(buf_done) Buf out = { 0 };
        PgStartup s;
        Fault fault = { 0 };

        arena_init(&arena, 1 << 16);
        buf_init(&out, 4096);
        EXPECT(pg_startup_read(CASES[i].packet, &arena, &s, &fault) == ERR_REFUSED);
        EXPECT(fault.code == CHP_5401 && s.before_3 == CASES[i].before_3);
        EXPECT(text_starts(fault.fact, text_of(CASES[i].says)));
        EXPECT(pg_fault_before_3(&out, &fault) == OK);
        EXPECT(text_starts(buf_view(&out), LIT("EFATAL:  ")));
        EXPECT(text_find(buf_view(&out), V("\0")) == buf_len(&out) - 1);
    }
}

static void a_third_request_for_encryption_ends_it(void)
{
    PgSignin s;
    PgSigninOrder order;
    Fault fault;
    Leg l;

    leg_init(&l);
    pg_signin_init(&s, &l.arena);
    for (int i = 0; i < 3; i++) {
        untagged(&l.wire.from_client, V("\004\322\026\057"));
        EXPECT(pg_signin_spoke(&s, &l.wire, &order, &fault) == (i < 2 ? OK : ERR_MALFORMED));
    }
    leg_done(&l);
}

typedef struct Dance {
    Leg leg;
    PgSignin s;
    Hash salted;
    ScramVerifier verifier;
    Buf first, server_first, final;
} Dance;

/* Up to the client's final message, whose bytes are in d->final. */
static void dance_init(Dance *d, Bytes extra_nonce)
{
    static const uint8_t SALT[16] = { 1, 2, 3 };
    ScramServerFirst sf = { .salt_bytes = sizeof SALT, .rounds = 4096 };
    PgSigninOrder order;
    Fault fault;

    *d = (Dance){ 0 };
    leg_init(&d->leg);
    buf_init(&d->first, 4096);
    buf_init(&d->server_first, 4096);
    buf_init(&d->final, 4096);
    pg_signin_init(&d->s, &d->leg.arena);
    memcpy(sf.salt, SALT, sizeof SALT);
    EXPECT(scram_salt_password(LIT("secret"), VIEW(SALT), 4096, &d->salted) == OK);
    d->verifier = scram_verifier_of(&d->salted);
    untagged(&d->leg.wire.from_client, V(USER "\0"));
    EXPECT(pg_signin_spoke(&d->s, &d->leg.wire, &order, &fault) == OK);
    EXPECT(scram_client_first_write(LIT("n,,"), LIT("0123456789abcdef"), &d->first) == OK);
    size_t mark;
    Buf *out = &d->leg.wire.from_client;
    EXPECT(pg_open(out, 'p', &mark) == OK && pg_string(out, LIT("SCRAM-SHA-256")) == OK);
    EXPECT(buf_u32(out, (uint32_t)buf_len(&d->first)) == OK);
    EXPECT(buf_append(out, buf_view(&d->first)) == OK);
    pg_close(out, mark);
    EXPECT(pg_signin_spoke(&d->s, &d->leg.wire, &order, &fault) == OK && order == SIGNIN_BEGIN);
    EXPECT(pg_signin_proved(&d->s, &d->leg.wire, LIT("v=x")) == ERR_MALFORMED); /* too early */
    sf.nonce = LIT("0123456789abcdefSERVERSIDE");
    EXPECT(scram_server_first_write(&sf, &d->server_first) == OK);
    EXPECT(pg_signin_begun(&d->s, &d->leg.wire, buf_view(&d->server_first)) == OK);
    CLEANUP(buf_done) Buf nonce, bare;
    buf_init(&nonce, 512);
    buf_init(&bare, 512);
    EXPECT(buf_append(&nonce, sf.nonce) == OK && buf_append(&nonce, extra_nonce) == OK);
    EXPECT(scram_client_final_begin(LIT("n,,"), (Bytes){ 0 }, buf_view(&nonce), &d->final) == OK);
    EXPECT(buf_append(&bare, buf_view(&d->final)) == OK);
    const ScramExchange e = { d->s.client_first_bare, buf_view(&d->server_first), buf_view(&bare) };
    EXPECT(scram_client_final_end(&d->salted, &e, &d->final) == OK);
}

static void dance_done(Dance *d)
{
    leg_done(&d->leg);
    buf_done(&d->first);
    buf_done(&d->server_first);
    buf_done(&d->final);
}

static void whoever_knows_the_password_is_let_in(void)
{
    CLEANUP(buf_done) Buf last;
    PgSigninOrder order;
    Fault fault;
    Dance d;

    dance_init(&d, (Bytes){ 0 });
    buf_init(&last, 4096);
    EXPECT(pg_message(&d.leg.wire.from_client, 'p', buf_view(&d.final)) == OK);
    EXPECT(pg_signin_spoke(&d.s, &d.leg.wire, &order, &fault) == OK && order == SIGNIN_PROVE);
    EXPECT(pg_signin_begun(&d.s, &d.leg.wire, LIT("r=")) == ERR_MALFORMED); /* not again */
    const ScramExchange e = { d.s.client_first_bare, buf_view(&d.server_first),
                              d.s.client_final_without_proof };
    EXPECT(scram_proof_holds(&d.verifier, &e, &d.s.proof));
    EXPECT(scram_server_final_write(&d.verifier, &e, &last) == OK);
    buf_truncate(&d.leg.wire.to_client, 0);
    EXPECT(pg_signin_proved(&d.s, &d.leg.wire, buf_view(&last)) == OK && d.s.phase == SIGNIN_DONE);
    EXPECT(scram_server_final_check(buf_view(&last), &d.salted, &e) == OK);
    EXPECT(has(&d.leg.wire.to_client, V("R\0\0\0\010\0\0\0\0")));
    EXPECT(buf_len(&d.leg.wire.to_server) == 0);
    dance_done(&d);
}

static void another_nonce_is_refused(void)
{
    PgSigninOrder order;
    Fault fault;
    Dance d;

    dance_init(&d, LIT("x"));
    EXPECT(pg_message(&d.leg.wire.from_client, 'p', buf_view(&d.final)) == OK);
    EXPECT(pg_signin_spoke(&d.s, &d.leg.wire, &order, &fault) == ERR_REFUSED);
    EXPECT(fault.code == CHP_3301);
    dance_done(&d);
}

/* --- errors --- */

static const struct {
    Bytes body;
    uint8_t tag;
    bool phi;
    const char *keeps, *loses;
} SCRUBS[] = {
    { B("SERROR\0C22P02\0Minvalid input syntax for type integer: \"" CANARY "\"\0\0"), 'E', true,
      "invalid input syntax for the type", CANARY },
    { B("SERROR\0C23505\0Mduplicate key\0DKey (ssn)=(" CANARY ") already exists.\0\0"), 'E', true,
      "unique key violation", CANARY },
    { B("SERROR\0C23502\0Mnull value\0DFailing row contains (" CANARY ").\0\0"), 'E', true,
      "NULL in a column", CANARY },
    { B("SERROR\0C42501\0M" CANARY "\0Fpl_exec.c\0\0"), 'E', true, "withheld", CANARY },
    { B("SERROR\0C42501\0M" CANARY "\0WPL/pgSQL function f() line 1 at RAISE\0\0"), 'E', true,
      "withheld", CANARY },
    { B("SERROR\0C42703\0Mcolumn x does not exist\0q" CANARY "\0\0"), 'E', true, "withheld",
      CANARY },
    { B("SERROR\0C42703\0Mcolumn x does not exist\0P8\0\0"), 'E', true, "column x does not exist",
      "withheld" },
    { B("SERROR\0C42601\0Msyntax error\0R" CANARY "\0F" CANARY "\0L" CANARY "\0n" CANARY "\0\0"),
      'E', true, "syntax error", CANARY },
    { B("SERROR\0C42601\0Msyntax error\0t" CANARY "\0c" CANARY "\0d" CANARY "\0s" CANARY "\0\0"),
      'E', true, "syntax error", CANARY },
    { B("SNOTICE\0C00000\0Mtable t does not exist, skipping\0H" CANARY "\0\0"), 'N', true,
      "server: table t", CANARY },
    { B("SWARNING\0C01000\0M" CANARY "\0\0"), 'N', true, "warning", CANARY },
    { B("SERROR\0CP0001\0M" CANARY "\0\0"), 'E', true, "raised by a function", CANARY },
    { B("SERROR\0CXX000\0M" CANARY "\0\0"), 'E', true, "internal error", CANARY },
    { B("SERROR\0CZZ999\0M" CANARY "\0\0"), 'E', true, "withheld", CANARY },
    { B("SERROR\0C42601\0Msyntax error\0P" CANARY "\0\0"), 'E', true, "syntax error", CANARY },
    { B("S" CANARY "\0V" CANARY "\0C42601\0Msyntax error\0\0"), 'E', true, "SERROR", CANARY },
    { B("SFEHLER\0VERROR\0C42601\0MSyntaxfehler\0\0"), 'E', false, "SFEHLER", "server" },
    { B("SERROR\0C42501\0MChaperone refused (rule no-ddl)\0Hchaperone: run this\0\0"), 'E', true,
      "server: Chaperone refused", "run this" },
    { B("SERROR\0C23505\0Mduplicate key\0DKey (id)=(7)\0\0"), 'E', false, "Key (id)=(7)",
      "withheld" },
};

static void errors_lose_what_may_be_data(void)
{
    for (size_t i = 0; i < COUNT_OF(SCRUBS); i++) {
        CLEANUP(buf_done) Buf out;
        Bytes state;
        PgFrame f;

        buf_init(&out, 4096);
        EXPECT(pg_scrub(SCRUBS[i].tag, SCRUBS[i].body, SCRUBS[i].phi, &out, &state) == OK);
        if (!has(&out, text_of(SCRUBS[i].keeps)) || has(&out, text_of(SCRUBS[i].loses)))
            fprintf(stderr, "scrub %zu: %.*s\n", i, SHOW(buf_view(&out)));
        EXPECT(has(&out, text_of(SCRUBS[i].keeps)));
        EXPECT(!has(&out, text_of(SCRUBS[i].loses)));
        EXPECT(pg_frame_next(buf_view(&out), PG_TAGGED, 4096, &f) == OK && f.size == buf_len(&out));
        EXPECT(state.len == 5);
    }
}

/* --- what we write --- */

static void a_fault_is_one_whole_message(void)
{
    CLEANUP(buf_done) Buf out;
    const Fault forgotten = { 0 }, evil = { .code = CHP_3101, .fact = B("a\0Cinjected\0") };
    PgFrame f;

    buf_init(&out, 4096);
    EXPECT(pg_fault(&out, &forgotten, LIT("d-1")) == OK); /* a zeroed verdict denies */
    EXPECT(pg_frame_next(buf_view(&out), PG_TAGGED, 4096, &f) == OK && f.tag == 'E');
    EXPECT(has(&out, V("C42501\0")) && has(&out, LIT("CHP-3101")));
    buf_truncate(&out, 0);
    EXPECT(pg_fault(&out, &evil, LIT("d-1")) == ERR_MALFORMED);
    EXPECT(pg_fault(&out, &(Fault){ .code = CHP_3110, .fact = LIT("x") }, LIT("")) == OK);
}

int main(void)
{
    TEST(frames_begin_and_end_where_they_say);
    TEST(startup_parameters_are_held_to_the_list);
    TEST(too_many_parameters_are_too_many);
    TEST(the_first_packet_decides);
    TEST(cancel_keys_have_the_lengths_of_3_2);
    TEST(what_is_older_or_newer_is_told_so);
    TEST(a_third_request_for_encryption_ends_it);
    TEST(whoever_knows_the_password_is_let_in);
    TEST(another_nonce_is_refused);
    TEST(errors_lose_what_may_be_data);
    TEST(a_fault_is_one_whole_message);
    return 0;
}
