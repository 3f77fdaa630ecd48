#include "keeper/diary.h"

#include "sys/entropy.h"
#include "sys/file.h"
#include "sys/log.h"

#include <string.h>
#include <unistd.h>

enum { FRAME_MAX = 1 << 21 };

static const uint64_t SEGMENT_AGE_NS = UINT64_C(600) * 1000000000;

/* --- segments ----------------------------------------------------------------------------- */

/* A segment without a header was never begun: none is open now, and another one is tried later. */
static void give_back(Diary *d, const SegmentWriter *before)
{
    const SegmentPath path = segment_path(d->ledger->journal, d->segment.id);
    File f = { d->fd };

    if (d->fd >= 0)
        (void)unlink(path.text);
    file_done(&f);
    d->fd = -1;
    d->writer = *before;
    (void)!store_segment_remove(d->ledger->store, d->segment.id);
    log_line(LOG_ERROR, "journal", "the keeper cannot begin a segment; recording is not possible");
}

static Err begin_segment(Diary *d, Clock now)
{
    CLEANUP(buf_done) Buf header = { 0 };
    SegmentWriter before = d->writer;

    d->segment = (StoreSegment){ .keeper = true, .created_ns = now.unix_ns };
    memcpy(d->segment.writer.bytes, d->writer.writer, LEAF_ID);
    TRY(store_segment_add(d->ledger->store, &d->segment));
    buf_init(&header, SEGMENT_HEADER);
    Err err = segment_file_create(d->ledger->journal, d->segment.id, &d->fd);
    if (err == OK)
        err = segment_begin(&d->writer, d->segment.id, now.unix_ns, &header);
    if (err == OK)
        err = file_write_all(d->fd, buf_view(&header));
    if (err != OK)
        give_back(d, &before);
    d->opened_mono_ns = now.mono_ns;
    return err;
}

static Err make_key(Diary *d, Clock now)
{
    CLEANUP(buf_done) Buf wrapped = { 0 };
    uint8_t key[AEAD_KEY];
    Id id;

    random_fill(key, sizeof key);
    random_fill(id.bytes, sizeof id.bytes);
    buf_init(&wrapped, 256);
    TRY(keys_seal(d->keys, VIEW(id.bytes), VIEW(key), &wrapped));
    const StoreKey row = { .id = id, .wrapped = buf_view(&wrapped), .created_ns = now.unix_ns };
    TRY(store_key_add(d->ledger->store, &row));
    const Err err = journal_key_init(&d->key, key, id.bytes, 0);
    explicit_bzero(key, sizeof key);
    return err;
}

Err diary_open(Diary *d, const Id *writer, Clock now)
{
    d->fd = -1;
    segment_writer_init(&d->writer, writer->bytes);
    TRY(make_key(d, now));
    return begin_segment(d, now);
}

void diary_done(Diary *d)
{
    File f = { d->fd };

    if (d->ledger == NULL)
        return;
    file_done(&f);
    journal_key_done(&d->key);
    d->fd = -1;
}

bool diary_is_full(const Diary *d, Clock now)
{
    return d->fd < 0 || d->writer.length >= SEGMENT_BYTES * 3 / 4 ||
           now.mono_ns - d->opened_mono_ns >= SEGMENT_AGE_NS;
}

static bool same_seal(const Seal *a, const Seal *b)
{
    return a->segment == b->segment && memcmp(a->writer, b->writer, LEAF_ID) == 0 &&
           a->length == b->length && a->count == b->count && hash_eq(&a->last, &b->last);
}

static Err seal_open_one(Diary *d)
{
    const SegmentPath path = segment_path(d->ledger->journal, d->segment.id);
    const Seal seal = segment_seal(&d->writer);
    SegmentReading reading;
    File f = { d->fd };

    Err err = segment_file_read(path.text, d->segment.id, &reading);
    if (err == OK && (reading.step != SEGMENT_END || !same_seal(&seal, &reading.seal)))
        err = ERR_MALFORMED;
    if (err == OK)
        err = ledger_merge(d->ledger, d->segment, &reading);
    segment_reading_done(&reading);
    file_done(&f);
    d->fd = -1;
    if (err != OK) {
        d->failed = true;
        log_line(LOG_ERROR, "journal", "the keeper's segment cannot be sealed");
    }
    return err;
}

Err diary_turn(Diary *d, Clock now, bool go_on)
{
    if (d->failed)
        return ERR_IO;
    if (d->fd >= 0)
        TRY(seal_open_one(d));
    return go_on ? begin_segment(d, now) : OK;
}

/* --- records ------------------------------------------------------------------------------ */

static void commit_to(const Diary *d, const DiaryEntry *e, Leaf *leaf)
{
    const Id about = e->type == LEAF_RECOVERY && e->chain == NULL ? (Id){ 0 } : e->about;
    const PackKey salt = keys_record_salt(d->keys, &about);
    HmacKey key;

    hmac_key_init(&key, VIEW(salt.bytes));
    if (e->actor.len > 0)
        leaf->actor_commit = leaf_commit(&key, e->actor);
    if (e->target.len > 0)
        leaf->target_commit = leaf_commit(&key, e->target);
    hmac_key_done(&key);
}

static Err append(Diary *d, const DiaryEntry *e, Clock now, Buf *frame)
{
    SegmentRecord record = {
        .leaf = { .type = e->type,
                  .time_unix_ns = now.unix_ns,
                  .mono_ns = now.mono_ns,
                  .ruling = e->ruling,
                  .policy_hash = d->policy_hash },
        .chain = e->chain,
        .key = e->payload.len == 0 ? NULL
               : e->key != NULL    ? e->key
                                   : &d->key,
        .payload = e->payload,
    };

    if (e->chain == NULL)
        memcpy(record.leaf.session_id, e->about.bytes, LEAF_ID);
    commit_to(d, e, &record.leaf);
    return segment_append(&d->writer, &record, frame);
}

static void take_back(Diary *d, const SegmentWriter *before)
{
    if (ftruncate(d->fd, (off_t)before->length) != 0)
        d->failed = true;
    d->writer = *before;
    log_line(LOG_ERROR, "journal", "the keeper cannot write; recording is not possible");
}

Err diary_sync(Diary *d)
{
    if (d->failed || d->fd < 0)
        return ERR_IO;
    if (file_sync(d->fd) == OK)
        return OK;
    d->failed = true;
    log_line(LOG_ERROR, "journal", "the keeper cannot sync; recording is not possible");
    return ERR_IO;
}

Err diary_write(Diary *d, const DiaryEntry *e, Clock now, Hash *ret_leaf)
{
    CLEANUP(buf_done) Buf frame = { 0 };
    const SegmentWriter before = d->writer;
    const SessionChain chain = e->chain != NULL ? *e->chain : (SessionChain){ 0 };

    if (d->failed || d->fd < 0)
        return ERR_IO;
    buf_init(&frame, FRAME_MAX);
    TRY(append(d, e, now, &frame));
    if (file_write_all(d->fd, buf_view(&frame)) != OK) {
        take_back(d, &before);
        if (e->chain != NULL)
            *e->chain = chain;
        return ERR_IO;
    }
    if (ret_leaf != NULL)
        *ret_leaf = d->writer.last;
    return e->wait ? diary_sync(d) : OK;
}
