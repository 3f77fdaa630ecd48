/* Records a second into one segment, one thread: 400 bytes of payload, encrypted, chained. The
 * Buf stands for the writev of a turn: 64 records, then it is emptied. */
#include "journal/audit_verify.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RECORDS = 1000000, TURN = 64, PAYLOAD = 400, KEPT = 60 << 20 };

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static Err append_all(SegmentWriter *w, SessionChain *chain, JournalKey *key, Buf *out)
{
    uint8_t payload[PAYLOAD];

    memset(payload, 'x', sizeof payload);
    for (uint64_t i = 0; i < RECORDS; i++) {
        SegmentRecord record = {
            .leaf = { .type = i == 0 ? LEAF_SESSION_START : LEAF_COMMAND, .time_unix_ns = i },
            .chain = chain,
            .key = key,
            .payload = VIEW(payload),
        };
        TRY(segment_append(w, &record, out));
        if (i % TURN == TURN - 1)
            buf_truncate(out, 0);
    }
    return OK;
}

static void ignore(void *ctx, const AuditFinding *finding)
{
    (void)ctx;
    (void)finding;
}

static Err verify_all(SegmentWriter *w, SessionChain *chain, JournalKey *key)
{
    CLEANUP(buf_done) Buf file = { 0 };
    CLEANUP(audit_verify_done) AuditVerify v = { 0 };
    uint8_t payload[PAYLOAD] = { 0 };
    const NoteKey log = note_key_of(LIT("bench"), NOTE_ED25519, payload);

    buf_init(&file, KEPT);
    TRY(segment_begin(w, 2, 0, &file));
    SegmentRecord record = {
        .leaf = { .type = LEAF_COMMAND }, .chain = chain, .key = key, .payload = VIEW(payload)
    };
    while (buf_len(&file) + segment_frame_size(&record) < KEPT)
        TRY(segment_append(w, &record, &file));
    TRY(audit_verify_init(&v, &log, ignore, NULL, 1 << 20));
    const double start = seconds();
    TRY(audit_verify_segment(&v, 2, buf_view(&file)));
    const double took = seconds() - start;
    printf("verify: %.0f records/s, %.0f MiB/s\n", (double)w->count / took,
           (double)buf_len(&file) / took / (1 << 20));
    return OK;
}

int main(void)
{
    static const uint8_t ID[LEAF_ID] = { 1 }, KEY[AEAD_KEY] = { 2 };
    JournalKey key;
    SegmentWriter w;
    SessionChain chain = { .id = { 3 } };
    Buf out;

    buf_init(&out, 1 << 20);
    segment_writer_init(&w, ID);
    if (journal_key_init(&key, KEY, ID, 0) != OK || segment_begin(&w, 1, 0, &out) != OK)
        return 1;
    const double start = seconds();
    if (append_all(&w, &chain, &key, &out) != OK)
        return 1;
    const double took = seconds() - start;
    printf("append: %.0f records/s, %.2f us each, %d-byte payloads, %zu-byte frames\n",
           RECORDS / took, took / RECORDS * 1e6, PAYLOAD, buf_len(&out) / RECORDS);
    if (verify_all(&w, &chain, &key) != OK)
        return 1;
    journal_key_done(&key);
    buf_done(&out);
    return 0;
}
