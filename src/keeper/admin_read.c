/* session.read: the decrypted records of one session, a page at a time, in the order of the
 * journal. Every page is an evidence.access record first. */
#include "keeper/admin_session.h"

#include "base/encode.h"
#include "base/text.h"
#include "sys/file.h"

#include <string.h>

enum {
    SLICE = 60 << 10,     /* of a payload in one part, before base64 */
    PAGE_BYTES = 1 << 20, /* of payloads */
    PAGE_RECORDS = 500,
    KEYS_MAX = 8, /* a session's two, and the keeper's of some starts */
    PART_MAX = 120 << 10,
    PAYLOAD_MAX = SEGMENT_PAYLOAD_MAX + 1024,
};

/* Approvals that are answered after the session, and no more. */
static const uint64_t AFTER_NS = UINT64_C(3600) * 1000000000;

typedef struct Page {
    AdminRun *run;
    StoreSession session;
    uint64_t segment, offset; /* where to begin; then where the next page does */
    size_t bytes, records;
    bool full;
    JournalKey keys[KEYS_MAX];
    size_t key_count;
} Page;

/* --- keys --------------------------------------------------------------------------------- */

static Err load_key(Keeper *k, const Id *id, JournalKey *ret)
{
    CLEANUP(buf_done) Buf wrapped = { 0 };
    CLEANUP(buf_done) Buf key = { 0 };

    buf_init(&wrapped, 256);
    buf_init(&key, 256);
    TRY(store_key_get(k->store, id, &wrapped));
    TRY(keys_open(&k->keys, VIEW(id->bytes), buf_view(&wrapped), &key));
    if (buf_len(&key) != AEAD_KEY)
        return ERR_MALFORMED;
    return journal_key_init(ret, buf_view(&key).ptr, id->bytes, 0);
}

/* ERR_MORE: shredded. */
static Err key_for(Page *p, const uint8_t key_id[LEAF_ID], JournalKey **ret)
{
    Id id;

    memcpy(id.bytes, key_id, sizeof id.bytes);
    for (size_t i = 0; i < p->key_count; i++) {
        if (memcmp(p->keys[i].id, key_id, LEAF_ID) == 0) {
            *ret = &p->keys[i];
            return OK;
        }
    }
    if (p->key_count == KEYS_MAX)
        journal_key_done(&p->keys[--p->key_count]);
    TRY(load_key(p->run->keeper, &id, &p->keys[p->key_count]));
    *ret = &p->keys[p->key_count++];
    return OK;
}

/* --- parts -------------------------------------------------------------------------------- */

typedef struct Slice {
    LeafType type;
    Bytes part;
    bool more;     /* of this record's payload follows */
    bool shredded; /* its key is gone */
} Slice;

static Err send_slice(Page *p, const SegmentFrame *f, const Slice *slice)
{
    CLEANUP(buf_done) Buf row = { 0 };
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&row, PART_MAX);
    buf_init(&text, PART_MAX);
    TRY(base64_encode(slice->part, &text));
    Json j = json_write_begin(&row);
    json_write_object(&j, NULL);
    json_write_string(&j, "type", leaf_type_name(slice->type));
    json_write_u64(&j, "time_ns", f->leaf.time_unix_ns);
    json_write_u64(&j, "session_seq", f->leaf.session_seq);
    json_write_u64(&j, "segment", f->leaf.segment);
    json_write_u64(&j, "offset", f->offset);
    json_write_u64(&j, "ruling", f->leaf.ruling);
    json_write_bool(&j, "shredded", slice->shredded);
    json_write_bool(&j, "more", slice->more);
    json_write_string(&j, "data", buf_view(&text));
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    return admin_part(p->run, buf_view(&row));
}

static Err send_part(Page *p, const SegmentFrame *f, LeafType type, const SegmentPart *part)
{
    CLEANUP(buf_done) Buf plain = { 0 };
    JournalKey *key;
    Slice slice = { .type = type };

    buf_init(&plain, PAYLOAD_MAX);
    if (part->ciphertext.len > 0) {
        const Err err = key_for(p, part->key_id.ptr, &key);
        slice.shredded = err == ERR_MORE;
        if (err != ERR_MORE)
            TRY(err);
        if (err == OK)
            TRY(segment_open(f, part, key, &plain));
    }
    Bytes rest = buf_view(&plain);
    do {
        const size_t len = rest.len < SLICE ? rest.len : SLICE;
        slice.part = bytes_upto(rest, len);
        rest = bytes_from(rest, len);
        slice.more = rest.len > 0;
        TRY(send_slice(p, f, &slice));
    } while (rest.len > 0);
    p->bytes += buf_len(&plain);
    return OK;
}

/* What was seen beside a receipt is told as the chunk that it is. */
static Err send_record(Page *p, const SegmentFrame *f)
{
    if (f->seen.ciphertext.len > 0)
        TRY(send_part(p, f, LEAF_RESPONSE_CHUNK, &f->seen));
    TRY(send_part(p, f, f->leaf.type, &f->payload));
    p->records++;
    p->full = p->records >= PAGE_RECORDS || p->bytes >= PAGE_BYTES;
    return OK;
}

/* --- walking ------------------------------------------------------------------------------ */

static Err walk(Page *p, Bytes file, uint64_t from)
{
    SegmentReader r;
    SegmentFrame f;

    if (segment_reader_init(&r, file) != OK)
        return OK;
    if (from > r.at && from <= file.len)
        r.at = (size_t)from;
    while (!p->full && segment_next(&r, &f) == SEGMENT_RECORD) {
        if (memcmp(f.leaf.session_id, p->session.id.bytes, LEAF_ID) == 0)
            TRY(send_record(p, &f));
        p->offset = r.at;
    }
    return OK;
}

static Err walk_segment(void *ctx, const StoreSegment *segment)
{
    Page *p = ctx;
    const SegmentPath path = segment_path(p->run->keeper->journal, segment->id);
    const uint64_t end = p->session.ended_ns;
    Bytes file;

    if (p->full || (!segment->keeper && !id_eq(&segment->writer, &p->session.writer)) ||
        (end != 0 && segment->created_ns > end + AFTER_NS))
        return OK;
    const uint64_t from = segment->id == p->segment ? p->offset : 0;
    p->segment = segment->id;
    p->offset = from;
    if (file_map(path.text, &file) != OK)
        return OK; /* the verifier says that it is missing */
    const Err err = walk(p, file, from);
    file_unmap(file);
    return err;
}

/* --- the call ----------------------------------------------------------------------------- */

static Err record_viewing(AdminRun *run, const StoreSession *n)
{
    CLEANUP(buf_done) Buf payload = { 0 };
    const IdText id = id_text('s', &n->id);

    buf_init(&payload, 4096);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "session", text_of(id.text));
    json_write_string(&j, "viewer", run->caller);
    json_write_string(&j, "from", utf8_upto(admin_argument(run, "from"), 64));
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    /* Not under the session's id: a viewing is not part of what is viewed. */
    const DiaryEntry entry = { .type = LEAF_EVIDENCE_ACCESS,
                               .actor = run->caller,
                               .target = n->user,
                               .payload = buf_view(&payload),
                               .wait = true };
    return diary_write(&run->keeper->diary, &entry, run->keeper->now, NULL);
}

/* "segment:offset", as the last page gave it. */
static Err begin_at(Page *p, Bytes from)
{
    const size_t colon = text_find(from, LIT(":"));

    p->segment = p->session.first_segment;
    if (from.len == 0)
        return OK;
    if (colon == from.len)
        return ERR_MALFORMED;
    TRY(text_u64(bytes_upto(from, colon), INT64_MAX, &p->segment));
    return text_u64(bytes_from(from, colon + 1), INT64_MAX, &p->offset);
}

static Err read_page(Page *p)
{
    const SegmentFilter filter = { .from = p->segment };

    TRY(store_segment_each(p->run->keeper->store, &filter, walk_segment, p));
    if (!p->full)
        return buf_append(&p->run->result, LIT("{\"next\":\"\"}"));
    return text_format(&p->run->result, "{\"next\":\"%llu:%llu\"}", (unsigned long long)p->segment,
                       (unsigned long long)p->offset);
}

Err admin_session_read(AdminRun *run)
{
    Page page = { .run = run };

    TRY(admin_session_find(run, &page.session));
    if (!admin_may_watch(run, &page.session))
        return admin_fail(run, ADMIN_REFUSED, "this session is not yours to watch");
    if (begin_at(&page, admin_argument(run, "from")) != OK)
        return admin_fail(run, ADMIN_USAGE, "from is what the page before gave as next");
    if (record_viewing(run, &page.session) != OK)
        return admin_fail(run, ADMIN_FAILED, "CHP-5201: the viewing cannot be recorded");
    const Err err = read_page(&page);
    for (size_t i = 0; i < page.key_count; i++)
        journal_key_done(&page.keys[i]);
    return err;
}
