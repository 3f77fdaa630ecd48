/* A journal of three segments and two writers, whole: sessions begin and end, all is sealed and
 * in the log. Everything that can fail returns its Err, so that the torture test can use it too.
 *
 *     segment 1  worker   session one complete, session two begins
 *     segment 2  keeper   a configuration change, an approval outside the chain, a heartbeat
 *     segment 3  worker   session two goes on and ends
 */
#ifndef TEST_SMALL_JOURNAL_H
#define TEST_SMALL_JOURNAL_H

#include "base/crc32c.h"
#include "base/text.h"
#include "journal/audit_verify.h"
#include "test.h"

#include <string.h>

enum { FILES = 3, RECORDS_MAX = 64, FILE_MAX = 1 << 16 };

typedef struct Place {
    size_t file, at, size;
    Hash hash;
} Place;

typedef struct SmallJournal {
    Buf files[FILES];
    Seal seals[FILES];
    Place records[RECORDS_MAX]; /* in log order */
    size_t count;
    JournalKey audit, content;
    SegmentWriter worker, keeper;
    SessionChain one, two;
    uint64_t clock;
} SmallJournal;

static inline void journal_done(SmallJournal *j)
{
    for (size_t i = 0; i < FILES; i++)
        buf_done(&j->files[i]);
    journal_key_done(&j->audit);
    journal_key_done(&j->content);
}

static inline Err write_record(SmallJournal *j, size_t file, SegmentRecord *record)
{
    SegmentWriter *w = file == 1 ? &j->keeper : &j->worker;
    const size_t at = buf_len(&j->files[file]);

    record->leaf.time_unix_ns = ++j->clock;
    TRY(segment_append(w, record, &j->files[file]));
    j->records[j->count++] = (Place){ file, at, buf_len(&j->files[file]) - at, w->last };
    return OK;
}

static inline Err write_chained(SmallJournal *j, size_t file, SessionChain *chain, LeafType type)
{
    SegmentRecord record = { .leaf = { .type = type }, .chain = chain };

    if (type == LEAF_COMMAND || type == LEAF_RESPONSE_CHUNK) {
        record.content = type == LEAF_RESPONSE_CHUNK;
        record.key = record.content ? &j->content : &j->audit;
        record.payload = LIT("{\"text\":\"select 1\"}");
    }
    if (type == LEAF_RESPONSE_END) {
        record.key = &j->audit;
        record.payload = LIT("{\"text\":\"select 1\"}");
        record.seen_key = &j->content;
        record.seen = LIT("DataRow");
    }
    return write_record(j, file, &record);
}

static inline Err write_plain(SmallJournal *j, size_t file, LeafType type)
{
    SegmentRecord record = { .leaf = { .type = type } };

    if (type == LEAF_APPROVAL_ANSWER)
        memcpy(record.leaf.session_id, j->one.id, LEAF_ID);
    return write_record(j, file, &record);
}

static inline Err begin_journal(SmallJournal *j, uint64_t clock)
{
    static const uint8_t WORKER[LEAF_ID] = { 0xaa, 1 }, KEEPER[LEAF_ID] = { 0xaa, 2 };
    static const uint8_t AUDIT[AEAD_KEY] = { 1 }, CONTENT[AEAD_KEY] = { 2 };

    *j = (SmallJournal){ .one = { .id = { 0x51 } }, .two = { .id = { 0x52 } }, .clock = clock };
    for (size_t i = 0; i < FILES; i++)
        buf_init(&j->files[i], FILE_MAX);
    TRY(journal_key_init(&j->audit, AUDIT, AUDIT, 0));
    TRY(journal_key_init(&j->content, CONTENT, CONTENT, 0));
    segment_writer_init(&j->worker, WORKER);
    segment_writer_init(&j->keeper, KEEPER);
    TRY(segment_begin(&j->worker, 1, clock, &j->files[0]));
    return segment_begin(&j->keeper, 2, clock, &j->files[1]);
}

static inline Err write_first_half(SmallJournal *j)
{
    TRY(write_chained(j, 0, &j->one, LEAF_SESSION_START));
    TRY(write_plain(j, 1, LEAF_CONFIG_CHANGE));
    TRY(write_chained(j, 0, &j->one, LEAF_COMMAND));
    TRY(write_chained(j, 0, &j->two, LEAF_SESSION_START));
    TRY(write_chained(j, 0, &j->one, LEAF_VERDICT));
    TRY(write_plain(j, 1, LEAF_APPROVAL_ANSWER));
    TRY(write_chained(j, 0, &j->one, LEAF_RESPONSE_CHUNK));
    TRY(write_chained(j, 0, &j->one, LEAF_RESPONSE_END));
    TRY(write_chained(j, 0, &j->two, LEAF_COMMAND));
    TRY(write_chained(j, 0, &j->one, LEAF_SESSION_END));
    j->seals[0] = segment_seal(&j->worker);
    return OK;
}

static inline Err write_second_half(SmallJournal *j)
{
    TRY(segment_begin(&j->worker, 3, j->clock, &j->files[2]));
    TRY(write_chained(j, 2, &j->two, LEAF_RESPONSE_CHUNK));
    TRY(write_plain(j, 2, LEAF_HEARTBEAT));
    TRY(write_plain(j, 1, LEAF_HEARTBEAT));
    TRY(write_chained(j, 2, &j->two, LEAF_SESSION_END));
    j->seals[1] = segment_seal(&j->keeper);
    j->seals[2] = segment_seal(&j->worker);
    return OK;
}

static inline Err write_journal(SmallJournal *j)
{
    TRY(begin_journal(j, 1000));
    TRY(write_first_half(j));
    return write_second_half(j);
}

/* What the verifier is shown; altered by the tests. A file with a NULL view is not shown. */
typedef struct Show {
    Bytes files[FILES];
    bool sealed[FILES];
    Seal seals[FILES];
    Place log[RECORDS_MAX];
    size_t log_count;
    Bytes checkpoint; /* empty: none */
    const uint8_t *live;
    NoteKey key;
} Show;

static inline Show show_of(const SmallJournal *j)
{
    Show s = { .log_count = j->count };

    for (size_t i = 0; i < FILES; i++) {
        s.files[i] = buf_view(&j->files[i]);
        s.sealed[i] = true;
        s.seals[i] = j->seals[i];
    }
    memcpy(s.log, j->records, sizeof s.log);
    s.key.name = LIT("log.example");
    return s;
}

/* Makes the CRC true again: damage that is no accident. `crc` lies behind or before `covered`. */
static inline void mend_crc(uint8_t *crc, Bytes covered)
{
    const uint32_t v = crc32c(covered);

    for (size_t i = 0; i < 4; i++)
        crc[i] = (uint8_t)(v >> 8 * (3 - i));
}

typedef struct Outcome {
    uint64_t kinds; /* bit k: AuditKind k was found */
    AuditFinding last;
    AuditVerdict verdict;
} Outcome;

#define HAS(outcome, kind) (((outcome).kinds >> (kind)&1) != 0)
#define ONLY(kind)         ((uint64_t)1 << (kind))

static inline void note_finding(void *ctx, const AuditFinding *finding)
{
    Outcome *o = ctx;

    o->kinds |= ONLY(finding->kind);
    o->last = *finding;
}

static inline Err verify_show(const Show *s, Outcome *ret)
{
    CLEANUP(audit_verify_done) AuditVerify v = { 0 };

    *ret = (Outcome){ 0 };
    TRY(audit_verify_init(&v, &s->key, note_finding, ret, 1 << 20));
    for (size_t i = 0; i < FILES; i++) {
        if (s->sealed[i])
            TRY(audit_verify_seal(&v, &s->seals[i]));
    }
    if (s->live != NULL)
        TRY(audit_verify_live(&v, s->live));
    if (s->checkpoint.len > 0)
        TRY(audit_verify_checkpoint(&v, s->checkpoint));
    for (size_t i = 0; i < s->log_count; i++)
        TRY(audit_verify_log(&v, s->log[i].file + 1, &s->log[i].hash));
    for (size_t i = 0; i < FILES; i++) {
        if (s->files[i].ptr != NULL)
            TRY(audit_verify_segment(&v, i + 1, s->files[i]));
    }
    ret->verdict = audit_verify_finish(&v);
    return OK;
}

static inline Outcome outcome_of(const Show *s)
{
    Outcome o;

    EXPECT(verify_show(s, &o) == OK);
    EXPECT((o.kinds == 0) == (o.verdict.intact && o.verdict.complete));
    return o;
}

#endif
