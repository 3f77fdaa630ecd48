#include "journal/audit_verify.h"

#include "base/text.h"
#include "journal/audit_state.h"

#include <string.h>

static const struct {
    Bytes name;
    bool integrity;
} KINDS[] = {
#define AUDIT_INTEGRITY(kind, text)    [kind] = { LIT_INIT(text), true },
#define AUDIT_COMPLETENESS(kind, text) [kind] = { LIT_INIT(text), false },
    AUDIT_FINDINGS(AUDIT_INTEGRITY, AUDIT_COMPLETENESS)
#undef AUDIT_INTEGRITY
#undef AUDIT_COMPLETENESS
};

Bytes audit_kind_name(AuditKind kind)
{
    return KINDS[kind].name;
}

bool audit_kind_is_integrity(AuditKind kind)
{
    return KINDS[kind].integrity;
}

void audit_report(AuditVerify *v, AuditFinding finding)
{
    v->verdict.findings++;
    if (audit_kind_is_integrity(finding.kind))
        v->verdict.intact = false;
    else
        v->verdict.complete = false;
    v->found(v->ctx, &finding);
}

Err audit_verify_init(AuditVerify *v, const NoteKey *key, AuditFound found, void *ctx,
                      size_t budget_bytes)
{
    void *mem;

    *v = (AuditVerify){ .key = *key, .found = found, .ctx = ctx };
    v->verdict.intact = v->verdict.complete = true;
    arena_init(&v->arena, budget_bytes);
    if (arena_alloc(&v->arena, sizeof *v->state, &mem) != OK) {
        audit_verify_done(v);
        return ERR_LIMIT;
    }
    v->state = mem;
    return OK;
}

void audit_verify_done(AuditVerify *v)
{
    arena_done(&v->arena);
    *v = (AuditVerify){ 0 };
}

Err audit_verify_seal(AuditVerify *v, const Seal *seal)
{
    SegmentState *s;

    TRY(audit_segment(v, seal->segment, &s));
    if (s->sealed)
        audit_report(v, (AuditFinding){ .kind = AUDIT_SEGMENT_REPEAT, .segment = seal->segment });
    s->sealed = true;
    s->seal = *seal;
    return OK;
}

Err audit_verify_live(AuditVerify *v, const uint8_t session_id[LEAF_ID])
{
    SessionState *s;

    TRY(audit_session(v, session_id, &s));
    s->live = true;
    return OK;
}

/* --- the log -------------------------------------------------------------------------- */

static void settle_checkpoints(AuditVerify *v)
{
    AuditState *state = v->state;

    while (state->pending != NULL && state->pending->head.size == state->log.size) {
        const MerkleHead head = state->pending->head;
        const Hash root = merkle_root(&state->log);
        audit_pending_forget(v);
        if (hash_eq(&root, &head.root))
            v->verdict.last_checkpoint = head;
        else
            audit_report(v, (AuditFinding){ .kind = AUDIT_CHECKPOINT_ROOT, .seq = head.size });
    }
}

static bool same_key(const NoteKey *a, const NoteKey *b)
{
    return text_eq(a->name, b->name) && text_eq(VIEW(a->public_key), VIEW(b->public_key));
}

/* The newest key is the one that checkpoints are signed with from now on. */
Err audit_verify_epoch(AuditVerify *v, Bytes note)
{
    Epoch e;

    if (v->epoch_count == AUDIT_EPOCHS_MAX)
        return ERR_LIMIT;
    const Err err = epoch_read(note, &e);
    if (err == ERR_LIMIT)
        return err;
    if (err != OK ||
        (v->epoch_count > 0 && !same_key(&v->epochs[v->epoch_count - 1].new_key, &e.old_key))) {
        audit_report(v, (AuditFinding){ .kind = AUDIT_CHECKPOINT_FORMAT, .seq = e.head.size });
        return OK;
    }
    v->epochs[v->epoch_count++] = e;
    if (same_key(&v->key, &e.old_key))
        v->key = e.new_key;
    return OK;
}

/* Signed in an earlier epoch: does it still hold here, or is it of what was lost? */
static Err earlier_checkpoint(AuditVerify *v, const Checkpoint *c, const Epoch *e)
{
    CheckpointTrust trust;
    uint64_t seconds;

    TRY(checkpoint_trust(c, &e->old_key, &trust, &seconds));
    if (trust != CHECKPOINT_SIGNED) {
        audit_report(v, (AuditFinding){ .kind = AUDIT_CHECKPOINT_SIGNATURE, .seq = c->head.size });
        return OK;
    }
    if (c->head.size <= e->head.size)
        return audit_pending(v, &c->head);
    audit_report(v, (AuditFinding){ .kind = AUDIT_EPOCH_LOST, .seq = c->head.size });
    if (c->head.size > v->verdict.lost_to) {
        v->verdict.lost_from = e->head.size;
        v->verdict.lost_to = c->head.size;
    }
    return OK;
}

/* The epoch that ended and whose key the checkpoint names; NULL: none. Only those whose chain leads
 * to the key that is believed. */
static const Epoch *epoch_of(const AuditVerify *v, const Checkpoint *c)
{
    if (v->epoch_count == 0 || !same_key(&v->epochs[v->epoch_count - 1].new_key, &v->key))
        return NULL;
    for (size_t i = 0; i < v->epoch_count; i++)
        if (text_eq(v->epochs[i].old_key.name, c->origin))
            return &v->epochs[i];
    return NULL;
}

Err audit_verify_checkpoint(AuditVerify *v, Bytes note)
{
    Checkpoint c;
    CheckpointTrust trust;
    uint64_t seconds;

    const Err err = checkpoint_parse(note, &c);
    if (err == ERR_MALFORMED) {
        audit_report(v, (AuditFinding){ .kind = AUDIT_CHECKPOINT_FORMAT });
        return OK;
    }
    TRY(err);
    const Epoch *earlier = epoch_of(v, &c);
    if (earlier != NULL)
        return earlier_checkpoint(v, &c, earlier);
    TRY(checkpoint_trust(&c, &v->key, &trust, &seconds));
    if (trust == CHECKPOINT_UNSIGNED || !text_eq(c.origin, v->key.name)) {
        audit_report(v, (AuditFinding){ .kind = AUDIT_CHECKPOINT_KEY, .seq = c.head.size });
        return OK;
    }
    if (trust == CHECKPOINT_FORGED) {
        audit_report(v, (AuditFinding){ .kind = AUDIT_CHECKPOINT_SIGNATURE, .seq = c.head.size });
        return OK;
    }
    if (c.head.size < v->state->log.size)
        return ERR_REFUSED;
    TRY(audit_pending(v, &c.head));
    settle_checkpoints(v);
    return OK;
}

Err audit_verify_log(AuditVerify *v, uint64_t segment, const Hash *leaf)
{
    SegmentState *s;

    TRY(audit_segment(v, segment, &s));
    s->logged++;
    hash_add(&s->log_hashes, VIEW(*leaf));
    merkle_append(&v->state->log, leaf);
    v->verdict.log_size = v->state->log.size;
    settle_checkpoints(v);
    return OK;
}

/* --- segments ------------------------------------------------------------------------- */

/* One segment while it is walked. */
typedef struct Walk {
    AuditVerify *v;
    SegmentState *segment;
    WriterState *writer;
    SegmentReader reader;
    uint64_t count;
    uint64_t shift; /* how far the last leaf stood from its place */
    Hasher hashes;  /* over the leaf hashes that the log has */
} Walk;

static void report_at(Walk *k, AuditKind kind, uint64_t offset, uint64_t seq)
{
    const uint64_t segment = k->segment->seal.segment;

    audit_report(k->v,
                 (AuditFinding){ .kind = kind, .segment = segment, .offset = offset, .seq = seq });
}

/* The segment continues its writer where the last one ended. */
static Err enter_writer(Walk *k)
{
    const SegmentHeader *h = &k->reader.header;
    SegmentState *previous;

    TRY(audit_writer(k->v, h->writer, &k->writer));
    WriterState *w = k->writer;
    if (!w->known)
        w->next_seq = 1;
    if (h->first_seq > w->next_seq)
        report_at(k, AUDIT_SEGMENT_MISSING, 0, w->next_seq);
    else if (h->first_seq < w->next_seq)
        report_at(k, AUDIT_WRITER_REPEAT, 0, h->first_seq);
    else if (!hash_eq(&h->prev, &w->last))
        report_at(k, AUDIT_WRITER_CHAIN, 0, h->first_seq);
    if (w->known) {
        TRY(audit_segment(k->v, w->segment, &previous));
        if (!previous->sealed)
            audit_report(k->v,
                         (AuditFinding){ .kind = AUDIT_SEGMENT_UNSEALED, .segment = w->segment });
    }
    w->known = true;
    w->segment = k->segment->seal.segment;
    w->next_seq = h->first_seq;
    w->last = h->prev;
    return OK;
}

/* A dropped frame shifts all that follow: that is one finding, not thousands. */
static void check_place(Walk *k, const SegmentFrame *f)
{
    const uint64_t shift = f->leaf.offset - f->offset;

    if (f->leaf.segment != k->segment->seal.segment ||
        memcmp(f->leaf.writer, k->reader.header.writer, LEAF_ID) != 0 || shift != k->shift)
        report_at(k, AUDIT_LEAF_PLACE, f->offset, f->leaf.seq);
    k->shift = shift;
}

static void check_seq(Walk *k, const SegmentFrame *f)
{
    WriterState *w = k->writer;

    if (f->leaf.seq > w->next_seq)
        report_at(k, AUDIT_WRITER_HOLE, f->offset, w->next_seq);
    if (f->leaf.seq < w->next_seq)
        report_at(k, AUDIT_WRITER_REPEAT, f->offset, f->leaf.seq);
    if (f->leaf.seq >= w->next_seq && f->leaf.seq < UINT64_MAX)
        w->next_seq = f->leaf.seq + 1;
}

static Err check_record(Walk *k, const SegmentFrame *f)
{
    check_place(k, f);
    check_seq(k, f);
    if (!segment_payload_holds(f))
        report_at(k, AUDIT_PAYLOAD_HASH, f->offset, f->leaf.seq);
    if (f->leaf.session_seq > 0) {
        TRY(audit_session_record(k->v, f));
    } else if (f->leaf.type == LEAF_RECOVERY) {
        WriterState *dead;
        TRY(audit_writer(k->v, f->leaf.session_id, &dead));
        dead->recovered = true;
    }

    k->writer->last = f->hash;
    if (k->count < k->segment->logged)
        hash_add(&k->hashes, VIEW(f->hash));
    k->count++;
    k->v->verdict.records++;
    return OK;
}

static AuditKind kind_of_fault(SegmentFault fault)
{
    switch (fault) {
    case SEGMENT_BAD_LENGTH:
        return AUDIT_FRAME_LENGTH;
    case SEGMENT_BAD_MARKER:
        return AUDIT_FRAME_MARKER;
    case SEGMENT_BAD_CRC:
        return AUDIT_FRAME_CRC;
    case SEGMENT_SOUND:
    case SEGMENT_BAD_LEAF:
        break;
    }
    return AUDIT_FRAME_LEAF;
}

/* In a sealed segment nothing is torn: what its seal covers was there. */
static void meet_tail(Walk *k)
{
    const SegmentState *s = k->segment;
    const size_t at = k->reader.at;

    if (!s->sealed) {
        k->writer->torn = true;
        k->writer->torn_segment = s->seal.segment;
        k->writer->torn_at = at;
    } else if (s->seal.length > at && s->seal.length <= k->reader.segment.len) {
        report_at(k, kind_of_fault(k->reader.fault), at, k->writer->next_seq);
    }
}

static Err walk_frames(Walk *k)
{
    SegmentFrame f;

    for (;;) {
        switch (segment_next(&k->reader, &f)) {
        case SEGMENT_RECORD:
            TRY(check_record(k, &f));
            break;
        case SEGMENT_BROKEN:
            report_at(k, kind_of_fault(k->reader.fault), k->reader.broken_at, k->writer->next_seq);
            break;
        case SEGMENT_TORN:
            meet_tail(k);
            return OK;
        case SEGMENT_END:
            return OK;
        }
    }
}

static void check_length(Walk *k, size_t length)
{
    const Seal *seal = &k->segment->seal;

    if (!k->segment->sealed)
        return;
    if (length < seal->length)
        report_at(k, AUDIT_SEGMENT_SHORT, length, 0);
    if (length > seal->length)
        report_at(k, AUDIT_SEGMENT_LONG, seal->length, 0);
}

static void check_seal(Walk *k)
{
    const Seal *seal = &k->segment->seal;

    if (!k->segment->sealed || k->reader.segment.len != seal->length)
        return;
    if (memcmp(seal->writer, k->reader.header.writer, LEAF_ID) != 0 || seal->count != k->count ||
        !hash_eq(&seal->last, &k->writer->last))
        report_at(k, AUDIT_SEGMENT_SEAL, seal->length, 0);
}

static void check_log(Walk *k)
{
    SegmentState *s = k->segment;

    if (k->count < s->logged) {
        report_at(k, AUDIT_LOG_HOLE, 0, k->count);
        return;
    }
    k->v->verdict.unlogged += k->count - s->logged;
    const Hash walked = hash_end(&k->hashes), logged = hash_end(&s->log_hashes);
    if (!hash_eq(&walked, &logged))
        report_at(k, AUDIT_LEAF_LOG, 0, 0);
}

/* True when there is a header to go on from. A file that ends before its header does was cut, or
 * its creation was: that is missing, not altered; check_length() has spoken for a sealed one. */
static bool enter_segment(Walk *k, Bytes file)
{
    const SegmentState *s = k->segment;
    const Err err = segment_reader_init(&k->reader, file);

    check_length(k, file.len);
    if (err == OK && k->reader.header.segment == s->seal.segment)
        return true;
    if (err != ERR_MORE || (s->sealed && file.len >= s->seal.length))
        report_at(k, AUDIT_SEGMENT_HEADER, 0, 0);
    else if (s->logged > 0)
        report_at(k, AUDIT_LOG_HOLE, 0, 0);
    else if (!s->sealed)
        report_at(k, AUDIT_SEGMENT_TAIL, 0, 0);
    return false;
}

Err audit_verify_segment(AuditVerify *v, uint64_t segment, Bytes file)
{
    Walk k = { .v = v };
    AuditState *state = v->state;

    TRY(audit_segment(v, segment, &k.segment));
    if (state->walked && segment <= state->last_segment) {
        report_at(&k, AUDIT_SEGMENT_REPEAT, 0, 0);
        return OK;
    }
    state->walked = true;
    state->last_segment = segment;
    k.segment->seen = true;
    v->verdict.segments++;
    if (!enter_segment(&k, file))
        return OK;

    hash_begin(&k.hashes);
    TRY(enter_writer(&k));
    TRY(walk_frames(&k));
    check_seal(&k);
    check_log(&k);
    return OK;
}

AuditVerdict audit_verify_finish(AuditVerify *v)
{
    AuditState *state = v->state;

    for (size_t i = 0; i < AUDIT_BUCKETS; i++) {
        const AuditNode *node = state->segments.buckets[i];
        for (; node != NULL; node = node->next) {
            const SegmentState *s = (const SegmentState *)(const void *)node;
            if (!s->seen && (s->sealed || s->logged > 0))
                audit_report(
                    v, (AuditFinding){ .kind = AUDIT_SEGMENT_MISSING, .segment = s->seal.segment });
        }
        for (node = state->writers.buckets[i]; node != NULL; node = node->next) {
            const WriterState *w = (const WriterState *)(const void *)node;
            if (w->torn && !w->recovered)
                audit_report(v, (AuditFinding){ .kind = AUDIT_SEGMENT_TAIL,
                                                .segment = w->torn_segment,
                                                .offset = w->torn_at,
                                                .seq = w->next_seq });
        }
    }
    audit_session_census(v);
    for (const PendingCheckpoint *p = state->pending; p != NULL; p = p->next)
        audit_report(v, (AuditFinding){ .kind = AUDIT_CHECKPOINT_SIZE, .seq = p->head.size });
    return v->verdict;
}
