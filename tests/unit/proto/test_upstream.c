/* The gateway's sign-in at a target: who is believed, and what it says of itself. */
#include "proto/pg/pg_upstream.h"

#include "base/text.h"
#include "pg_leg.h"

static const PgUpstreamStart START = {
    .user = LIT_INIT("svc"),
    .database = LIT_INIT("ehr"),
    .application = LIT_INIT("chaperone/s-1"),
    .nonce = LIT_INIT("0123456789abcdefghijklmn"),
};

static Err upstream(Bytes extra, Buf *ret_sent)
{
    const Hash signature = { { 7 } };
    PgUpstreamOrder order;
    PgUpstream u;
    Leg l;

    leg_init(&l);
    EXPECT(pg_upstream_init(&u, &l.arena, &START, &l.wire) == OK);
    EXPECT(has(&l.wire.to_server, V("client_encoding\0UTF8\0standard_conforming_strings\0on\0\0")));
    auth(&l.wire.from_server, 10, V("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"));
    EXPECT(pg_upstream_spoke(&u, &l.wire, &order) == OK && order == UPSTREAM_WAIT);
    auth(&l.wire.from_server, 11, LIT("r=x,s=y,i=4096"));
    EXPECT(pg_upstream_spoke(&u, &l.wire, &order) == OK && order == UPSTREAM_PROVE);
    EXPECT(pg_upstream_proved(&u, &l.wire, LIT("c=biws"), &signature) == OK);
    EXPECT(buf_append(&l.wire.from_server, extra) == OK);
    Err err = pg_upstream_spoke(&u, &l.wire, &order);
    if (err == OK && order != UPSTREAM_READY)
        err = ERR_MORE;
    if (err == OK)
        EXPECT(u.pid == 5 && text_eq(u.version, LIT("15.18")) && has(&u.parameters, LIT("15.18")));
    if (err == OK)
        EXPECT(u.backend.pid == 5 && u.backend.in_recovery && u.backend.read_only &&
               text_eq(u.backend.cluster, LIT("77/9")));
    if (err == OK)
        EXPECT(pg_upstream_cancel(&u, ret_sent) == OK);
    pg_upstream_done(&u);
    leg_done(&l);
    return err;
}

#define FINAL   "R\0\0\0\066\0\0\0\014v=BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define WRONG   "R\0\0\0\066\0\0\0\014v=CwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define AUTH_OK "R\0\0\0\010\0\0\0\0"
#define VERSION "S\0\0\0\031server_version\00015.18\0"
#define KEY     "K\0\0\0\014\0\0\0\005abcd"
#define READY   "Z\0\0\0\005I"
#define NAMES   "T\0\0\0\006\0\0"
#define DONE    "C\0\0\0\015SELECT 1\0"
/* pid 5, a standby, read-only, system 77, database 9 */
#define BACKEND "D\0\0\0\045\0\006\0\0\0\0015\0\0\0\001t\0\0\0\002on\0\0\0\00277\0\0\0\0019\0\0\0\0"
#define SIGNED  FINAL AUTH_OK VERSION KEY READY

static void only_the_real_target_is_believed(void)
{
    static const struct {
        Bytes said;
        Err err;
    } CASES[] = {
        { B(SIGNED NAMES BACKEND DONE READY), OK },
        { B(SIGNED), ERR_MORE }, /* who are you? */
        { B(SIGNED READY), ERR_MALFORMED },
        { B(SIGNED NAMES DONE READY), ERR_MALFORMED },
        { B(SIGNED NAMES BACKEND BACKEND DONE READY), ERR_MALFORMED },
        { B(SIGNED "R\0\0\0\010\0\0\0\0"), ERR_MALFORMED },
        { B(SIGNED "E\0\0\0\014C42501\0\0"), ERR_REFUSED },
        { B(SIGNED "S\0\0\0\044standard_conforming_strings\0off\0"), ERR_REFUSED },
        { B(WRONG AUTH_OK VERSION KEY READY), ERR_REFUSED },
        { B(AUTH_OK VERSION KEY READY), ERR_REFUSED }, /* let in without a proof */
        { B(FINAL VERSION), ERR_MALFORMED },
        { B(FINAL READY), ERR_MALFORMED },
        { B(FINAL "R\0\0\0\010\0\0\0\003"), ERR_REFUSED },     /* wants the password in clear */
        { B(FINAL "R\0\0\0\014\0\0\0\005abcd"), ERR_REFUSED }, /* wants MD5 */
        { B(FINAL AUTH_OK "S\0\0\0\032client_encoding\0LATIN\0"), ERR_REFUSED },
        { B(FINAL AUTH_OK "S\0\0\0\044standard_conforming_strings\0off\0"), ERR_REFUSED },
        { B(FINAL AUTH_OK "D\0\0\0\006\0\0"), ERR_MALFORMED },
        { B(FINAL AUTH_OK "K\0\0\0\010\0\0\0\005"), ERR_MALFORMED },
        { B(FINAL AUTH_OK VERSION KEY), ERR_MORE },
        { B("E\0\0\0\015C28P01\0x\0"), ERR_MALFORMED },
        { B("E\0\0\0\014C28P01\0\0"), ERR_REFUSED },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        CLEANUP(buf_done) Buf cancel;

        buf_init(&cancel, 64);
        const Err err = upstream(CASES[i].said, &cancel);
        if (err != CASES[i].err)
            fprintf(stderr, "upstream %zu: %d\n", i, (int)err);
        EXPECT(err == CASES[i].err);
        EXPECT(err != OK ||
               text_eq(buf_view(&cancel), V("\0\0\0\020\004\322\026\056\0\0\0\005abcd")));
    }
}

/* Only where it is allowed, only as the first thing asked for, and never into a SCRAM exchange. */
static void md5_is_answered_where_it_is_allowed(void)
{
    static const struct {
        bool allowed;
        Bytes said;
        Err err;
        PgUpstreamOrder order;
        const char *why;
    } CASES[] = {
        { true, B("R\0\0\0\014\0\0\0\005abcd"), OK, UPSTREAM_MD5, NULL },
        { true, B("R\0\0\0\013\0\0\0\005abc"), ERR_MALFORMED, UPSTREAM_WAIT, NULL },
        { false, B("R\0\0\0\014\0\0\0\005abcd"), ERR_REFUSED, UPSTREAM_WAIT, "MD5" },
        { true, B("R\0\0\0\010\0\0\0\003"), ERR_REFUSED, UPSTREAM_WAIT, "in clear" },
        { true, B(AUTH_OK), ERR_REFUSED, UPSTREAM_WAIT, "without asking" },
        { true, B("R\0\0\0\010\0\0\0\007"), ERR_REFUSED, UPSTREAM_WAIT, "does not have" },
        { true, B("R\0\0\0\027\0\0\0\012SCRAM-SHA-256\0\0R\0\0\0\014\0\0\0\005abcd"), ERR_REFUSED,
          UPSTREAM_WAIT, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        PgUpstreamStart start = START;
        PgUpstreamOrder order;
        PgUpstream u;
        Leg l;

        leg_init(&l);
        start.md5_allowed = CASES[i].allowed;
        EXPECT(pg_upstream_init(&u, &l.arena, &start, &l.wire) == OK);
        EXPECT(buf_append(&l.wire.from_server, CASES[i].said) == OK);
        EXPECT(pg_upstream_spoke(&u, &l.wire, &order) == CASES[i].err && order == CASES[i].order);
        EXPECT((u.why != NULL) == (CASES[i].why != NULL));
        EXPECT(u.why == NULL ||
               text_find(text_of(u.why), text_of(CASES[i].why)) < text_of(u.why).len);
        buf_truncate(&l.wire.to_server, 0);
        if (order == UPSTREAM_MD5) {
            EXPECT(text_eq(u.md5_salt, LIT("abcd")));
            EXPECT(pg_upstream_proved(&u, &l.wire, LIT("c=biws"), &(Hash){ { 7 } }) ==
                   ERR_MALFORMED);
            EXPECT(pg_upstream_md5(&u, &l.wire, LIT("md5x")) == OK);
            EXPECT(text_eq(buf_view(&l.wire.to_server), V("p\0\0\0\011md5x\0")));
            EXPECT(pg_upstream_md5(&u, &l.wire, LIT("md5x")) == ERR_MALFORMED); /* once */
        }
        pg_upstream_done(&u);
        leg_done(&l);
    }
}

static void what_a_server_says_of_itself_is_read_whole(void)
{
    static const struct {
        Bytes row;
        Err err;
    } CASES[] = {
        { B("\0\006\0\0\0\0015\0\0\0\001f\0\0\0\003off\0\0\0\00277\0\0\0\0019\0\0\0\0"), OK },
        { B("\0\006\0\0\0\0015\0\0\0\001f\0\0\0\003off\0\0\0\00277\0\0\0\0019\0\0\0\0\0"),
          ERR_MALFORMED },
        { B("\0\004\0\0\0\0015\0\0\0\001f\0\0\0\003off\0\0\0\00277"), ERR_MALFORMED },
        { B("\0\006\0\0\0\0015\0\0\0\001f\0\0\0\003off\0\0\0\00277\377\377\377\377"),
          ERR_MALFORMED },
        { B("\0\006\0\0\0\001x\0\0\0\001f\0\0\0\003off\0\0\0\00277\0\0\0\0019\0\0\0\0"),
          ERR_MALFORMED },
        { B("\0\006\0\0\0\0015\0\0\0\001?\0\0\0\003off\0\0\0\00277\0\0\0\0019\0\0\0\0"),
          ERR_MALFORMED },
        { B("\0\006\0\0\0\0015\0\0\0\001f\0\0\0\003yes\0\0\0\00277\0\0\0\0019\0\0\0\0"),
          ERR_MALFORMED },
        { B(""), ERR_MALFORMED },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        CLEANUP(arena_done) Arena arena = { 0 };
        PgBackend b;

        arena_init(&arena, 1 << 16);
        EXPECT(pg_backend_read(CASES[i].row, &arena, &b) == CASES[i].err);
        EXPECT(CASES[i].err != OK || (!b.in_recovery && !b.read_only && b.pid == 5));
    }
}

#define MARK "abcdefghijklmnopqrstuvwx"
#define ROW(pid, mark)                                                                             \
    "D\0\0\0\076\0\006\0\0\0\001" pid                                                              \
    "\0\0\0\001f\0\0\0\003off\0\0\0\00277\0\0\0\0019\0\0\0\030" mark
#define CLEAN "D\0\0\0\046\0\006\0\0\0\0015\0\0\0\001f\0\0\0\003off\0\0\0\00277\0\0\0\0019\0\0\0\0"

/* Behind a pooler: settings go by a query, quoted; and the backend is the same before and after. */
static void behind_a_pooler_the_backend_must_stay(void)
{
    static const struct {
        Bytes first, last;
        Err err;
    } CASES[] = {
        { B(CLEAN), B(ROW("5", MARK)), OK },
        { B(ROW("5", MARK)), B(""), ERR_REFUSED }, /* somebody's session already */
        { B(CLEAN), B(CLEAN), ERR_REFUSED },       /* reset between two transactions */
        { B(CLEAN), B(ROW("6", MARK)), ERR_REFUSED },
        { B(CLEAN), B(ROW("5", "xxxxxxxxxxxxxxxxxxxxxxxx")), ERR_REFUSED },
    };
    const PgSetting settings[] = { { LIT("timezone"), LIT("a'); DROP TABLE t; --\\") } };
    const Hash signature = { { 7 } };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        PgUpstreamStart start = START;
        PgUpstreamOrder order;
        PgUpstream u;
        Leg l;

        leg_init(&l);
        start.pooled = true;
        start.nonce = LIT(MARK);
        start.settings = settings;
        start.setting_count = 1;
        EXPECT(pg_upstream_init(&u, &l.arena, &start, &l.wire) == OK);
        EXPECT(!has(&l.wire.to_server, LIT("timezone")));
        auth(&l.wire.from_server, 10, V("SCRAM-SHA-256\0\0"));
        auth(&l.wire.from_server, 11, LIT("r=x,s=y,i=4096"));
        EXPECT(pg_upstream_spoke(&u, &l.wire, &order) == OK && order == UPSTREAM_PROVE);
        EXPECT(pg_upstream_proved(&u, &l.wire, LIT("c=biws"), &signature) == OK);
        EXPECT(buf_append(&l.wire.from_server, V(SIGNED NAMES)) == OK);
        EXPECT(buf_append(&l.wire.from_server, CASES[i].first) == OK);
        EXPECT(buf_append(&l.wire.from_server, V(DONE READY)) == OK);
        Err err = pg_upstream_spoke(&u, &l.wire, &order);
        if (err == OK) {
            EXPECT(order == UPSTREAM_WAIT);
            EXPECT(has(&l.wire.to_server, LIT("('chaperone.connection', '" MARK "', false)")));
            EXPECT(has(&l.wire.to_server, LIT("('timezone', 'a''); DROP TABLE t; --\\', false)")));
            EXPECT(buf_append(&l.wire.from_server, V(NAMES CLEAN DONE READY NAMES)) == OK);
            EXPECT(buf_append(&l.wire.from_server, CASES[i].last) == OK);
            EXPECT(buf_append(&l.wire.from_server, V(DONE READY)) == OK);
            err = pg_upstream_spoke(&u, &l.wire, &order);
        }
        EXPECT(err == CASES[i].err && (err != OK || order == UPSTREAM_READY));
        EXPECT((u.why != NULL) == (err == ERR_REFUSED));
        pg_upstream_done(&u);
        leg_done(&l);
    }
}

static void a_pooler_is_known_by_its_process_id(void)
{
    PgUpstreamOrder order;
    PgUpstream u;
    Leg l;

    leg_init(&l);
    EXPECT(pg_upstream_init(&u, &l.arena, &START, &l.wire) == OK);
    u.phase = UPSTREAM_AT_READY;
    EXPECT(buf_append(&l.wire.from_server,
                      V("K\0\0\0\014\0\0\0\006abcd" READY NAMES CLEAN DONE READY)) == OK);
    EXPECT(pg_upstream_spoke(&u, &l.wire, &order) == ERR_REFUSED && u.why != NULL);
    pg_upstream_done(&u);
    leg_done(&l);
}

int main(void)
{
    TEST(behind_a_pooler_the_backend_must_stay);
    TEST(a_pooler_is_known_by_its_process_id);
    TEST(only_the_real_target_is_believed);
    TEST(md5_is_answered_where_it_is_allowed);
    TEST(what_a_server_says_of_itself_is_read_whole);
    return 0;
}
