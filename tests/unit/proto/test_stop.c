/* Rows that are stopped while they stream: what the client sees, and what is true on the server. */
#include "pg_kit.h"

#include "base/text.h"
#include "test.h"

typedef struct Stop {
    const char *script;
    const char *sees, *committed;
    Err err;
} Stop;

/* The toy server has completed everything before anybody could cancel it. */
static const Stop LATE[] = {
    { "Q rows id|!", "T D E53400 ZI", "", OK },
    { "Q rows id|!|Q rows id|!", "T D E53400 ZI T D E53400 ZI", "", OK },
    { "Q rows id; rows id|!", "T D E53400 ZI", "", OK },
    { "P ,rows id|B ,|E|S|!", "1 2 D E53400 ZI", "", OK },
    { "P ,rows id|B ,|DP|E|S|!", "1 2 T D E53400 ZI", "", OK },
    { "P ,rows id|B ,|E|H|!|S|!", "1 2 D E53400 ZI", "", OK },
    { "P ,rows id|B ,|E ,2|H|!|E|S|!", "1 2 D E53400 ZI", "", OK },
    /* What reads leave behind may stay; what else there is may not be called undone. */
    { "Q insert a; rows id|!", "C T D", "a", ERR_REFUSED },
    { "P ,insert a|B ,|E|P ,rows id|B ,|E|S|!", "1 2 C 1 2 D", "a", ERR_REFUSED },
    { "P ,insert a|B ,|E|P ,rows id|B ,|E|H|!|S|!", "1 2 C 1 2 D E53400 ZI", "", OK },
    { "Q begin|!|Q insert a|!|Q rows id; commit|!", "C ZT C ZT T D", "a", ERR_REFUSED },
    { "P ,rows id|B ,|E|P ,insert a|B ,|E|S|!", "1 2 D", "a", ERR_REFUSED },
    /* In a transaction it has failed on the server, too. */
    { "Q begin|!|Q insert a|!|Q rows id|!|Q commit|!", "C ZT C ZT T D E53400 ZE C ZI", "", OK },
    { "Q begin|!|P ,rows id|B ,|E|S|!|Q insert b|!|Q commit|!",
      "C ZT 1 2 D E53400 ZE E25P02 ZE C ZI", "", OK },
    { "Q begin|!|P ,rows id|B ,|E|H|!|S|!|Q commit|!", "C ZT 1 2 D E53400 ZE C ZI", "", OK },
    { "Q begin|!|Q rows id|Q insert a|!", "C ZT T D", "", ERR_REFUSED },
    /* Another statement is not meant. */
    { "Q insert a|!|Q rows id|!|Q insert b|!", "C ZI T D E53400 ZI C ZI", "a b", OK },
    { "Q select id|!", "T D E53400 ZI", "", OK },
    { "Q insert a|Q local|!", "C ZI T D C ZI", "a", OK },
};

static void run(const Stop *t)
{
    CLEANUP(buf_done) Buf sees = { 0 };
    Kit k;

    kit_init(&k);
    k.piece = 1;
    k.stops = true;
    buf_init(&sees, 1 << 20);
    const Err err = kit_script(&k, t->script);
    kit_summary(buf_view(&k.client), &sees);
    const bool same = err == t->err && text_eq(buf_view(&sees), text_of(t->sees)) &&
                      text_eq(text_trim(buf_view(&k.server.committed)), text_of(t->committed));
    if (!same)
        fprintf(stderr, "%s\n  err %d\n  sees      %.*s\n  expected  %s\n  committed %.*s\n",
                t->script, (int)err, SHOW(buf_view(&sees)), t->sees,
                SHOW(buf_view(&k.server.committed)));
    EXPECT(same);
    kit_done(&k);
}

static void a_target_that_was_quicker(void)
{
    for (size_t i = 0; i < COUNT_OF(LATE); i++)
        run(&LATE[i]);
}

/* A message of one byte of type and a body. */
static void said(Kit *k, const char *type, Bytes body, Err want)
{
    CLEANUP(buf_done) Buf frame = { 0 };

    buf_init(&frame, 1024);
    EXPECT(buf_append(&frame, bytes_upto(text_of(type), 1)) == OK);
    EXPECT(buf_u32(&frame, (uint32_t)body.len + 4) == OK && buf_append(&frame, body) == OK);
    EXPECT(kit_server(k, buf_view(&frame)) == want);
}

static const Bytes SHAPE = LIT_INIT("\0\001id\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
static const Bytes ROW = LIT_INIT("\0\001\0\0\0\0017");

static void sees(const Kit *k, const char *expected)
{
    CLEANUP(buf_done) Buf summary = { 0 };

    buf_init(&summary, 1 << 16);
    kit_summary(buf_view(&k->client), &summary);
    if (!text_eq(buf_view(&summary), text_of(expected)))
        fprintf(stderr, "sees %.*s, not %s\n", SHOW(buf_view(&summary)), expected);
    EXPECT(text_eq(buf_view(&summary), text_of(expected)));
}

static void cancelled_in_time(void)
{
    Kit k;

    kit_init(&k);
    k.scripted = true;
    EXPECT(kit_script(&k, "Q rows id|Q select id") == OK);
    said(&k, "T", SHAPE, OK);
    k.stops = true;
    said(&k, "D", ROW, OK);
    EXPECT(k.stopped == 1);
    for (int i = 0; i < 100; i++)
        said(&k, "D", ROW, OK);
    EXPECT(k.stopped == 1);
    k.stops = false;
    said(&k, "E", LIT("SERROR\0C57014\0Mcanceling statement due to user request\0\0"), OK);
    EXPECT(k.receipts == 1 && k.last.failed && k.last.rows == 1);
    EXPECT(text_eq(k.last.tag, LIT("53400")));
    said(&k, "Z", LIT("I"), OK);
    said(&k, "T", SHAPE, OK); /* the next one is as ever */
    said(&k, "D", ROW, OK);
    said(&k, "C", LIT("SELECT 1\0"), OK);
    said(&k, "Z", LIT("I"), OK);
    sees(&k, "T D E53400 ZI T D C ZI");
    kit_done(&k);
}

/* Only rows are stopped: not what runs and has sent none, nor what waits behind it. */
static void what_sends_no_rows_goes_on(void)
{
    Kit k;

    kit_init(&k);
    k.scripted = k.stops = true;
    EXPECT(kit_script(&k, "Q insert a|Q insert b") == OK);
    said(&k, "C", LIT("INSERT 0 1\0"), OK);
    said(&k, "Z", LIT("I"), OK);
    said(&k, "C", LIT("INSERT 0 1\0"), OK);
    said(&k, "Z", LIT("I"), OK);
    EXPECT(k.stopped == 0);
    sees(&k, "C ZI C ZI");
    kit_done(&k);
}

/* Dropped or not, what no server says there ends the session. */
static void lies_about_what_was_stopped(void)
{
    static const char *const SCRIPTS[] = { "P ,rows id|B ,|E|S", "Q rows id" };

    for (size_t i = 0; i < COUNT_OF(SCRIPTS); i++) {
        Kit k;

        kit_init(&k);
        k.scripted = true;
        EXPECT(kit_script(&k, SCRIPTS[i]) == OK);
        if (i == 0) {
            said(&k, "1", (Bytes){ 0 }, OK);
            said(&k, "2", (Bytes){ 0 }, OK);
        }
        said(&k, "T", SHAPE, OK);
        k.stops = true;
        said(&k, "D", ROW, OK);
        EXPECT(k.stopped == 1);
        said(&k, i == 0 ? "T" : "t", SHAPE, ERR_MALFORMED);
        kit_done(&k);
    }
}

int main(void)
{
    TEST(a_target_that_was_quicker);
    TEST(cancelled_in_time);
    TEST(what_sends_no_rows_goes_on);
    TEST(lies_about_what_was_stopped);
    return 0;
}
