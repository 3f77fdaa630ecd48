/* The seven laws for PostgreSQL, over recordings of talks with the toy server. */
#include "laws.h"
#include "pg_kit.h"
#include "toy_sql.h"

#include "base/reader.h"
#include "base/text.h"
#include "proto/pg/pg_frame.h"
#include "test.h"

#include <string.h>

/* --- the codec ----------------------------------------------------------------------------------
 */

static void *open_kit(void)
{
    Kit *k = malloc(sizeof *k);

    EXPECT(k != NULL);
    kit_init(k);
    k->scripted = true;
    return k;
}

static void close_kit(void *session)
{
    kit_done(session);
    free(session);
}

/* No slack behind the last byte: the sanitizer sees a read past it. */
static Err trim(Buf *b)
{
    const Bytes held = buf_view(b);
    Buf exact;

    if (held.len == 0 || held.len == b->cap)
        return OK;
    buf_init(&exact, b->max);
    exact.mem = malloc(held.len);
    if (exact.mem == NULL)
        return ERR_LIMIT;
    memcpy(exact.mem, held.ptr, held.len);
    exact.cap = exact.end = held.len;
    buf_done(b);
    *b = exact;
    return OK;
}

static Err client(void *session, Bytes bytes)
{
    Kit *k = session;

    TRY(buf_append(&k->gate.wire.from_client, bytes));
    TRY(trim(&k->gate.wire.from_client));
    return kit_client(k, (Bytes){ 0 });
}

static Err server(void *session, Bytes bytes)
{
    Kit *k = session;

    TRY(buf_append(&k->gate.wire.from_server, bytes));
    TRY(trim(&k->gate.wire.from_server));
    return kit_server(k, (Bytes){ 0 });
}

static Bytes to_client(void *session)
{
    return buf_view(&((Kit *)session)->client);
}

static Bytes to_server(void *session)
{
    return buf_view(&((Kit *)session)->target);
}

static size_t waiting(void *session)
{
    const Kit *k = session;

    return buf_len(&k->gate.wire.from_client) + buf_len(&k->gate.wire.from_server);
}

/* --- masking is local --- */

static bool next_frame(Bytes *rest, PgFrame *ret)
{
    if (pg_frame_next(*rest, PG_TAGGED, 64 << 20, ret) != OK)
        return false;
    *rest = bytes_from(*rest, ret->size);
    return true;
}

static bool is_whole(Bytes bytes)
{
    PgFrame f;

    while (next_frame(&bytes, &f)) {
    }
    return bytes.len == 0;
}

/* Cell by cell: either the same, or it held what is protected. */
static bool row_is_local(Bytes came, Bytes sent)
{
    Reader a = reader_of(came), b = reader_of(sent);
    uint16_t count, same_count;

    if (reader_u16(&a, &count) != OK || reader_u16(&b, &same_count) != OK || count != same_count)
        return false;
    for (uint16_t i = 0; i < count; i++) {
        uint32_t len_a, len_b;
        Bytes cell_a = { 0 }, cell_b = { 0 };

        if (reader_u32(&a, &len_a) != OK || reader_u32(&b, &len_b) != OK)
            return false;
        if (len_a != UINT32_MAX && reader_bytes(&a, len_a, &cell_a) != OK)
            return false;
        if (len_b != UINT32_MAX && reader_bytes(&b, len_b, &cell_b) != OK)
            return false;
        if (text_eq(cell_a, LIT(CANARY)) == (len_a == len_b && text_eq(cell_a, cell_b)))
            return false;
    }
    return reader_at_end(&a) && reader_at_end(&b);
}

/* Shapes that chaperone asked for itself stay behind; errors may be reworded. */
static bool is_local(Bytes came, Bytes sent)
{
    PgFrame a, b;

    if (text_find(sent, LIT(CANARY)) < sent.len)
        return false;
    while (next_frame(&sent, &b)) {
        do {
            if (!next_frame(&came, &a))
                return false;
        } while (a.tag != b.tag && (a.tag == 'T' || a.tag == 'n'));
        if (a.tag != b.tag)
            return false;
        if (a.tag == 'D' && !row_is_local(a.body, b.body))
            return false;
        if (strchr("DTEN", a.tag) == NULL && !text_eq(a.whole, b.whole))
            return false;
    }
    return came.len == 0;
}

static const LawCodec CODEC = {
    .open = open_kit,
    .close = close_kit,
    .client = client,
    .server = server,
    .to_client = to_client,
    .to_server = to_server,
    .waiting = waiting,
    .is_local = is_local,
    .is_whole = is_whole,
    .broken = { (const uint8_t *)"\377\0\0\0\0", 5 },
};

/* --- the corpus --- */

typedef struct Talk {
    const char *script, *sees, *committed;
} Talk;

static const Talk TALKS[] = {
#include "talks.inc"
};

static const char *const UNTOUCHED[] = {
    "Q select id|!|Q select id,nul,calc; insert a|!|Q |!",
    "P ,select id|B ,|DP|E|S|!|P s,rows id|DS s|B p,s|DP p|E p,2|DP p|E p|S|!|CP p|S|!|CS s|S|!",
    "Q begin|!|Q insert a|!|Q rollback|!",
    "P s,select id|H|!|b ,s|DP|E|H|!|S|!",
};

typedef void Law(const LawCodec *codec, const LawCase *c);

static void record_and_apply(const char *script, bool untouched, Law *law)
{
    LawTurn turns[KIT_TURNS];
    Kit k;

    kit_init(&k);
    k.records = true;
    EXPECT(kit_script(&k, script) == OK);
    for (size_t i = 0; i < k.turn_count; i++) {
        const Bytes all = bytes_from(buf_view(&k.recorded), k.turns[i].start);
        turns[i] = (LawTurn){ k.turns[i].server, bytes_upto(all, k.turns[i].len) };
    }
    law(&CODEC, &(LawCase){ script, turns, k.turn_count, untouched });
    kit_done(&k);
}

static bool mentions(const char *script, const char *what)
{
    return strstr(script, what) != NULL;
}

static void apply_to_all(Law *law)
{
    for (size_t i = 0; i < COUNT_OF(TALKS); i++)
        if (!mentions(TALKS[i].script, "|no|") && !mentions(TALKS[i].script, "|yes|"))
            record_and_apply(TALKS[i].script, false, law);
    for (size_t i = 0; i < COUNT_OF(UNTOUCHED); i++)
        record_and_apply(UNTOUCHED[i], true, law);
}

static void cuts_do_not_matter(void)
{
    apply_to_all(law_cuts_do_not_matter);
}

static void untouched_is_identical(void)
{
    apply_to_all(law_untouched_is_identical);
}

static void progress_or_stop(void)
{
    apply_to_all(law_progress_or_stop);
}

/* Where nothing is refused and the gateway says nothing of its own. */
static void masking_is_local(void)
{
    static const char *const MASKED[] = {
        "Q select id,ssn,nul,grow,gone,calc|!",
        "Q rows ssn,id; rows id,gone|!",
        "P ,rows grow,id,ssn|B ,|E|S|!",
        "P ,rows grow,id,ssn|B p,|DP p|E p,2|E p,2|S|!",
        "Q begin|Q declare c for rows ssn|E c,2|E c|S|Q fetch c|!",
        "Q begin|Q declare c for select id|E c|S|Q copen c rows ssn|E c|S|!",
        "P s,select id|P t,copen p select ssn|B p,s|DP p|B ,t|E|E p|S|!",
    };

    for (size_t i = 0; i < COUNT_OF(MASKED); i++)
        record_and_apply(MASKED[i], false, law_masking_is_local);
}

static void errors_are_final(void)
{
    apply_to_all(law_errors_are_final);
}

static void any_allocation_may_fail(void)
{
    apply_to_all(law_any_allocation_may_fail);
}

int main(void)
{
    TEST(cuts_do_not_matter);
    TEST(untouched_is_identical);
    TEST(progress_or_stop);
    TEST(masking_is_local);
    TEST(errors_are_final);
    TEST(any_allocation_may_fail);
    return 0;
}
