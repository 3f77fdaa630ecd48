/* A small journal, whole; then everything that can be done to it, each named. */
#include "small_journal.h"

#include "base/encode.h"

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
            const Outcome o = outcome_of(&s);
            const bool named =
                HAS(o, AUDIT_FRAME_LENGTH) || HAS(o, AUDIT_FRAME_MARKER) || HAS(o, AUDIT_FRAME_CRC);
            EXPECT(!o.verdict.intact);
            EXPECT(bit / 8 < SEGMENT_HEADER ? HAS(o, AUDIT_SEGMENT_HEADER) : named);
            copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        EXPECT(outcome_of(&s).kinds == 0);
    }
}

/* Whoever alters a payload can mend the CRC; the leaf's hash of it he cannot, nor the leaf. */
static void an_altered_payload_is_named(void)
{
    const Place *p = &journal.records[2];
    Show s = show_of(&journal);
    uint8_t copy[FILE_MAX];
    const size_t len = s.files[p->file].len, body = p->size - SEGMENT_FRAME_OVERHEAD;

    for (size_t at = 0; at < body; at++) {
        memcpy(copy, s.files[p->file].ptr, len);
        uint8_t *frame = copy + p->at;
        frame[8 + at] ^= 0x10;
        mend_crc(frame + 4, (Bytes){ frame + 8, body });
        Show altered = s;
        altered.files[p->file] = (Bytes){ copy, len };
        const Outcome o = outcome_of(&altered);
        EXPECT(!o.verdict.intact);
        if (at >= LEAF_BYTES)
            EXPECT(o.kinds == ONLY(AUDIT_PAYLOAD_HASH) && o.last.offset == p->at);
        else
            EXPECT(HAS(o, AUDIT_LEAF_LOG) || HAS(o, AUDIT_LOG_HOLE));
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

/* The log's key has signed for another origin: that says nothing about this log. */
static void a_checkpoint_of_another_log_is_not_ours(void)
{
    Show s = show_of(&journal);
    const Bytes origin = LIT("other.example\n");
    uint8_t signature[SIGN_BYTES];
    Buf note, raw;

    buf_init(&note, 4096);
    buf_init(&raw, 4096);
    s.key = note_key_of(LIT("log.example"), NOTE_ED25519, signer.public_key);
    const Hash root = hash_of((Bytes){ 0 });
    EXPECT(buf_append(&note, origin) == OK && buf_append(&note, LIT("0\n")) == OK);
    EXPECT(base64_encode(VIEW(root), &note) == OK && buf_byte(&note, '\n') == OK);
    EXPECT(sign_message(&signer, buf_view(&note), signature) == OK);
    EXPECT(buf_append(&raw, VIEW(s.key.id)) == OK && buf_append(&raw, VIEW(signature)) == OK);
    EXPECT(buf_append(&note, LIT("\n\xe2\x80\x94 log.example ")) == OK);
    EXPECT(base64_encode(buf_view(&raw), &note) == OK && buf_byte(&note, '\n') == OK);
    s.checkpoint = buf_view(&note);
    EXPECT(outcome_of(&s).kinds == ONLY(AUDIT_CHECKPOINT_KEY));
    buf_done(&note);
    buf_done(&raw);
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
    TEST(an_altered_payload_is_named);
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
    TEST(a_checkpoint_of_another_log_is_not_ours);
    TEST(a_rollback_is_seen_by_the_checkpoint_outside);
    TEST(several_checkpoints_settle_as_the_log_grows);
    TEST(a_torn_tail_wants_a_recovery_record);
    TEST(kinds_have_names_and_sides);
    sign_key_done(&signer);
    journal_done(&journal);
    return 0;
}
