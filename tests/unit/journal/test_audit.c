/* A small journal, whole; then everything that can be done to it, each named. */
#include "small_journal.h"

static SmallJournal journal;
static SignKey signer;

static void a_whole_journal_has_nothing_to_say(void)
{
    const Show s = show_of(&journal);
    const Outcome o = outcome_of(&s);

    EXPECT(o.kinds == 0 && o.verdict.records == 14 && o.verdict.segments == 3);
    EXPECT(o.verdict.sessions_closed == 2 && o.verdict.sessions_live == 0);
    EXPECT(o.verdict.log_size == 14 && o.verdict.unlogged == 0);
    EXPECT(o.verdict.last_checkpoint.size == 0);
}

static void every_flipped_bit_is_tampering(void)
{
    for (size_t file = 0; file < FILES; file++) {
        Show s = show_of(&journal);
        uint8_t copy[FILE_MAX];
        const size_t len = s.files[file].len;
        memcpy(copy, s.files[file].ptr, len);
        s.files[file] = (Bytes){ copy, len };
        for (size_t bit = 0; bit < len * 8; bit++) {
            copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
            EXPECT(!outcome_of(&s).verdict.intact);
            copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        EXPECT(outcome_of(&s).kinds == 0);
    }
}

/* `order` names frames of one file by their place in it; the header stays. */
static Outcome rearranged(size_t file, const size_t *order, size_t count, bool sealed)
{
    Show s = show_of(&journal);
    Outcome o;
    Buf out;
    Place frames[RECORDS_MAX];
    size_t known = 0;

    for (size_t i = 0; i < journal.count; i++) {
        if (journal.records[i].file == file)
            frames[known++] = journal.records[i];
    }
    buf_init(&out, FILE_MAX);
    EXPECT(buf_append(&out, bytes_upto(s.files[file], SEGMENT_HEADER)) == OK);
    for (size_t i = 0; i < count; i++) {
        const Place *p = &frames[order[i]];
        EXPECT(buf_append(&out, bytes_upto(bytes_from(s.files[file], p->at), p->size)) == OK);
    }
    s.files[file] = buf_view(&out);
    s.sealed[file] = sealed;
    o = outcome_of(&s);
    buf_done(&out);
    return o;
}

static size_t frames_in(size_t file)
{
    size_t count = 0;

    for (size_t i = 0; i < journal.count; i++)
        count += journal.records[i].file == file;
    return count;
}

static void a_dropped_record_is_named(void)
{
    for (size_t file = 0; file < FILES; file++) {
        const size_t count = frames_in(file);
        for (size_t gone = 0; gone < count; gone++) {
            size_t order[RECORDS_MAX], n = 0;
            for (size_t i = 0; i < count; i++) {
                if (i != gone)
                    order[n++] = i;
            }
            const Outcome o = rearranged(file, order, n, true);
            EXPECT(HAS(o, AUDIT_SEGMENT_SHORT) && HAS(o, AUDIT_LOG_HOLE) && !o.verdict.complete);
            EXPECT(gone + 1 == count || HAS(o, AUDIT_WRITER_HOLE));
            EXPECT(gone + 1 == count || HAS(o, AUDIT_LEAF_PLACE));
        }
    }
}

static void a_doubled_record_is_named(void)
{
    for (size_t file = 0; file < FILES; file++) {
        const size_t count = frames_in(file);
        for (size_t twice = 0; twice < count; twice++) {
            size_t order[RECORDS_MAX], n = 0;
            for (size_t i = 0; i < count; i++) {
                order[n++] = i;
                if (i == twice)
                    order[n++] = i;
            }
            const Outcome o = rearranged(file, order, n, true);
            EXPECT(HAS(o, AUDIT_WRITER_REPEAT) && HAS(o, AUDIT_LEAF_PLACE));
            EXPECT(HAS(o, AUDIT_SEGMENT_LONG) && !o.verdict.intact);
        }
    }
}

static void swapped_records_are_named(void)
{
    for (size_t file = 0; file < FILES; file++) {
        const size_t count = frames_in(file);
        for (size_t a = 0; a < count; a++) {
            for (size_t b = a + 1; b < count; b++) {
                size_t order[RECORDS_MAX];
                for (size_t i = 0; i < count; i++)
                    order[i] = i == a ? b : i == b ? a : i;
                const Outcome o = rearranged(file, order, count, true);
                EXPECT(HAS(o, AUDIT_WRITER_HOLE) && HAS(o, AUDIT_WRITER_REPEAT));
                EXPECT(HAS(o, AUDIT_LEAF_LOG) && !o.verdict.intact);
            }
        }
    }
}

static void a_tail_cut_anywhere_is_missing_and_not_altered(void)
{
    for (size_t file = 0; file < FILES; file++) {
        for (int sealed = 0; sealed < 2; sealed++) {
            Show s = show_of(&journal);
            const Bytes whole = s.files[file];
            s.sealed[file] = sealed != 0;
            for (size_t len = 0; len < whole.len; len++) {
                s.files[file] = bytes_upto(whole, len);
                const Outcome o = outcome_of(&s);
                EXPECT(!o.verdict.complete && o.verdict.intact && HAS(o, AUDIT_LOG_HOLE));
                EXPECT(!s.sealed[file] || HAS(o, AUDIT_SEGMENT_SHORT));
            }
        }
    }
}

static void a_deleted_session_is_named(void)
{
    const size_t without_one[] = { 2, 6 }; /* session two's frames in segment 1 */
    const Outcome o = rearranged(0, without_one, COUNT_OF(without_one), true);

    EXPECT(HAS(o, AUDIT_WRITER_HOLE) && HAS(o, AUDIT_LOG_HOLE) && HAS(o, AUDIT_LEAF_PLACE));
    EXPECT(!o.verdict.intact && !o.verdict.complete);
}

static void a_missing_segment_is_named(void)
{
    for (size_t file = 0; file < FILES; file++) {
        Show s = show_of(&journal);
        s.files[file] = (Bytes){ 0 };
        Outcome o = outcome_of(&s);
        EXPECT(HAS(o, AUDIT_SEGMENT_MISSING) && o.verdict.intact && !o.verdict.complete);
        s.sealed[file] = false; /* the seal is gone too: the log still knows, or the writer */
        EXPECT(HAS(outcome_of(&s), AUDIT_SEGMENT_MISSING));
    }
    /* Without log and seal, only the writer's numbers tell. */
    Show s = show_of(&journal);
    s.log_count = 0;
    s.files[0] = (Bytes){ 0 };
    s.sealed[0] = false;
    EXPECT(HAS(outcome_of(&s), AUDIT_SEGMENT_MISSING));
}

/* An insider with every key writes the whole journal anew, one clock tick later. */
static void a_rewritten_journal_is_not_the_logs(void)
{
    SmallJournal forged;
    const Show honest = show_of(&journal);

    EXPECT(begin_journal(&forged, 2000) == OK && write_first_half(&forged) == OK);
    EXPECT(write_second_half(&forged) == OK);
    Show s = show_of(&forged);
    EXPECT(outcome_of(&s).kinds == 0);
    memcpy(s.log, honest.log, sizeof s.log);
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_LEAF_LOG));

    s = honest;
    s.files[2] = buf_view(&forged.files[2]);
    s.seals[2] = forged.seals[2];
    const Outcome o = outcome_of(&s);
    EXPECT(HAS(o, AUDIT_WRITER_CHAIN) && HAS(o, AUDIT_SESSION_CHAIN) && HAS(o, AUDIT_LEAF_LOG));
    s.seals[2] = honest.seals[2];
    EXPECT(HAS(outcome_of(&s), AUDIT_SEGMENT_SEAL));
    journal_done(&forged);
}

static void a_segment_shown_as_another_is_named(void)
{
    Show s = show_of(&journal);

    s.files[2] = s.files[0];
    EXPECT(HAS(outcome_of(&s), AUDIT_SEGMENT_HEADER));
}

static void segments_out_of_order_are_named(void)
{
    const Show s = show_of(&journal);
    AuditVerify v;
    Outcome o = { 0 };

    EXPECT(audit_verify_init(&v, &s.key, note_finding, &o, 1 << 20) == OK);
    EXPECT(audit_verify_segment(&v, 2, s.files[1]) == OK && o.kinds == 0);
    EXPECT(audit_verify_segment(&v, 2, s.files[1]) == OK);
    EXPECT(audit_verify_segment(&v, 1, s.files[0]) == OK);
    EXPECT(o.kinds == ONLY(AUDIT_SEGMENT_REPEAT));
    audit_verify_done(&v);
}

static void seals_are_held_to_their_word(void)
{
    Show s = show_of(&journal);

    s.seals[0].length++;
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SEGMENT_SHORT));
    s.seals[0].length -= 2;
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SEGMENT_LONG));
    s = show_of(&journal);
    s.seals[0].count++;
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SEGMENT_SEAL));
    s = show_of(&journal);
    s.seals[0].last.bytes[0] ^= 1;
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SEGMENT_SEAL));
    s = show_of(&journal);
    s.seals[0].writer[0] ^= 1;
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SEGMENT_SEAL));
    s = show_of(&journal);
    s.sealed[0] = false; /* the worker has gone on to segment 3 */
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SEGMENT_UNSEALED));
    s = show_of(&journal);
    s.sealed[2] = false; /* the last may be open */
    EXPECT(outcome_of(&s).kinds == 0);
}

static Outcome with_checkpoint(const Show *from, const MerkleHead *head, Bytes origin, bool spoil)
{
    Show s = *from;
    Outcome o;
    Buf note;

    buf_init(&note, 4096);
    EXPECT(checkpoint_sign(origin, head, &signer, &note) == OK);
    if (spoil) { /* another size under the same signature */
        const Bytes nine = LIT("9");
        buf_patch(&note, origin.len + 1, nine);
    }
    s.checkpoint = buf_view(&note);
    s.key = note_key_of(LIT("log.example"), NOTE_ED25519, from->key.public_key);
    o = outcome_of(&s);
    buf_done(&note);
    return o;
}

static void checkpoints_bind_the_log(void)
{
    Show s = show_of(&journal);
    MerkleRange range = { 0 };
    MerkleHead heads[RECORDS_MAX + 1];

    memcpy(s.key.public_key, signer.public_key, SIGN_PUBLIC);
    for (size_t i = 0; i <= journal.count; i++) {
        heads[i] = (MerkleHead){ i, merkle_root(&range) };
        if (i < journal.count)
            merkle_append(&range, &journal.records[i].hash);
    }
    for (size_t i = 0; i <= journal.count; i++) {
        const Outcome o = with_checkpoint(&s, &heads[i], LIT("log.example"), false);
        EXPECT(o.kinds == 0 && o.verdict.last_checkpoint.size == i);
    }
    MerkleHead wrong = heads[7];
    wrong.root.bytes[0] ^= 1;
    EXPECT(with_checkpoint(&s, &wrong, LIT("log.example"), false).kinds ==
           ONLY(AUDIT_CHECKPOINT_ROOT));
    wrong = (MerkleHead){ journal.count + 1, heads[7].root };
    EXPECT(with_checkpoint(&s, &wrong, LIT("log.example"), false).kinds ==
           ONLY(AUDIT_CHECKPOINT_SIZE));
    EXPECT(with_checkpoint(&s, &heads[7], LIT("log.example"), true).kinds ==
           ONLY(AUDIT_CHECKPOINT_SIGNATURE));
    EXPECT(with_checkpoint(&s, &heads[7], LIT("other.example"), false).kinds ==
           ONLY(AUDIT_CHECKPOINT_KEY));
    s.key.public_key[0] ^= 1;
    EXPECT(with_checkpoint(&s, &heads[7], LIT("log.example"), false).kinds ==
           ONLY(AUDIT_CHECKPOINT_KEY));
    s.checkpoint = LIT("not a note");
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_CHECKPOINT_FORMAT));
}

/* Log, seals and segments all go back to an older state together: only what left the house tells.
 */
static void a_rollback_is_seen_by_the_checkpoint_outside(void)
{
    SmallJournal older;
    MerkleRange range = { 0 };

    EXPECT(begin_journal(&older, 1000) == OK && write_first_half(&older) == OK);
    older.seals[1] = segment_seal(&older.keeper);
    Show s = show_of(&older);
    s.files[2] = (Bytes){ 0 };
    s.sealed[2] = false;
    s.live = older.two.id;
    memcpy(s.key.public_key, signer.public_key, SIGN_PUBLIC);
    EXPECT(outcome_of(&s).kinds == 0 && outcome_of(&s).verdict.sessions_live == 1);
    for (size_t i = 0; i < journal.count; i++)
        merkle_append(&range, &journal.records[i].hash);
    const MerkleHead outside = { range.size, merkle_root(&range) };
    const Outcome o = with_checkpoint(&s, &outside, LIT("log.example"), false);
    EXPECT(o.kinds == ONLY(AUDIT_CHECKPOINT_SIZE) && o.verdict.intact);
    journal_done(&older);
}

static void several_checkpoints_settle_as_the_log_grows(void)
{
    static const size_t SIZES[] = { 9, 3, 14, 3 };
    const Show s = show_of(&journal);
    const NoteKey key = note_key_of(LIT("log.example"), NOTE_ED25519, signer.public_key);
    AuditVerify v;
    Outcome o = { 0 };
    Buf note;

    buf_init(&note, 4096);
    EXPECT(audit_verify_init(&v, &key, note_finding, &o, 1 << 20) == OK);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        MerkleRange range = { 0 };
        for (size_t n = 0; n < SIZES[i]; n++)
            merkle_append(&range, &journal.records[n].hash);
        const MerkleHead head = { SIZES[i], merkle_root(&range) };
        buf_truncate(&note, 0);
        EXPECT(checkpoint_sign(key.name, &head, &signer, &note) == OK);
        EXPECT(audit_verify_checkpoint(&v, buf_view(&note)) == OK);
    }
    for (size_t i = 0; i < journal.count; i++)
        EXPECT(audit_verify_log(&v, s.log[i].file + 1, &s.log[i].hash) == OK);
    EXPECT(o.kinds == 0 && v.verdict.last_checkpoint.size == 14);
    EXPECT(audit_verify_log(&v, 3, &s.log[0].hash) == OK);
    EXPECT(audit_verify_checkpoint(&v, buf_view(&note)) == ERR_REFUSED);
    audit_verify_done(&v);
    buf_done(&note);
}

static void a_torn_tail_wants_a_recovery_record(void)
{
    SmallJournal j;
    SegmentRecord recovery = { .leaf = { .type = LEAF_RECOVERY } };

    EXPECT(write_journal(&j) == OK);
    EXPECT(buf_append(&j.files[2], LIT("\0\0\1\x2c half a fra")) == OK);
    Show s = show_of(&j);
    s.sealed[1] = s.sealed[2] = false;
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_SEGMENT_TAIL));
    memcpy(recovery.leaf.session_id, j.worker.writer, LEAF_ID);
    EXPECT(write_record(&j, 1, &recovery) == OK);
    s = show_of(&j);
    s.sealed[1] = s.sealed[2] = false;
    EXPECT(outcome_of(&s).kinds == 0);
    journal_done(&j);
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
        Show s = show_of(&j);
        s.sealed[0] = s.sealed[1] = s.sealed[2] = false;
        s.files[2] = (Bytes){ 0 };
        const Outcome o = outcome_of(&s);
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

static void kinds_have_names_and_sides(void)
{
    for (int kind = 0; kind < AUDIT_KINDS; kind++)
        EXPECT(audit_kind_name((AuditKind)kind).len > 0);
    EXPECT(text_eq(audit_kind_name(AUDIT_WRITER_HOLE), LIT("writer.hole")));
    EXPECT(!audit_kind_is_integrity(AUDIT_WRITER_HOLE));
    EXPECT(audit_kind_is_integrity(AUDIT_FRAME_CRC));
}

int main(void)
{
    static const uint8_t SEED[SIGN_SEED] = { 5 };

    EXPECT(write_journal(&journal) == OK && sign_key_init(&signer, SEED) == OK);
    TEST(a_whole_journal_has_nothing_to_say);
    TEST(every_flipped_bit_is_tampering);
    TEST(a_dropped_record_is_named);
    TEST(a_doubled_record_is_named);
    TEST(swapped_records_are_named);
    TEST(a_tail_cut_anywhere_is_missing_and_not_altered);
    TEST(a_deleted_session_is_named);
    TEST(a_missing_segment_is_named);
    TEST(a_rewritten_journal_is_not_the_logs);
    TEST(a_segment_shown_as_another_is_named);
    TEST(segments_out_of_order_are_named);
    TEST(seals_are_held_to_their_word);
    TEST(checkpoints_bind_the_log);
    TEST(a_rollback_is_seen_by_the_checkpoint_outside);
    TEST(several_checkpoints_settle_as_the_log_grows);
    TEST(a_torn_tail_wants_a_recovery_record);
    TEST(sessions_without_beginning_or_end_are_named);
    TEST(a_chain_of_records_is_followed);
    TEST(a_session_may_cross_writers_in_any_order);
    TEST(memory_does_not_grow_with_closed_sessions);
    TEST(kinds_have_names_and_sides);
    sign_key_done(&signer);
    journal_done(&journal);
    return 0;
}
