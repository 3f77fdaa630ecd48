/* Sessions as the verifier sees them: beginning, links, end, across writers and segments. */
#include "small_journal.h"

/* Of a journal that has two segments and no seals yet. */
static Outcome outcome_of_unsealed(const SmallJournal *j, const uint8_t *live)
{
    Show s = show_of(j);

    s.sealed[0] = s.sealed[1] = s.sealed[2] = false;
    s.files[2] = (Bytes){ 0 };
    s.live = live;
    return outcome_of(&s);
}

static void sessions_without_beginning_or_end_are_named(void)
{
    SmallJournal j;

    EXPECT(begin_journal(&j, 1) == OK);
    EXPECT(write_chained(&j, 0, &j.one, LEAF_SESSION_START) == OK);
    j.seals[0] = segment_seal(&j.worker);
    j.seals[1] = segment_seal(&j.keeper);
    Show s = show_of(&j);
    s.files[2] = (Bytes){ 0 };
    s.sealed[2] = false;
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SESSION_END));
    s.live = j.one.id;
    EXPECT(outcome_of(&s).kinds == 0);
    s.live = j.two.id; /* the census knows a session that the journal does not */
    EXPECT(outcome_of(&s).kinds == (ONLY(AUDIT_SESSION_START) | ONLY(AUDIT_SESSION_END)));

    s.live = NULL;
    j.two.seq = 4; /* its records 1 to 4 are nowhere */
    EXPECT(write_chained(&j, 0, &j.two, LEAF_SESSION_END) == OK);
    j.one.seq += 1; /* and one of session one's */
    EXPECT(write_chained(&j, 0, &j.one, LEAF_SESSION_END) == OK);
    j.seals[0] = segment_seal(&j.worker);
    s = show_of(&j);
    s.files[2] = (Bytes){ 0 };
    s.sealed[2] = false;
    EXPECT(outcome_of(&s).kinds == (ONLY(AUDIT_SESSION_START) | ONLY(AUDIT_SESSION_HOLE)));
    journal_done(&j);
}

static void a_chain_of_records_is_followed(void)
{
    static const LeafType AGAIN[] = { LEAF_SESSION_START, LEAF_COMMAND };
    SmallJournal j;

    for (size_t i = 0; i < 4; i++) {
        EXPECT(begin_journal(&j, 1) == OK);
        if (i == 0) { /* begins with something else */
            EXPECT(write_chained(&j, 0, &j.one, LEAF_COMMAND) == OK);
        } else {
            EXPECT(write_chained(&j, 0, &j.one, LEAF_SESSION_START) == OK);
            if (i == 1) /* another history */
                j.one.last.bytes[0] ^= 1;
            if (i == 3) /* a number twice */
                j.one = (SessionChain){ .id = { 0x51 } };
            EXPECT(write_chained(&j, 0, &j.one, AGAIN[i == 1]) == OK); /* 2: begins twice */
        }
        Show s = show_of(&j);
        s.sealed[0] = s.sealed[1] = false;
        s.files[2] = (Bytes){ 0 };
        s.sealed[2] = false;
        s.live = j.one.id;
        EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SESSION_CHAIN));
        journal_done(&j);
    }
}

/* The keeper ends a dead worker's session in a segment of its own, with an id below or above. */
static void a_session_may_cross_writers_in_any_order(void)
{
    SmallJournal j;

    for (int keeper_first = 0; keeper_first < 2; keeper_first++) {
        const size_t begins = keeper_first != 0 ? 1 : 0, ends = 1 - begins;
        EXPECT(begin_journal(&j, 1) == OK);
        EXPECT(write_chained(&j, begins, &j.one, LEAF_SESSION_START) == OK);
        EXPECT(write_chained(&j, begins, &j.one, LEAF_COMMAND) == OK);
        EXPECT(write_chained(&j, ends, &j.one, LEAF_RECOVERY) == OK);
        EXPECT(write_chained(&j, ends, &j.one, LEAF_SESSION_END) == OK);
        const Outcome o = outcome_of_unsealed(&j, NULL);
        EXPECT(o.kinds == 0 && o.verdict.sessions_closed == 1);
        journal_done(&j);
    }
}

static void memory_does_not_grow_with_closed_sessions(void)
{
    SegmentWriter w;
    AuditVerify v;
    Outcome o = { 0 };
    Buf out;
    static const uint8_t ID[LEAF_ID] = { 1 };
    const NoteKey key = { .name = LIT("log.example") };

    buf_init(&out, 64 << 20);
    segment_writer_init(&w, ID);
    EXPECT(segment_begin(&w, 1, 0, &out) == OK);
    for (uint32_t i = 0; i < 20000; i++) {
        SessionChain chain = { .id = { (uint8_t)i, (uint8_t)(i >> 8) } };
        SegmentRecord start = { .leaf = { .type = LEAF_SESSION_START }, .chain = &chain };
        SegmentRecord end = { .leaf = { .type = LEAF_SESSION_END }, .chain = &chain };
        EXPECT(segment_append(&w, &start, &out) == OK && segment_append(&w, &end, &out) == OK);
    }
    EXPECT(audit_verify_init(&v, &key, note_finding, &o, 300 << 10) == OK);
    EXPECT(audit_verify_segment(&v, 1, buf_view(&out)) == OK);
    EXPECT(o.kinds == 0 && v.verdict.sessions_closed == 20000);
    audit_verify_done(&v);
    buf_done(&out);
}

/* The same crossing, but the second writer links to another history. */
static void a_wrong_link_across_writers_is_named(void)
{
    SmallJournal j;

    for (size_t begins = 0; begins < 2; begins++) {
        EXPECT(begin_journal(&j, 1) == OK);
        EXPECT(write_chained(&j, begins, &j.one, LEAF_SESSION_START) == OK);
        j.one.last.bytes[0] ^= 1;
        EXPECT(write_chained(&j, 1 - begins, &j.one, LEAF_SESSION_END) == OK);
        EXPECT(outcome_of_unsealed(&j, NULL).kinds == ONLY(AUDIT_SESSION_CHAIN));
        journal_done(&j);
    }
}

static void nothing_follows_an_end(void)
{
    SmallJournal j;

    EXPECT(begin_journal(&j, 1) == OK);
    EXPECT(write_chained(&j, 0, &j.one, LEAF_SESSION_START) == OK);
    EXPECT(write_chained(&j, 0, &j.one, LEAF_SESSION_END) == OK);
    EXPECT(write_chained(&j, 0, &j.one, LEAF_COMMAND) == OK);
    EXPECT(HAS(outcome_of_unsealed(&j, NULL), AUDIT_SESSION_START)); /* it was closed already */
    journal_done(&j);

    EXPECT(begin_journal(&j, 1) == OK);
    j.one.seq = 4;
    EXPECT(write_chained(&j, 0, &j.one, LEAF_SESSION_END) == OK);
    EXPECT(write_chained(&j, 0, &j.one, LEAF_COMMAND) == OK);
    EXPECT(HAS(outcome_of_unsealed(&j, NULL), AUDIT_SESSION_CHAIN));
    journal_done(&j);
}

/* What the verifier gives back and takes again brings nothing along. */
static void being_live_is_not_inherited(void)
{
    SmallJournal j;

    EXPECT(begin_journal(&j, 1) == OK);
    EXPECT(write_chained(&j, 0, &j.one, LEAF_SESSION_START) == OK);
    EXPECT(write_chained(&j, 0, &j.one, LEAF_SESSION_END) == OK);
    EXPECT(write_chained(&j, 0, &j.two, LEAF_SESSION_START) == OK);
    EXPECT(outcome_of_unsealed(&j, j.one.id).kinds == ONLY(AUDIT_SESSION_END));
    journal_done(&j);
}

int main(void)
{
    TEST(sessions_without_beginning_or_end_are_named);
    TEST(a_chain_of_records_is_followed);
    TEST(a_session_may_cross_writers_in_any_order);
    TEST(a_wrong_link_across_writers_is_named);
    TEST(nothing_follows_an_end);
    TEST(being_live_is_not_inherited);
    TEST(memory_does_not_grow_with_closed_sessions);
    return 0;
}
