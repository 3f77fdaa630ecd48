/* Talks between a client and a server that behaves like PostgreSQL, with the gateway between:
 * what the client sees, what was committed, and that nothing ran unjudged. */
#include "pg_kit.h"

#include "base/text.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_withhold.h"
#include "proto/pg/pg_write.h"
#include "test.h"
#include "toy_sql.h"

static int failures;

typedef struct Talk {
    const char *script;
    const char *sees;      /* kit_summary() of all the client got */
    const char *committed; /* what INSERTs stayed */
} Talk;

static const Talk TALKS[] = {
#include "talks.inc"
};

static bool has(const Buf *b, const char *text)
{
    return text_find(buf_view(b), text_of(text)) < buf_len(b);
}

/* Did a text that begins so run? */
static bool ran(const Kit *k, Bytes start)
{
    Bytes rest = buf_view(&k->server.executed);

    while (rest.len > 0) {
        if (text_starts(rest, start))
            return true;
        rest = bytes_from(rest, text_find(rest, LIT("\n")) + 1);
    }
    return false;
}

static void nothing_leaked(const Kit *k, bool approved)
{
    EXPECT(!has(&k->client, CANARY));
    EXPECT(!has(&k->client, "half a value"));
    EXPECT(!ran(k, LIT("deny")) && (approved || !ran(k, LIT("hold"))));
    EXPECT(!has(&k->target, "deny"));
    EXPECT(!has(&k->target, "local"));
}

static void run_talk(const Talk *t, size_t piece)
{
    CLEANUP(buf_done) Buf sees;
    Kit k;

    kit_init(&k);
    k.piece = piece;
    buf_init(&sees, 1 << 20);
    const Err err = kit_script(&k, t->script);
    kit_summary(buf_view(&k.client), &sees);
    const bool same = text_eq(buf_view(&sees), text_of(t->sees)) &&
                      text_eq(text_trim(buf_view(&k.server.committed)), text_of(t->committed));
    if (err != OK || !same)
        fprintf(stderr,
                "%s\n  piece %zu, err %d\n  sees      %.*s\n  expected  %s\n  committed %.*s\n",
                t->script, piece, (int)err, SHOW(buf_view(&sees)), t->sees,
                SHOW(buf_view(&k.server.committed)));
    failures += err != OK || !same;
    nothing_leaked(&k, text_find(text_of(t->script), LIT("yes")) < text_of(t->script).len);
    kit_done(&k);
}

static void talks_go_as_written(void)
{
    const char *only = getenv("TALK");

    if (only != NULL) {
        run_talk(&(Talk){ only, "?", "?" }, 0);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(TALKS); i++) {
        run_talk(&TALKS[i], 0);
        run_talk(&TALKS[i], 1);
        run_talk(&TALKS[i], 7);
    }
    EXPECT(failures == 0);
}

/* --- a server that is not what it seems ------------------------------------------------------- */

typedef struct Lie {
    const char *script;
    const char *answers; /* \x00 written as ~, lengths as they are: see frame_of() */
    Err err;
    const char *sees;
} Lie;

/* "T body" pieces with bars between; ~ is a NUL byte, the length is filled in. */
static void say_answers(Buf *out, const char *answers)
{
    Bytes rest = text_of(answers);

    while (rest.len > 0) {
        const size_t end = text_find(rest, LIT("|"));
        CLEANUP(buf_done) Buf body;
        size_t mark;

        buf_init(&body, 4096);
        for (size_t i = 1; i < end; i++)
            EXPECT(buf_byte(&body, rest.ptr[i] == '~' ? 0 : rest.ptr[i]) == OK);
        EXPECT(pg_open(out, rest.ptr[0], &mark) == OK);
        EXPECT(buf_append(out, buf_view(&body)) == OK);
        pg_close(out, mark);
        rest = bytes_from(rest, end < rest.len ? end + 1 : end);
    }
}

#define ONE_ID  "T~\001id~~~~~~~~~~~~~~~~~~~"
#define ONE_SSN "T~\001ssn~~~~~~~~~~~~~~~~~~~"
#define TWO     "T~\002id~~~~~~~~~~~~~~~~~~~ssn~~~~~~~~~~~~~~~~~~~"
#define NEVER   "T~\001never~~~~~~~~~~~~~~~~~~~"
#define ROW     "D~\001~~~\0017"
#define ROW_SSN "D~\001~~~\013" CANARY

static const Lie LIES[] = {
    { "Q select id", ONE_ID "|" ROW "|CSELECT 1~|ZI", OK, "T D C ZI" },
    { "Q select id", ROW_SSN, ERR_MALFORMED, "" },                      /* no shape */
    { "P ,select id|B ,|E|S", "1|2|" ROW_SSN, ERR_MALFORMED, "1 2" },   /* no shape */
    { "P ,select id|B ,|E|S", "1|2|n|" ROW_SSN, ERR_MALFORMED, "1 2" }, /* nor here */
    { "P ,rows id|B p,|E p,1|E p,1|S", "1|2|" ONE_ID "|" ROW "|s|n|" ROW_SSN, ERR_MALFORMED,
      "1 2 D s" },
    { "Q select id", ONE_ID "|CSELECT 1~|" ROW_SSN, ERR_MALFORMED,
      "T C" },                                              /* another statement's */
    { "Q select id", TWO "|" ROW_SSN, ERR_MALFORMED, "T" }, /* another count */
    { "Q select id", ONE_ID "|D~\002~~~\0017~~~\0017", ERR_MALFORMED, "T" },
    { "Q select id", ONE_ID "|D~\001~~~\0027", ERR_MALFORMED, "T" },  /* value past the end */
    { "Q select id", ONE_ID "|D~\001~~~\00177", ERR_MALFORMED, "T" }, /* bytes behind the row */
    { "Q select id", "T~\002id~~~~~~~~~~~~~~~~~~~", ERR_MALFORMED, "" },
    { "Q select id", "T~\001id~~~~~~~~~~~~~~~~~~\002", ERR_MALFORMED, "" }, /* format 2 */
    { "Q select id", "T\377\377", ERR_MALFORMED, "" },
    { "Q select id", NEVER "|" ROW "|" ROW_SSN "|CSELECT 2~", OK, "" }, /* until the Z */
    { "Q select id", "T~\001forgotten~~~~~~~~~~~~~~~~~~~|" ROW, OK, "T" },
    { "Q select id", NEVER "|CSELECT 1~|1", ERR_MALFORMED, "" }, /* withheld is not unread */
    { "Q select id", NEVER "|CSELECT 0~|ZI|" ROW_SSN, ERR_MALFORMED, "EXX000 ZI" },
    { "Q select id", "ZI", ERR_MALFORMED, "" }, /* neither a result nor an error */
    { "Q select id", ONE_SSN "|" ROW_SSN "|CSELECT " CANARY "~", ERR_MALFORMED, "T D" },
    { "Q select id", "CSELECT a~", ERR_MALFORMED, "" },
    { "Q select id", "CSELECT 1", ERR_MALFORMED, "" },
    { "Q select id", "ZX", ERR_MALFORMED, "" },
    { "Q select id", "ZII", ERR_MALFORMED, "" },
    { "Q select id", "1", ERR_MALFORMED, "" }, /* answers nobody asked for */
    { "Q select id", "2", ERR_MALFORMED, "" },
    { "Q select id", "3", ERR_MALFORMED, "" },
    { "Q select id", "s", ERR_MALFORMED, "" },
    { "Q select id", "R~~~~", ERR_MALFORMED, "" },
    { "Q select id", "G~~~", ERR_MALFORMED, "" },
    { "Q select id", "H~~~", ERR_MALFORMED, "" },
    { "Q select id", "W~~~", ERR_MALFORMED, "" },
    { "Q select id", "d" CANARY, ERR_MALFORMED, "" },
    { "Q select id", "V~~~~", ERR_MALFORMED, "" },
    { "Q select id", "K~~~\001abcd", ERR_MALFORMED, "" },
    { "Q select id", "v~~~~~~~~", ERR_MALFORMED, "" },
    { "Q select id", "\200", ERR_MALFORMED, "" },
    { "", "ZI", ERR_MALFORMED, "" },
    { "", ROW_SSN, ERR_MALFORMED, "" },
    { "", "CSELECT 1~", ERR_MALFORMED, "" },
    { "", "SFATAL~C57P01~Mbye~~", ERR_MALFORMED, "" },
    { "", "ESFATAL~C57P01~Mbye~~", OK, "E57P01" },
    { "P ,select id", "1|1", ERR_MALFORMED, "1" },
    { "P ,select id", "1x", ERR_MALFORMED, "" },
    { "P ,select id|DS", "1|t~\001|" ONE_ID, ERR_MALFORMED, "1" }, /* a type is missing */
    { "P ,select id|DS", "1|t~~" CANARY, ERR_MALFORMED, "1" },
    { "Q begin|Q deny", "CBEGIN~|ZT|ZT", ERR_MALFORMED, "C ZT" }, /* what must fail did not */
    { "Q begin|Q deny", "CBEGIN~|ZT|CSELECT 1~", ERR_MALFORMED, "C ZT" },
    { "Q begin|Q deny", "CBEGIN~|ZT|" ONE_ID, ERR_MALFORMED, "C ZT" },
    { "Q begin|Q deny", "CBEGIN~|ZT|I", ERR_MALFORMED, "C ZT" },
    { "P ,select id|B ,|P ,deny|S", "1|2|1", ERR_MALFORMED, "1 2" },
    { "Q fail", "ESERROR~C22012~Mx~~|" ONE_ID, ERR_MALFORMED, "E22012" }, /* after its error */
    { "Q fail", "ESERROR~C22012~Mx~~|CSELECT 1~", ERR_MALFORMED, "E22012" },
    { "Q fail", "ESERROR~C22012~Mx~~|ESFATAL~C57P01~Mx~~", OK, "E22012 E57P01" },
    { "Q fail", "ESERROR~C22012~Mx", ERR_MALFORMED, "" },
    { "Q fail", "ESERROR~Mx~~", ERR_MALFORMED, "" },
    { "Q fail", "ESERROR~C22012~Mx~~more", ERR_MALFORMED, "" },
    { "Q select id", "Sclient_encoding~UTF8~|Sstandard_conforming_strings~on~", OK, "S S" },
    { "Q select id", "SChaperone.session~" CANARY "~", OK, "" }, /* ours to say */
    { "Q select id", "Sclient_encoding~SJIS~", ERR_REFUSED, "" },
    { "Q select id", "Sstandard_conforming_strings~off~", ERR_REFUSED, "" },
    { "Q select id", "Sa~b~c", ERR_MALFORMED, "" },
    { "", "A~~~\001channel~" CANARY "~", OK, "A" }, /* the payload stays here */
    { "", "A~~~\001channel~", ERR_MALFORMED, "" },
    { "", "NSNOTICE~C00000~M" CANARY "~Wat RAISE~~", OK, "N" },
    { "", "NSNOTICE~C00000~M" CANARY "~Fpl_exec.c~~", OK, "N" },
    { "", "NSWARNING~C01000~M" CANARY "~~", OK, "N" },
};

static void lie(const Lie *t, size_t piece)
{
    CLEANUP(buf_done) Buf answers, sees;
    Kit k;

    kit_init(&k);
    k.piece = piece;
    k.scripted = true;
    buf_init(&answers, 1 << 20);
    buf_init(&sees, 1 << 20);
    say_answers(&answers, t->answers);
    EXPECT(kit_script(&k, t->script) == OK);
    const Err err = kit_server(&k, buf_view(&answers));
    kit_summary(buf_view(&k.client), &sees);
    if (err != t->err || !text_eq(buf_view(&sees), text_of(t->sees))) {
        fprintf(stderr, "%s / %s: err %d, sees %.*s\n", t->script, t->answers, (int)err,
                SHOW(buf_view(&sees)));
        failures++;
    }
    EXPECT(!has(&k.client, CANARY));
    if (t->err != OK) { /* errors are final */
        const size_t client = buf_len(&k.client), target = buf_len(&k.target);

        EXPECT(kit_server(&k, LIT("ZI")) == OK && kit_script(&k, "Q select id|S") == OK);
        EXPECT(client == buf_len(&k.client) && target == buf_len(&k.target));
    }
    kit_done(&k);
}

static void no_lie_gets_through(void)
{
    failures = 0;
    for (size_t i = 0; i < COUNT_OF(LIES); i++) {
        lie(&LIES[i], 0);
        lie(&LIES[i], 1);
    }
    EXPECT(failures == 0);
}

/* --- a result that is withheld, where the server cannot be made to have failed --- */

static const char *const PAST_UNDOING[] = {
    "Q insert a; select never|!",                     /* committed */
    "Q select never; insert a|!",                     /* so is what came behind it */
    "P ,insert a|B ,|E|P ,select never|B ,|E|S|!",    /* the Sync committed it */
    "P ,select never|B ,|E|P ,insert a|B ,|E|S|!",    /* the same */
    "Q begin|!|Q select never|Q insert a|Q commit|!", /* all of it was on its way */
    "Q begin|!|Q select never; commit|!",             /* */
    "Q begin|!|P ,select never|B ,|E|P ,commit|B ,|E|S|!",
    "Q begin|!|Q insert a; select never; commit; begin|!", /* another transaction is open */
    "Q begin|!|Q select never; prepare s as insert x|!",   /* no rollback takes a name back */
    "P ,select never|B ,|E|P s,select id|S|!",             /* */
    "P s,select id|S|!|P ,select never|B ,|E|CS s|S|!",    /* */
};

static void what_cannot_be_undone_ends_the_session(void)
{
    for (size_t i = 0; i < COUNT_OF(PAST_UNDOING); i++)
        for (size_t piece = 0; piece < 2; piece++) {
            CLEANUP(buf_done) Buf sees = { 0 };
            Kit k;

            kit_init(&k);
            k.piece = piece;
            buf_init(&sees, 4096);
            const Err err = kit_script(&k, PAST_UNDOING[i]);
            kit_summary(buf_view(&k.client), &sees);
            if (err != ERR_REFUSED)
                fprintf(stderr, "%s: %d, %.*s\n", PAST_UNDOING[i], (int)err, SHOW(buf_view(&sees)));
            EXPECT(err == ERR_REFUSED && k.pg.why == &PG_PAST_UNDOING);
            EXPECT(text_find(buf_view(&sees), LIT("EXX000")) == buf_len(&sees)); /* no claim */
            kit_done(&k);
        }
}

/* What the client says meanwhile goes behind the message that must fail. */
static void nothing_overtakes_a_withheld_result(void)
{
    CLEANUP(buf_done) Buf answers = { 0 };
    Kit k;

    kit_init(&k);
    k.scripted = true;
    buf_init(&answers, 4096);
    EXPECT(kit_script(&k, "Q begin|Q select never") == OK);
    say_answers(&answers, "CBEGIN~|ZT|" NEVER "|" ROW);
    EXPECT(kit_server(&k, buf_view(&answers)) == OK);
    EXPECT(kit_script(&k, "Q commit") == OK && !has(&k.target, "commit"));
    buf_truncate(&answers, 0);
    say_answers(&answers, "CSELECT 1~|ZT");
    EXPECT(kit_server(&k, buf_view(&answers)) == OK);
    const size_t refused = text_find(buf_view(&k.target), LIT("chaperone refused"));
    EXPECT(refused < text_find(buf_view(&k.target), LIT("commit")) && has(&k.target, "commit"));
    kit_done(&k);
}

/* 3 MiB of it never stand in a buffer, and none of it leaves. */
static void a_long_row_is_dropped_unread(void)
{
    static const uint8_t HEADER[] = { 'D', 0, 0x30, 0, 4, 0, 1, 0, 0x2f, 0xff, 0xfe };
    static uint8_t piece[64 << 10];
    CLEANUP(buf_done) Buf answers = { 0 }, sees = { 0 };
    Kit k;

    kit_init(&k);
    k.scripted = true;
    buf_init(&answers, 4096);
    buf_init(&sees, 4096);
    EXPECT(kit_script(&k, "Q rows id") == OK);
    say_answers(&answers, ONE_ID "|" ROW);
    EXPECT(buf_append(&answers, VIEW(HEADER)) == OK);
    EXPECT(kit_server(&k, buf_view(&answers)) == OK);
    for (size_t left = (0x30u << 16) - 6; left > 0;) {
        const size_t len = left < sizeof piece ? left : sizeof piece;

        EXPECT(kit_server(&k, bytes_upto(VIEW(piece), len)) == OK);
        EXPECT(buf_len(&k.gate.wire.from_server) == 0);
        left -= len;
    }
    EXPECT(k.gate.wire.from_server.cap <= (256 << 10));
    buf_truncate(&answers, 0);
    say_answers(&answers, ROW "|CSELECT 3~|ZI|Sa~b~");
    EXPECT(kit_server(&k, buf_view(&answers)) == OK);
    kit_summary(buf_view(&k.client), &sees);
    EXPECT(text_eq(buf_view(&sees), LIT("T D EXX000 ZI S")));
    EXPECT(has(&k.client, "a row is longer than 1 MiB"));
    EXPECT(k.receipts == 1 && k.last.failed && text_eq(k.last.tag, LIT("XX000")));
    kit_done(&k);
}

/* No row is dropped where none may come, nor one that nobody described. */
static void a_long_row_has_to_be_a_row(void)
{
    static const uint8_t LONG_ROW[] = { 'D', 0, 0x30, 0, 0 }, LONG_ERROR[] = { 'E', 0, 0x30, 0, 0 },
                         ENDLESS[] = { 'D', 0x7f, 0xff, 0xff, 0xff };
    const struct {
        const char *script, *answers;
        Bytes then;
        Err err;
    } CASES[] = {
        { "", "", VIEW(LONG_ROW), ERR_LIMIT },
        { "Q select id", "", VIEW(LONG_ROW), ERR_MALFORMED },
        { "P ,select id", "", VIEW(LONG_ROW), ERR_LIMIT },
        { "Q select id", ONE_ID, VIEW(LONG_ROW), OK },
        { "Q select id", ONE_ID, VIEW(ENDLESS), ERR_LIMIT },
        { "Q select id", ONE_ID, VIEW(LONG_ERROR), ERR_LIMIT },
        { "Q fail", ONE_ID "|ESERROR~C22012~Mx~~", VIEW(LONG_ROW), ERR_MALFORMED },
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        CLEANUP(buf_done) Buf answers = { 0 };
        Kit k;

        kit_init(&k);
        k.scripted = true;
        buf_init(&answers, 4096);
        say_answers(&answers, CASES[i].answers);
        EXPECT(kit_script(&k, CASES[i].script) == OK);
        EXPECT(kit_server(&k, buf_view(&answers)) == OK);
        EXPECT(kit_server(&k, CASES[i].then) == CASES[i].err);
        kit_done(&k);
    }
}

/* --- messages that are not what they should be --- */

static const struct {
    Bytes said;
    Err err;
    const char *sees;
} MESSAGES[] = {
    { LIT_INIT("Q\0\0\0\010a\0b\0"), OK, "E0A000 ZI" }, /* a NUL inside */
    { LIT_INIT("Q\0\0\0\005a"), ERR_MALFORMED, "" },    /* none at the end */
    { LIT_INIT("Q\0\0\0\004"), ERR_MALFORMED, "" },
    { LIT_INIT("P\0\0\0\012a\0b\0\0\0"), OK, "" },
    { LIT_INIT("P\0\0\0\013a\0b\0\0\0x"), ERR_MALFORMED, "" },
    { LIT_INIT("P\0\0\0\012a\0b\0\0\001"), ERR_MALFORMED, "" }, /* a type is missing */
    { LIT_INIT("B\0\0\0\014\0\0\0\0\0\0\0\0"), OK, "" },
    { LIT_INIT("B\0\0\0\015\0\0\0\0\0\0\0\0x"), ERR_MALFORMED, "" },
    { LIT_INIT("B\0\0\0\016\0\0\0\001\0\002\0\0\0\0"), ERR_MALFORMED, "" }, /* format 2 */
    { LIT_INIT("B\0\0\0\020\0\0\0\0\0\001\0\0\0\005\0\0"), ERR_MALFORMED, "" },
    { LIT_INIT("E\0\0\0\011\0\0\0\0\0"), OK, "" },
    { LIT_INIT("E\0\0\0\012\0\0\0\0\0x"), ERR_MALFORMED, "" },
    { LIT_INIT("D\0\0\0\006X\0"), ERR_MALFORMED, "" },
    { LIT_INIT("C\0\0\0\006X\0"), ERR_MALFORMED, "" },
    { LIT_INIT("D\0\0\0\010Pa\0x"), ERR_MALFORMED, "" },
    { LIT_INIT("S\0\0\0\005x"), ERR_MALFORMED, "" },
    { LIT_INIT("H\0\0\0\005x"), ERR_MALFORMED, "" },
    { LIT_INIT("p\0\0\0\005x"), ERR_MALFORMED, "" }, /* a password, a second startup, TLS */
    { LIT_INIT("\0\0\0\0\010\004\322\026\057"), ERR_MALFORMED, "" },
    { LIT_INIT("\026\003\001\002\0\001\0"), ERR_MALFORMED, "" }, /* by its tag, at once */
    { LIT_INIT("d\0\0\0\012Q\0\0\0\005a"), OK, "" },             /* COPY data is never read again */
    { LIT_INIT("c\0\0\0\004"), OK, "" },
    { LIT_INIT("f\0\0\0\005\0"), OK, "" },
};

static void only_messages_of_the_table_pass(void)
{
    for (size_t i = 0; i < COUNT_OF(MESSAGES); i++) {
        CLEANUP(buf_done) Buf sees;
        Kit k;

        kit_init(&k);
        buf_init(&sees, 4096);
        const Err err = kit_client(&k, MESSAGES[i].said);
        kit_summary(buf_view(&k.client), &sees);
        if (err != MESSAGES[i].err || !text_eq(buf_view(&sees), text_of(MESSAGES[i].sees)))
            fprintf(stderr, "message %zu: %d, sees %.*s\n", i, (int)err, SHOW(buf_view(&sees)));
        EXPECT(err == MESSAGES[i].err);
        EXPECT(MESSAGES[i].sees[0] == 0 || text_eq(buf_view(&sees), text_of(MESSAGES[i].sees)));
        EXPECT(err == OK || buf_len(&k.target) == 0);
        kit_done(&k);
    }
}

/* --- what the gate is told --- */

static void the_gate_hears_of_all_that_completed(void)
{
    Kit k;

    kit_init(&k);
    EXPECT(kit_script(&k, "Q insert a; rows ssn,id|!") == OK);
    EXPECT(k.completed == 2 && k.receipts == 2 && k.readies == 1 && !k.last_failed);
    EXPECT(k.last.rows == 3 && k.last.cells_masked == 3 && k.last.bytes > 0 && !k.last.failed);
    EXPECT(kit_script(&k, "Q begin|Q fail|!") == OK);
    EXPECT(k.completed == 3 && k.receipts == 4 && k.readies == 3);
    EXPECT(k.last_failed && k.own_transaction && k.last.failed);
    kit_done(&k);
}

/* Between Bind and Execute a transaction may have begun. */
static void a_search_path_is_ruled_on_when_it_runs(void)
{
    Kit k;

    kit_init(&k);
    EXPECT(kit_script(&k, "P ,set search_path a|B ,|E|S|!") == OK && k.ran == 2);
    EXPECT(kit_script(&k, "P ,insert a|B ,|E|S|!") == OK && k.ran == 3);
    kit_done(&k);
}

static void a_masked_column_loses_its_length(void)
{
    Kit k;

    kit_init(&k);
    EXPECT(kit_script(&k, "Q select ssn|!") == OK);
    EXPECT(text_find(buf_view(&k.client), LIT("\377\377\377\377\377\377\0\0")) <
           buf_len(&k.client));
    kit_done(&k);
}

/* --- bounds --- */

static bool is_whole(const Buf *b)
{
    Bytes rest = buf_view(b);
    PgFrame f;

    while (pg_frame_next(rest, PG_TAGGED, 1 << 20, &f) == OK)
        rest = bytes_from(rest, f.size);
    return rest.len == 0;
}

/* Wherever an out-buffer is full, half a message is taken back. */
static void no_half_message_leaves(void)
{
    size_t limits = 0;

    for (size_t max = 1; max < 200; max++)
        for (int side = 0; side < 2; side++) {
            Kit k;

            kit_init(&k);
            if (side == 0)
                k.gate.wire.to_client.max = max;
            else
                k.gate.wire.to_server.max = max;
            const Err err = kit_script(&k, "Q begin|P ,rows grow,id|B ,|E|S|Q deny|!|Q leak|!");
            EXPECT(err == OK || err == ERR_LIMIT);
            EXPECT(is_whole(&k.client) && is_whole(&k.target));
            limits += err == ERR_LIMIT;
            kit_done(&k);
        }
    EXPECT(limits > 20);
}

static void endless_notices_end_the_session(void)
{
    CLEANUP(buf_done) Buf notice;
    Kit k;

    kit_init(&k);
    k.scripted = true;
    buf_init(&notice, 4096);
    say_answers(&notice, "NSNOTICE~C00000~Mtable does not exist, skipping~~");
    Err err = OK;
    for (size_t sent = 0; err == OK && sent < (64u << 20); sent += buf_len(&notice)) {
        EXPECT(buf_append(&k.gate.wire.from_server, buf_view(&notice)) == OK);
        err = gate_server_spoke(&k.gate); /* and the client does not read */
    }
    EXPECT(err == ERR_LIMIT && buf_len(&k.gate.wire.to_client) <= k.gate.wire.to_client.max);
    kit_done(&k);
}

static void an_oversized_message_is_refused_before_it_is_there(void)
{
    static const uint8_t LONG[] = { 'Q', 0x7f, 0xff, 0xff, 0xff }, SHORT[] = { 'Q', 0, 0, 0, 3 };
    static const uint8_t ROW_LONG[] = { 'D', 0x00, 0x20, 0x00, 0x00 };
    Kit k;

    kit_init(&k);
    EXPECT(kit_client(&k, VIEW(LONG)) == ERR_LIMIT);
    kit_done(&k);
    kit_init(&k);
    EXPECT(kit_client(&k, VIEW(SHORT)) == ERR_MALFORMED);
    kit_done(&k);
    kit_init(&k);
    EXPECT(kit_server(&k, VIEW(ROW_LONG)) == ERR_LIMIT);
    kit_done(&k);
}

static void a_message_that_can_never_be_whole_is_refused(void)
{
    static const uint8_t HEADER[] = { 'Q', 0, 1, 0, 0 };
    Kit k;

    kit_init(&k);
    k.gate.wire.from_client.max = 1000;
    EXPECT(kit_client(&k, VIEW(HEADER)) == ERR_LIMIT);
    kit_done(&k);
}

/* A pipeline longer than the queue waits for answers, and all of it is answered. */
static void a_long_pipeline_waits_and_goes_on(void)
{
    CLEANUP(buf_done) Buf said;
    Kit k;

    kit_init(&k);
    buf_init(&said, 8 << 20);
    say_step(&said, LIT("P s,insert x"));
    for (int i = 0; i < 5000; i++) {
        say_step(&said, LIT("B ,s"));
        say_step(&said, LIT("E"));
    }
    say_step(&said, LIT("S"));
    EXPECT(kit_client(&k, buf_view(&said)) == OK);
    EXPECT(k.pg.queue.count <= PG_QUEUE_MAX);
    EXPECT(kit_answer(&k) == OK);
    EXPECT(k.pg.queue.count == 0 && buf_len(&k.server.committed) == 10000);
    kit_done(&k);
}

/* Texts in flight and under names are bounded: each may be understood anew. */
static void kept_texts_are_bounded(void)
{
    CLEANUP(buf_done) Buf said, text;
    Kit k;
    Err err = OK;

    kit_init(&k);
    k.scripted = true;
    buf_init(&said, 8 << 20);
    buf_init(&text, 1 << 20);
    EXPECT(buf_append(&text, LIT("P big,select id ")) == OK && buf_zeros(&text, 900000) == OK);
    for (size_t i = 16; i < buf_len(&text); i++)
        text.mem[text.start + i] = ' ';
    EXPECT(buf_append(&text, LIT("x")) == OK);
    for (int i = 0; err == OK && i < 200; i++) {
        text.mem[text.start + 2] = (uint8_t)('0' + i / 16);
        text.mem[text.start + 3] = (uint8_t)('A' + i % 16);
        buf_truncate(&said, 0);
        say_step(&said, buf_view(&text));
        err = kit_client(&k, buf_view(&said));
        EXPECT(k.pg.queue.text_bytes <= PG_QUEUE_TEXT_MAX + (1 << 20));
        if (err == OK && i % 8 == 7) /* by then, some of the eight wait to be looked at */
            for (size_t left = k.pg.queue.count; err == OK && left > 0; left--)
                err = kit_server(&k, LIT("1\0\0\0\004"));
    }
    EXPECT(err == ERR_LIMIT && k.pg.names.text_bytes <= PG_NAMES_TEXT_MAX);
    kit_done(&k);
}

int main(void)
{
    TEST(talks_go_as_written);
    TEST(no_lie_gets_through);
    TEST(what_cannot_be_undone_ends_the_session);
    TEST(nothing_overtakes_a_withheld_result);
    TEST(a_long_row_is_dropped_unread);
    TEST(a_long_row_has_to_be_a_row);
    TEST(only_messages_of_the_table_pass);
    TEST(the_gate_hears_of_all_that_completed);
    TEST(a_search_path_is_ruled_on_when_it_runs);
    TEST(a_masked_column_loses_its_length);
    TEST(no_half_message_leaves);
    TEST(endless_notices_end_the_session);
    TEST(an_oversized_message_is_refused_before_it_is_there);
    TEST(a_message_that_can_never_be_whole_is_refused);
    TEST(a_long_pipeline_waits_and_goes_on);
    TEST(kept_texts_are_bounded);
    return 0;
}
