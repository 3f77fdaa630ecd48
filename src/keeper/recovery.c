#include "keeper/recovery.h"

#include "base/encode.h"
#include "base/json_write.h"
#include "base/text.h"
#include "keeper/approve.h"
#include "sys/file.h"
#include "sys/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECOVERY_ARENA = 64 << 20, PAYLOAD_MAX = 4096, SESSION_LOOK = 16 << 10 };

/* --- segments ----------------------------------------------------------------------------- */

typedef struct Torn {
    uint64_t segment, at, bytes;
} Torn;

static Err record_tail(Keeper *k, const Id *writer, const Torn *torn)
{
    CLEANUP(buf_done) Buf payload = { 0 };

    buf_init(&payload, PAYLOAD_MAX);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "what", LIT("a torn tail was cut; nothing in it was released"));
    json_write_u64(&j, "segment", torn->segment);
    json_write_u64(&j, "at", torn->at);
    json_write_u64(&j, "bytes", torn->bytes);
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = {
        .type = LEAF_RECOVERY, .about = *writer, .payload = buf_view(&payload), .wait = true
    };
    return diary_write(&k->diary, &entry, k->now, NULL);
}

static Err cut_tail(Keeper *k, const StoreSegment *segment, const char *path, uint64_t length)
{
    CLEANUP(file_done) File f = { .fd = -1 };
    Torn torn = { .segment = segment->id, .at = length };
    uint64_t size;

    TRY(file_open(path, 0, 0, &f));
    TRY(file_size(f.fd, &size));
    torn.bytes = size - length;
    /* Said before it is done: a tail that is gone without a word would be a hole. */
    TRY(record_tail(k, &segment->writer, &torn));
    return file_cut(path, length);
}

static Err recover_segment(Keeper *k, const StoreSegment *segment)
{
    const SegmentPath path = segment_path(k->journal, segment->id);
    SegmentReading reading;

    const Err read = segment_file_read(path.text, segment->id, &reading);
    Err err = read;
    if (read == ERR_IO && errno == ENOENT) {
        err = store_segment_remove(k->store, segment->id); /* it was never made */
    } else if (read == OK && reading.step == SEGMENT_BROKEN) {
        log_line(LOG_ERROR, "recovery", "segment %llu is damaged; it is left as it is, unsealed",
                 (unsigned long long)segment->id);
    } else if (read == OK && reading.seal.length == 0) {
        err = unlink(path.text) == 0 ? store_segment_remove(k->store, segment->id) : ERR_IO;
    } else if (read == OK) {
        if (reading.step == SEGMENT_TORN)
            err = cut_tail(k, segment, path.text, reading.seal.length);
        if (err == OK)
            err = ledger_merge(&k->ledger, *segment, &reading);
    }
    segment_reading_done(&reading);
    return err;
}

typedef struct SegmentList {
    Arena *arena;
    StoreSegment *at;
    size_t count, room;
} SegmentList;

static Err list_segment(void *ctx, const StoreSegment *segment)
{
    SegmentList *l = ctx;

    if (l->count == l->room) {
        const size_t room = l->room > 0 ? 2 * l->room : 16;
        void *mem;
        TRY(arena_array(l->arena, room, sizeof *l->at, &mem));
        if (l->count > 0)
            memcpy(mem, l->at, l->count * sizeof *l->at);
        l->at = mem;
        l->room = room;
    }
    l->at[l->count++] = *segment;
    return OK;
}

static Err recover_segments(Keeper *k, const Id *writer, Arena *a)
{
    const SegmentFilter filter = { .writer = writer, .open = true };
    SegmentList list = { .arena = a };

    TRY(store_segment_each(k->store, &filter, list_segment, &list));
    for (size_t i = 0; i < list.count; i++)
        TRY(recover_segment(k, &list.at[i]));
    return OK;
}

/* --- sessions ----------------------------------------------------------------------------- */

typedef struct Orphan {
    struct Orphan *next;
    StoreSession row;
    SessionChain chain; /* seq 0: it has no record */
    bool ended;
} Orphan;

typedef struct Orphans {
    Arena *arena;
    Keeper *keeper;
    const Id *writer;
    Orphan *first;
    size_t without_record;
    uint64_t first_segment;
} Orphans;

static Err list_orphan(void *ctx, const StoreSession *session)
{
    Orphans *o = ctx;
    void *mem;

    TRY(arena_alloc(o->arena, sizeof(Orphan), &mem));
    Orphan *orphan = mem;
    orphan->row = *session;
    orphan->row.user = orphan->row.resource = (Bytes){ 0 };
    TRY(arena_copy(o->arena, session->user, &orphan->row.user));
    TRY(arena_copy(o->arena, session->resource, &orphan->row.resource));
    memcpy(orphan->chain.id, session->id.bytes, LEAF_ID);
    orphan->next = o->first;
    o->first = orphan;
    o->without_record++;
    if (o->first_segment == 0 || session->first_segment < o->first_segment)
        o->first_segment = session->first_segment;
    return OK;
}

static void note_record(Orphans *o, const SegmentFrame *f)
{
    for (Orphan *n = o->first; n != NULL; n = n->next) {
        if (memcmp(n->chain.id, f->leaf.session_id, LEAF_ID) != 0)
            continue;
        if (n->chain.seq == 0)
            o->without_record--;
        if (f->leaf.session_seq > n->chain.seq) {
            n->chain.seq = f->leaf.session_seq;
            n->chain.last = f->hash;
        }
        n->ended = n->ended || f->leaf.type == LEAF_SESSION_END;
        return;
    }
}

/* The worker's segments, newest first, until all are found; and all the keeper's, whose ids say
 * nothing about the order: an earlier recovery may have been cut short. */
static Err look_into(void *ctx, const StoreSegment *segment)
{
    Orphans *o = ctx;
    const SegmentPath path = segment_path(o->keeper->journal, segment->id);
    SegmentReader r;
    SegmentFrame f;
    Bytes file;

    if (!segment->keeper && (o->without_record == 0 || !id_eq(&segment->writer, o->writer)))
        return OK;
    if (file_map(path.text, &file) != OK)
        return OK; /* the verifier will say that it is missing */
    if (segment_reader_init(&r, file) == OK)
        while (segment_next(&r, &f) == SEGMENT_RECORD)
            if (f.leaf.session_seq > 0)
                note_record(o, &f);
    file_unmap(file);
    return OK;
}

static Err open_key(Keeper *k, const Id *id, JournalKey *ret)
{
    CLEANUP(buf_done) Buf wrapped = { 0 };
    CLEANUP(buf_done) Buf key = { 0 };

    buf_init(&wrapped, 256);
    buf_init(&key, 256);
    TRY(store_key_get(k->store, id, &wrapped));
    TRY(keys_open(&k->keys, VIEW(id->bytes), buf_view(&wrapped), &key));
    if (buf_len(&key) != AEAD_KEY)
        return ERR_MALFORMED;
    return journal_key_init(ret, buf_view(&key).ptr, id->bytes, k->diary.party);
}

static Err write_end(Keeper *k, Orphan *n, JournalKey *key)
{
    const DiaryEntry recovery = { .type = LEAF_RECOVERY,
                                  .about = n->row.id,
                                  .payload = LIT("{\"what\":\"the worker of this session ended\"}"),
                                  .chain = &n->chain,
                                  .key = key };
    DiaryEntry end = recovery;

    end.type = LEAF_SESSION_END;
    end.actor = n->row.user;
    end.target = n->row.resource;
    end.payload = LIT("{\"reason\":\"the worker ended\",\"statements\":null}");
    end.wait = true;
    TRY(diary_write(&k->diary, &recovery, k->now, NULL));
    return diary_write(&k->diary, &end, k->now, NULL);
}

static Err end_orphan(Keeper *k, Orphan *n)
{
    JournalKey key = { 0 };

    if (n->chain.seq > 0 && !n->ended) {
        Err err = open_key(k, &n->row.audit_key, &key);
        if (err == OK)
            err = write_end(k, n, &key);
        journal_key_done(&key);
        TRY(err);
    }
    n->row.ended_ns = k->now.unix_ns;
    n->row.reason = LIT("the worker ended");
    return store_session_end(k->store, &n->row);
}

static Err recover_sessions(Keeper *k, const Id *writer, Arena *a)
{
    const SessionFilter live = { .writer = writer, .live = true };
    Orphans o = { .arena = a, .keeper = k, .writer = writer };

    TRY(store_session_each(k->store, &live, list_orphan, &o));
    const SegmentFilter back = { .from = o.first_segment, .backward = true };
    if (o.first != NULL)
        TRY(store_segment_each(k->store, &back, look_into, &o));
    for (Orphan *n = o.first; n != NULL; n = n->next)
        TRY(end_orphan(k, n));
    return OK;
}

Err recovery_of_writer(Keeper *k, const Id *writer)
{
    CLEANUP(arena_done) Arena arena = { 0 };

    arena_init(&arena, RECOVERY_ARENA);
    TRY(recover_segments(k, writer, &arena));
    TRY(recover_sessions(k, writer, &arena));
    return approve_writer_gone(k, writer);
}

/* --- at start ----------------------------------------------------------------------------- */

typedef struct Dead {
    struct Dead *next;
    Id writer;
} Dead;

typedef struct DeadList {
    Keeper *keeper;
    Arena *arena;
    Dead *first;
} DeadList;

static Err note_writer(DeadList *l, const Id *writer)
{
    void *mem;

    if (id_eq(writer, &l->keeper->writer) || keeper_worker(l->keeper, writer) != NULL)
        return OK;
    for (const Dead *d = l->first; d != NULL; d = d->next)
        if (id_eq(&d->writer, writer))
            return OK;
    TRY(arena_alloc(l->arena, sizeof(Dead), &mem));
    Dead *dead = mem;
    *dead = (Dead){ l->first, *writer };
    l->first = dead;
    return OK;
}

static Err note_segment(void *ctx, const StoreSegment *segment)
{
    return note_writer(ctx, &segment->writer);
}

static Err note_session(void *ctx, const StoreSession *session)
{
    return note_writer(ctx, &session->writer);
}

Err recovery_of_the_dead(Keeper *k)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    DeadList dead = { .keeper = k, .arena = &arena };

    arena_init(&arena, RECOVERY_ARENA);
    TRY(store_segment_each(k->store, &(SegmentFilter){ .open = true }, note_segment, &dead));
    TRY(store_session_each(k->store, &(SessionFilter){ .live = true }, note_session, &dead));
    for (const Dead *d = dead.first; d != NULL; d = d->next)
        TRY(recovery_of_writer(k, &d->writer));
    return approve_orphans_gone(k);
}
