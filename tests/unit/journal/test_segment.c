/* What was appended is read back; what was cut is torn; what was damaged is broken. */
#include "small_journal.h"

static SmallJournal journal;

static void records_come_back_and_open(void)
{
    SegmentReader r;
    SegmentFrame f;
    Buf plain;
    size_t opened = 0, both = 0, count = 0;

    buf_init(&plain, 4096);
    EXPECT(segment_reader_init(&r, buf_view(&journal.files[0])) == OK);
    EXPECT(r.header.segment == 1 && r.header.first_seq == 1 && hash_is_zero(&r.header.prev));
    while (segment_next(&r, &f) == SEGMENT_RECORD) {
        const bool content = (f.leaf.flags & LEAF_FLAG_CONTENT) != 0;
        JournalKey *right = content ? &journal.content : &journal.audit;
        JournalKey *wrong = content ? &journal.audit : &journal.content;
        EXPECT(f.leaf.seq == ++count && f.leaf.offset == f.offset && f.leaf.segment == 1);
        EXPECT(segment_payload_holds(&f));
        if (f.leaf.payload_bytes == 0)
            continue;
        EXPECT(segment_open(&f, &f.payload, wrong, &plain) == ERR_REFUSED);
        EXPECT(segment_open(&f, &f.payload, right, &plain) == OK);
        EXPECT(text_eq(buf_view(&plain), LIT("{\"text\":\"select 1\"}")));
        EXPECT(text_find(f.payload.ciphertext, LIT("select")) == f.payload.ciphertext.len);
        buf_truncate(&plain, 0);
        opened++;
        if ((f.leaf.flags & LEAF_FLAG_SEEN) == 0)
            continue;
        EXPECT(segment_open(&f, &f.seen, &journal.audit, &plain) == ERR_REFUSED);
        EXPECT(segment_open(&f, &f.seen, &journal.content, &plain) == OK);
        EXPECT(text_eq(buf_view(&plain), LIT("DataRow")));
        buf_truncate(&plain, 0);
        both++;
    }
    EXPECT(segment_next(&r, &f) == SEGMENT_END && count == 8 && opened == 4 && both == 1);
    EXPECT(count == journal.seals[0].count && journal.seals[0].length == r.segment.len);
    EXPECT(hash_eq(&f.hash, &journal.seals[0].last));
    buf_done(&plain);
}

/* A payload whose hash was put right still does not open: the leaf is authenticated too. */
static void an_altered_leaf_does_not_open(void)
{
    SegmentReader r;
    SegmentFrame f;
    Buf plain;
    uint8_t leaf[LEAF_BYTES];

    buf_init(&plain, 4096);
    EXPECT(segment_reader_init(&r, buf_view(&journal.files[0])) == OK);
    do
        EXPECT(segment_next(&r, &f) == SEGMENT_RECORD);
    while (f.leaf.payload_bytes == 0);
    for (size_t byte = 0; byte < LEAF_BYTES; byte++) {
        memcpy(leaf, f.leaf_bytes.ptr, LEAF_BYTES);
        leaf[byte] ^= 1;
        SegmentFrame altered = f;
        altered.leaf_bytes = VIEW(leaf);
        const bool covered =
            byte < LEAF_PAYLOAD_HASH_AT || byte >= LEAF_PAYLOAD_HASH_AT + HASH_BYTES;
        EXPECT(segment_open(&altered, &altered.payload, &journal.audit, &plain) ==
               (covered ? ERR_MALFORMED : OK));
        buf_truncate(&plain, 0);
    }
    f.leaf.payload_hash.bytes[0] ^= 1;
    EXPECT(segment_open(&f, &f.payload, &journal.audit, &plain) == ERR_MALFORMED);
    buf_done(&plain);
}

static void segments_follow_each_other(void)
{
    SegmentReader first, third;

    EXPECT(segment_reader_init(&first, buf_view(&journal.files[0])) == OK);
    EXPECT(segment_reader_init(&third, buf_view(&journal.files[2])) == OK);
    EXPECT(third.header.first_seq == 9 && third.header.segment == 3);
    EXPECT(hash_eq(&third.header.prev, &journal.seals[0].last));
    EXPECT(text_eq(VIEW(first.header.writer), VIEW(third.header.writer)));
}

static size_t count_records(SegmentReader *r, SegmentStep *ret_last)
{
    SegmentFrame f;
    size_t count = 0;

    while ((*ret_last = segment_next(r, &f)) == SEGMENT_RECORD)
        count++;
    return count;
}

/* In an exact-size copy, so that a byte read past the end is seen. */
static void a_cut_is_an_end_or_a_torn_tail(void)
{
    const Bytes whole = buf_view(&journal.files[0]);
    size_t frame_end = SEGMENT_HEADER, complete = 0;

    for (size_t len = 0; len <= whole.len; len++) {
        SegmentReader r;
        SegmentStep last;
        uint8_t *copy = malloc(len > 0 ? len : 1);
        EXPECT(copy != NULL);
        memcpy(copy, whole.ptr, len);
        const Err err = segment_reader_init(&r, (Bytes){ copy, len });
        EXPECT(err == (len < SEGMENT_HEADER ? ERR_MORE : OK));
        if (err == OK) {
            const size_t count = count_records(&r, &last);
            if (last == SEGMENT_END && len > SEGMENT_HEADER) {
                complete++;
                frame_end = len;
            }
            EXPECT(last == (len == frame_end ? SEGMENT_END : SEGMENT_TORN));
            EXPECT(count == complete && r.at == frame_end);
        }
        free(copy);
    }
    EXPECT(complete == 8);
}

static void zeros_behind_the_end_are_a_torn_tail(void)
{
    SegmentReader r;
    SegmentStep last;
    Buf file;
    static const uint8_t ZEROS[200] = { 0 };

    buf_init(&file, FILE_MAX);
    EXPECT(buf_append(&file, buf_view(&journal.files[0])) == OK && buf_zeros(&file, 5000) == OK);
    EXPECT(segment_reader_init(&r, buf_view(&file)) == OK);
    EXPECT(count_records(&r, &last) == 8 && last == SEGMENT_TORN);
    EXPECT(r.at == buf_len(&journal.files[0]));
    EXPECT(segment_reader_init(&r, VIEW(ZEROS)) == ERR_MORE);
    buf_done(&file);
}

/* Every bit but those of the last frame's length and marker, which cannot be told from a cut. */
static void damage_in_the_middle_is_broken(void)
{
    Buf file;

    buf_init(&file, FILE_MAX);
    EXPECT(buf_append(&file, buf_view(&journal.files[0])) == OK);
    const size_t last_frame = journal.records[9].at;
    for (size_t bit = SEGMENT_HEADER * 8; bit < buf_len(&file) * 8; bit++) {
        SegmentReader r;
        SegmentFrame f;
        SegmentStep step;
        size_t count = 0;
        const uint8_t was = buf_view(&file).ptr[bit / 8];
        const uint8_t is = (uint8_t)(was ^ 1u << bit % 8);
        buf_patch(&file, bit / 8, VIEW(is));
        EXPECT(segment_reader_init(&r, buf_view(&file)) == OK);
        while ((step = segment_next(&r, &f)) == SEGMENT_RECORD)
            count++;
        if (bit / 8 < last_frame) {
            EXPECT(step == SEGMENT_BROKEN && r.fault != SEGMENT_SOUND);
            EXPECT(r.broken_at <= bit / 8);
            while ((step = segment_next(&r, &f)) == SEGMENT_RECORD)
                count++;
            EXPECT(step == SEGMENT_END && count == 7);
        } else {
            EXPECT(count == 7 && (step == SEGMENT_BROKEN || step == SEGMENT_TORN));
        }
        buf_patch(&file, bit / 8, VIEW(was));
    }
    buf_done(&file);
}

static void a_tail_of_lookalikes_costs_no_time(void)
{
    SegmentReader r;
    SegmentFrame f;
    Buf file;
    uint8_t frame[SEGMENT_FRAME_OVERHEAD + LEAF_BYTES] = { 0, 0,   1,   44,  9,   9, 9,
                                                           9, 'C', 'H', 'P', 'L', 1 };

    memcpy(frame + 8 + LEAF_BYTES, "\xc3MIT", 4);
    buf_init(&file, 1 << 20);
    EXPECT(buf_append(&file, bytes_upto(buf_view(&journal.files[0]), SEGMENT_HEADER)) == OK);
    EXPECT(buf_zeros(&file, 8) == OK);
    for (size_t i = 0; i < 1000; i++)
        EXPECT(buf_append(&file, VIEW(frame)) == OK);
    EXPECT(segment_reader_init(&r, buf_view(&file)) == OK);
    EXPECT(segment_next(&r, &f) == SEGMENT_BROKEN && segment_next(&r, &f) == SEGMENT_END);
    buf_done(&file);
}

static SegmentFault fault_of(Bytes file)
{
    SegmentReader r;
    SegmentFrame f;

    EXPECT(segment_reader_init(&r, file) == OK);
    return segment_next(&r, &f) == SEGMENT_BROKEN ? r.fault : SEGMENT_SOUND;
}

/* Frames with a true CRC around a body of another length than their leaf says. */
static void frame_and_leaf_must_agree(void)
{
    const Place *plain = &journal.records[0], *sealed = &journal.records[2];
    const Place *const places[] = { plain, sealed };
    const Bytes whole = buf_view(&journal.files[0]);
    uint8_t file[1024];

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const size_t body = places[i]->size - SEGMENT_FRAME_OVERHEAD;
        for (size_t len = LEAF_BYTES; len <= body + SEGMENT_SEALING + 2; len++) {
            memset(file, 0, sizeof file);
            memcpy(file, whole.ptr, SEGMENT_HEADER);
            uint8_t *frame = file + SEGMENT_HEADER;
            memcpy(frame, whole.ptr + places[i]->at, 8 + (len < body ? len : body));
            frame[2] = (uint8_t)(len >> 8);
            frame[3] = (uint8_t)len;
            mend_crc(frame + 4, (Bytes){ frame + 8, len });
            memcpy(frame + 8 + len, "\xc3MIT", 4);
            const Bytes all = { file, SEGMENT_HEADER + SEGMENT_FRAME_OVERHEAD + len };
            EXPECT(fault_of(all) == (len == body ? SEGMENT_SOUND : SEGMENT_BAD_LEAF));
        }
    }
}

/* Each byte of the header that names no content, altered with a true CRC. */
static void unknown_headers_are_refused(void)
{
    SegmentReader r;
    uint8_t header[SEGMENT_HEADER];

    for (size_t at = 0; at < SEGMENT_HEADER - 4; at++) {
        if (at >= 8 && at < 80)
            continue;
        memcpy(header, buf_view(&journal.files[0]).ptr, SEGMENT_HEADER);
        header[at] ^= 1;
        mend_crc(header + SEGMENT_HEADER - 4, bytes_upto(VIEW(header), SEGMENT_HEADER - 4));
        EXPECT(segment_reader_init(&r, VIEW(header)) == ERR_MALFORMED);
    }
    memcpy(header, buf_view(&journal.files[0]).ptr, SEGMENT_HEADER);
    memset(header + 40, 0, 8); /* records count from 1 */
    mend_crc(header + SEGMENT_HEADER - 4, bytes_upto(VIEW(header), SEGMENT_HEADER - 4));
    EXPECT(segment_reader_init(&r, VIEW(header)) == ERR_MALFORMED);
}

static void an_append_that_fails_moves_nothing_but_the_nonce(void)
{
    SegmentWriter w = journal.worker;
    SessionChain chain = { .id = { 9 } };
    Buf out;
    SegmentRecord record = {
        .leaf = { .type = LEAF_COMMAND },
        .chain = &chain,
        .key = &journal.audit,
        .payload = LIT("x"),
    };

    buf_init(&out, segment_frame_size(&record) - 1);
    EXPECT(segment_append(&w, &record, &out) == ERR_LIMIT && buf_len(&out) == 0);
    EXPECT(memcmp(&w, &journal.worker, sizeof w) == 0 && chain.seq == 0);
    buf_done(&out);

    buf_init(&out, 4096);
    const uint64_t used = journal.audit.used;
    journal.audit.used = UINT64_MAX;
    EXPECT(segment_append(&w, &record, &out) == ERR_LIMIT && buf_len(&out) == 0);
    journal.audit.used = used;
    EXPECT(segment_append(&w, &record, &out) == OK && journal.audit.used == used + 1);
    chain.seq = UINT32_MAX;
    EXPECT(segment_append(&w, &record, &out) == ERR_LIMIT);
    record.payload.len = SEGMENT_PAYLOAD_MAX + 1;
    EXPECT(segment_append(&w, &record, &out) == ERR_LIMIT);
    buf_done(&out);
}

/* Two parties that write for one session under one key, each from its first nonce on. */
static void nonces_of_two_parties_do_not_meet(void)
{
    static const uint8_t KEY[AEAD_KEY] = { 7 };
    JournalKey worker, keeper;
    SegmentWriter w;
    SegmentReader r;
    SegmentFrame f;
    Bytes seen[6];
    Buf out;

    buf_init(&out, FILE_MAX);
    EXPECT(journal_key_init(&worker, KEY, KEY, 0) == OK);
    EXPECT(journal_key_init(&keeper, KEY, KEY, 1) == OK);
    segment_writer_init(&w, KEY);
    EXPECT(segment_begin(&w, 1, 0, &out) == OK);
    for (size_t i = 0; i < COUNT_OF(seen); i++) {
        SegmentRecord record = { .leaf = { .type = LEAF_COMMAND },
                                 .key = i % 2 == 0 ? &worker : &keeper,
                                 .payload = LIT("same") };
        EXPECT(segment_append(&w, &record, &out) == OK);
    }
    EXPECT(segment_reader_init(&r, buf_view(&out)) == OK);
    for (size_t i = 0; segment_next(&r, &f) == SEGMENT_RECORD; i++) {
        seen[i] = f.payload.nonce;
        for (size_t k = 0; k < i; k++)
            EXPECT(!text_eq(seen[k], f.payload.nonce));
    }
    journal_key_done(&worker);
    journal_key_done(&keeper);
    buf_done(&out);
}

static SegmentStep survey(Bytes file, Seal *ret_seal)
{
    SegmentSurvey s;
    SegmentFrame f;
    SegmentStep step;

    segment_survey_init(&s, file);
    while ((step = segment_survey_next(&s, &f)) == SEGMENT_RECORD)
        ;
    *ret_seal = s.seal;
    return step;
}

static bool same_seal(const Seal *a, const Seal *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void a_survey_finds_the_seal(void)
{
    Seal seal, whole;
    Buf file;

    for (size_t i = 0; i < FILES; i++) {
        EXPECT(survey(buf_view(&journal.files[i]), &seal) == SEGMENT_END);
        EXPECT(same_seal(&seal, &journal.seals[i]));
    }
    buf_init(&file, FILE_MAX);
    EXPECT(buf_append(&file, buf_view(&journal.files[0])) == OK);
    EXPECT(buf_append(&file, LIT("torn")) == OK);
    EXPECT(survey(buf_view(&file), &seal) == SEGMENT_TORN);
    EXPECT(same_seal(&seal, &journal.seals[0]));
    EXPECT(survey(bytes_upto(buf_view(&file), 50), &seal) == SEGMENT_TORN);
    EXPECT(seal.length == 0);

    /* The last frame again: sound in itself, and in the wrong place. */
    buf_truncate(&file, journal.records[9].at + journal.records[9].size);
    const Bytes last = bytes_from(buf_view(&journal.files[0]), journal.records[9].at);
    EXPECT(buf_append(&file, last) == OK);
    EXPECT(survey(buf_view(&file), &seal) == SEGMENT_BROKEN);
    EXPECT(same_seal(&seal, &journal.seals[0]));

    for (size_t at = 0; at < journal.seals[0].length; at++) {
        buf_release(&file);
        EXPECT(buf_append(&file, buf_view(&journal.files[0])) == OK);
        const uint8_t is = buf_view(&file).ptr[at] ^ 4;
        buf_patch(&file, at, VIEW(is));
        EXPECT(survey(buf_view(&file), &whole) != SEGMENT_END);
    }
    buf_done(&file);
}

static void seals_come_back(void)
{
    uint8_t raw[SEAL_BYTES];
    Seal back;

    seal_encode(&journal.seals[2], raw);
    EXPECT(seal_decode(VIEW(raw), &back) == OK);
    EXPECT(memcmp(&back, &journal.seals[2], sizeof back) == 0);
    for (size_t len = 0; len < SEAL_BYTES; len++)
        EXPECT(seal_decode(bytes_upto(VIEW(raw), len), &back) == ERR_MALFORMED);
    raw[7] ^= 1;
    EXPECT(seal_decode(VIEW(raw), &back) == ERR_MALFORMED);
}

int main(void)
{
    EXPECT(write_journal(&journal) == OK);
    TEST(records_come_back_and_open);
    TEST(an_altered_leaf_does_not_open);
    TEST(segments_follow_each_other);
    TEST(a_cut_is_an_end_or_a_torn_tail);
    TEST(zeros_behind_the_end_are_a_torn_tail);
    TEST(damage_in_the_middle_is_broken);
    TEST(a_tail_of_lookalikes_costs_no_time);
    TEST(frame_and_leaf_must_agree);
    TEST(unknown_headers_are_refused);
    TEST(an_append_that_fails_moves_nothing_but_the_nonce);
    TEST(nonces_of_two_parties_do_not_meet);
    TEST(a_survey_finds_the_seal);
    TEST(seals_come_back);
    journal_done(&journal);
    return 0;
}
