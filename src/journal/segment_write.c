#include "journal/segment.h"

#include "base/crc32c.h"
#include "journal/segment_layout.h"

#include <string.h>

Err journal_key_init(JournalKey *k, const uint8_t key[AEAD_KEY], const uint8_t id[LEAF_ID],
                     uint32_t party)
{
    *k = (JournalKey){ .party = party };
    memcpy(k->id, id, LEAF_ID);
    return aead_init(&k->aead, key);
}

void journal_key_done(JournalKey *k)
{
    aead_done(&k->aead);
    explicit_bzero(k, sizeof *k);
}

void segment_writer_init(SegmentWriter *w, const uint8_t writer[LEAF_ID])
{
    *w = (SegmentWriter){ .next_seq = 1 };
    memcpy(w->writer, writer, LEAF_ID);
}

static Err write_header(const SegmentWriter *w, uint64_t segment, uint64_t created_unix_ns,
                        Buf *out)
{
    const size_t at = buf_len(out);

    TRY(buf_append(out, VIEW(SEGMENT_MAGIC)));
    TRY(buf_u32(out, SEGMENT_VERSION));
    TRY(buf_u64(out, segment));
    TRY(buf_append(out, VIEW(w->writer)));
    TRY(buf_u64(out, created_unix_ns));
    TRY(buf_u64(out, w->next_seq));
    TRY(buf_append(out, VIEW(w->last)));
    TRY(buf_zeros(out, 12));
    TRY(buf_u32(out, crc32c(bytes_from(buf_view(out), at))));
    assert(buf_len(out) - at == SEGMENT_HEADER);
    return OK;
}

Err segment_begin(SegmentWriter *w, uint64_t segment, uint64_t created_unix_ns, Buf *out)
{
    const size_t before = buf_len(out);

    if (write_header(w, segment, created_unix_ns, out) != OK) {
        buf_truncate(out, before);
        return ERR_LIMIT;
    }
    w->segment = segment;
    w->length = SEGMENT_HEADER;
    w->count = 0;
    return OK;
}

size_t segment_frame_size(const SegmentRecord *record)
{
    size_t size = SEGMENT_FRAME_OVERHEAD + LEAF_BYTES;

    if (record->payload.len > 0)
        size += record->payload.len + SEGMENT_SEALING;
    if (record->seen.len > 0)
        size += LEAF_ID + record->seen.len + SEGMENT_SEALING;
    return size;
}

static void complete_leaf(const SegmentWriter *w, SegmentRecord *record)
{
    Leaf *l = &record->leaf;
    const bool sealed = record->payload.len > 0;

    memcpy(l->writer, w->writer, LEAF_ID);
    l->seq = w->next_seq;
    l->segment = w->segment;
    l->offset = w->length;
    l->session_seq = 0;
    l->session_prev = (Hash){ 0 };
    if (record->chain != NULL) {
        memcpy(l->session_id, record->chain->id, LEAF_ID);
        l->session_seq = record->chain->seq + 1;
        l->session_prev = record->chain->last;
    }
    l->flags = sealed && record->content ? LEAF_FLAG_CONTENT : 0;
    if (record->seen.len > 0)
        l->flags |= LEAF_FLAG_SEEN;
    l->payload_bytes = (uint32_t)record->payload.len;
    memset(l->key_id, 0, LEAF_ID);
    if (sealed)
        memcpy(l->key_id, record->key->id, LEAF_ID);
    l->payload_hash = (Hash){ 0 };
}

/* Writes ciphertext, nonce and tag of `text` to `to`. The leaf has no hash yet. */
static Err seal_text(JournalKey *key, const uint8_t *leaf, Bytes text, uint8_t *to)
{
    AeadMessage m = { .aad = { leaf, LEAF_BYTES }, .text = text };
    uint8_t *nonce = to + text.len;

    if (key->used == UINT64_MAX)
        return ERR_LIMIT;
    key->used++; /* before it is used: a failed append must not free it for another text */
    for (size_t i = 0; i < 4; i++)
        m.nonce[i] = (uint8_t)(key->party >> 8 * (3 - i));
    for (size_t i = 0; i < 8; i++)
        m.nonce[4 + i] = (uint8_t)(key->used >> 8 * (7 - i));
    TRY(aead_seal(&key->aead, &m, to, nonce + AEAD_NONCE));
    memcpy(nonce, m.nonce, AEAD_NONCE);
    return OK;
}

/* Fills the body behind the leaf, and then the leaf's hash of it. */
static Err seal_body(const SegmentRecord *record, uint8_t *body, size_t size)
{
    uint8_t *to = body + LEAF_BYTES;

    TRY(seal_text(record->key, body, record->payload, to));
    if (record->seen.len > 0) {
        to += record->payload.len + SEGMENT_SEALING;
        memcpy(to, record->seen_key->id, LEAF_ID);
        TRY(seal_text(record->seen_key, body, record->seen, to + LEAF_ID));
    }
    const Hash hash = hash_of((Bytes){ body + LEAF_BYTES, size - LEAF_BYTES });
    memcpy(body + LEAF_PAYLOAD_HASH_AT, hash.bytes, HASH_BYTES);
    return OK;
}

static void put_u32(uint8_t *to, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> 8 * (3 - i));
}

/* The frame is built in place: `frame` has `size` bytes. */
static Err build_frame(const SegmentRecord *record, uint8_t *frame, size_t size, Hash *ret_hash)
{
    uint8_t *body = frame + FRAME_OPENING;
    const size_t body_bytes = size - SEGMENT_FRAME_OVERHEAD;

    leaf_encode(&record->leaf, body);
    if (record->payload.len > 0)
        TRY(seal_body(record, body, body_bytes));
    *ret_hash = leaf_hash((Bytes){ body, LEAF_BYTES });
    put_u32(frame, (uint32_t)body_bytes);
    put_u32(frame + 4, crc32c((Bytes){ body, body_bytes }));
    memcpy(body + body_bytes, COMMIT_MARKER, sizeof COMMIT_MARKER);
    return OK;
}

Err segment_append(SegmentWriter *w, SegmentRecord *record, Buf *out)
{
    const size_t size = segment_frame_size(record);
    uint8_t *frame;
    size_t room;
    Hash hash;

    assert(record->payload.len == 0 || record->key != NULL);
    assert(record->seen.len == 0 || (record->seen_key != NULL && record->payload.len > 0));
    if (record->payload.len > SEGMENT_PAYLOAD_MAX || record->seen.len > SEGMENT_PAYLOAD_MAX ||
        (record->chain != NULL && record->chain->seq == UINT32_MAX))
        return ERR_LIMIT;
    TRY(buf_room(out, size, &frame, &room));
    complete_leaf(w, record);
    TRY(build_frame(record, frame, size, &hash));
    buf_filled(out, size);

    w->next_seq++;
    w->length += size;
    w->count++;
    w->last = hash;
    if (record->chain != NULL) {
        record->chain->seq++;
        record->chain->last = hash;
    }
    return OK;
}

Seal segment_seal(const SegmentWriter *w)
{
    Seal seal = { .segment = w->segment, .length = w->length, .count = w->count, .last = w->last };

    memcpy(seal.writer, w->writer, LEAF_ID);
    return seal;
}

void seal_encode(const Seal *seal, uint8_t ret[SEAL_BYTES])
{
    const uint64_t numbers[] = { seal->length, seal->count };

    memcpy(ret, SEAL_MAGIC, sizeof SEAL_MAGIC);
    put_u32(ret + 4, SEGMENT_VERSION);
    put_u32(ret + 8, (uint32_t)(seal->segment >> 32));
    put_u32(ret + 12, (uint32_t)seal->segment);
    memcpy(ret + 16, seal->writer, LEAF_ID);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        put_u32(ret + 32 + 8 * i, (uint32_t)(numbers[i] >> 32));
        put_u32(ret + 36 + 8 * i, (uint32_t)numbers[i]);
    }
    memcpy(ret + 48, seal->last.bytes, HASH_BYTES);
}
