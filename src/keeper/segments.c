#include "keeper/segments.h"

#include "sys/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- giving ------------------------------------------------------------------------------- */

static Err count_one(void *ctx, const StoreSegment *segment)
{
    (void)segment;
    ++*(unsigned *)ctx;
    return OK;
}

static Err create(Keeper *k, const Id *writer, SegmentAnswer *ret, int *ret_fd)
{
    const SegmentFilter open = { .writer = writer, .open = true };
    StoreSegment row = { .writer = *writer, .created_ns = k->now.unix_ns };
    unsigned count = 0;

    TRY(store_segment_each(k->store, &open, count_one, &count));
    if (count >= SEGMENTS_OPEN_MAX)
        return ERR_LIMIT;
    TRY(store_segment_add(k->store, &row));
    const Err err = segment_file_create(k->journal, row.id, ret_fd);
    if (err != OK) {
        log_line(LOG_ERROR, "journal", "a segment cannot be made: %s", strerror(errno));
        (void)!store_segment_remove(k->store, row.id);
        return err;
    }
    *ret = (SegmentAnswer){ .ok = 1, .segment = row.id, .created_ns = row.created_ns };
    return OK;
}

Err segments_give(Keeper *k, const Id *writer, SegmentAnswer *ret, int *ret_fd)
{
    *ret = (SegmentAnswer){ 0 };
    *ret_fd = -1;
    if (create(k, writer, ret, ret_fd) != OK)
        log_line(LOG_ERROR, "journal", "a worker gets no segment; its sessions will end");
    return OK;
}

/* --- sealing ------------------------------------------------------------------------------ */

typedef struct Sealing {
    uv_work_t work;
    Keeper *keeper;
    Seal said; /* by the writer */
    SegmentReading reading;
    Err err;
} Sealing;

static bool as_said(const Sealing *s)
{
    const Seal *a = &s->said, *b = &s->reading.seal;

    return s->reading.step == SEGMENT_END && a->segment == b->segment && a->length == b->length &&
           a->count == b->count && memcmp(a->writer, b->writer, LEAF_ID) == 0 &&
           hash_eq(&a->last, &b->last);
}

static void read_again(uv_work_t *work)
{
    Sealing *s = work->data;
    const SegmentPath path = segment_path(s->keeper->journal, s->said.segment);

    s->err = segment_file_read(path.text, s->said.segment, &s->reading);
}

static Err merge(const Sealing *s)
{
    Keeper *k = s->keeper;
    StoreSegment row;

    TRY(s->err);
    TRY(store_segment_get(k->store, s->said.segment, &row));
    if (row.state == SEGMENT_SEALED)
        return OK; /* its writer ended meanwhile; recovery was quicker */
    if (!as_said(s))
        return ERR_MALFORMED;
    TRY(ledger_merge(&k->ledger, row, &s->reading));
    return ledger_sign(&k->ledger, k->now, false);
}

static void merged(uv_work_t *work, int status)
{
    Sealing *s = work->data;
    const Err err = status == 0 ? merge(s) : ERR_LIMIT;

    if (err != OK)
        log_line(LOG_ERROR, "journal", "segment %llu is not sealed: %s",
                 (unsigned long long)s->said.segment,
                 err == ERR_MALFORMED ? "it is not what its writer said" : "read or write failed");
    segment_reading_done(&s->reading);
    free(s);
}

Err segments_seal(KeeperPeer *peer, Bytes body)
{
    Keeper *k = peer->keeper;
    StoreSegment row;
    /* The journal's Seal shares its name with the message. */
    SealAsk ask;

    TRY(unpack_seal_ask(body, &ask));
    if (!id_eq(&ask.writer, &peer->writer))
        return ERR_MALFORMED;
    const Err known = store_segment_get(k->store, ask.segment, &row);
    if (known == ERR_MORE || (known == OK && !id_eq(&row.writer, &peer->writer)))
        return ERR_MALFORMED;
    TRY(known);
    Sealing *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_LIMIT;
    s->keeper = k;
    s->work.data = s;
    s->said = (Seal){ .segment = ask.segment, .length = ask.length, .count = ask.count };
    memcpy(s->said.writer, ask.writer.bytes, LEAF_ID);
    memcpy(s->said.last.bytes, ask.last_hash.bytes, HASH_BYTES);
    if (uv_queue_work(k->loop, &s->work, read_again, merged) == 0)
        return OK;
    free(s);
    return ERR_LIMIT;
}
