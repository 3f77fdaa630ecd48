#include "journal/segment.h"

#include "base/crc32c.h"
#include "base/reader.h"
#include "base/text.h"
#include "journal/segment_layout.h"

#include <string.h>

enum {
    BODY_MAX = LEAF_BYTES + LEAF_ID + 2 * (SEGMENT_PAYLOAD_MAX + SEGMENT_SEALING),
    /* A torn tail is one turn's records. Whoever fills it with more look-alikes is not a crash,
     * and must not make us compute a CRC for each. */
    LOOKALIKES_MAX = 64,
};

static bool is_zero(Bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        if (b.ptr[i] != 0)
            return false;
    }
    return true;
}

static Err read_into(Reader *r, uint8_t *ret, size_t len)
{
    Bytes b;

    TRY(reader_bytes(r, len, &b));
    memcpy(ret, b.ptr, len);
    return OK;
}

static Err read_header(Bytes header, SegmentHeader *ret)
{
    SegmentHeader h = { 0 };
    Reader r = reader_of(header);
    Bytes magic, reserved;
    uint32_t version, crc;

    TRY(reader_bytes(&r, sizeof SEGMENT_MAGIC, &magic));
    TRY(reader_u32(&r, &version));
    TRY(reader_u64(&r, &h.segment));
    TRY(read_into(&r, h.writer, LEAF_ID));
    TRY(reader_u64(&r, &h.created_unix_ns));
    TRY(reader_u64(&r, &h.first_seq));
    TRY(read_into(&r, h.prev.bytes, HASH_BYTES));
    TRY(reader_bytes(&r, 12, &reserved));
    TRY(reader_u32(&r, &crc));
    if (!text_eq(magic, VIEW(SEGMENT_MAGIC)) || version != SEGMENT_VERSION || !is_zero(reserved))
        return ERR_MALFORMED;
    if (crc != crc32c(bytes_upto(header, SEGMENT_HEADER - 4)) || h.first_seq == 0)
        return ERR_MALFORMED;
    *ret = h;
    return OK;
}

Err segment_reader_init(SegmentReader *r, Bytes segment)
{
    SegmentHeader header;

    if (segment.len < SEGMENT_HEADER || is_zero(segment))
        return ERR_MORE;
    TRY(read_header(bytes_upto(segment, SEGMENT_HEADER), &header));
    *r = (SegmentReader){ .segment = segment, .at = SEGMENT_HEADER, .header = header };
    return OK;
}

/* What is wrong with the frame at the start of `rest`; SEGMENT_SOUND sets *ret_body. */
static SegmentFault look_at_frame(Bytes rest, Bytes *ret_body)
{
    Reader r = reader_of(rest);
    uint32_t length, crc;
    Bytes marker;

    if (reader_u32(&r, &length) != OK || reader_u32(&r, &crc) != OK || length < LEAF_BYTES ||
        length > BODY_MAX || reader_bytes(&r, length, ret_body) != OK)
        return SEGMENT_BAD_LENGTH;
    if (reader_bytes(&r, sizeof COMMIT_MARKER, &marker) != OK ||
        !text_eq(marker, VIEW(COMMIT_MARKER)))
        return SEGMENT_BAD_MARKER;
    return crc32c(*ret_body) == crc ? SEGMENT_SOUND : SEGMENT_BAD_CRC;
}

static Err read_part(Reader *r, size_t length, SegmentPart *ret)
{
    if (length == 0 || length > SEGMENT_PAYLOAD_MAX)
        return ERR_MALFORMED;
    TRY(reader_bytes(r, length, &ret->ciphertext));
    TRY(reader_bytes(r, AEAD_NONCE, &ret->nonce));
    return reader_bytes(r, AEAD_TAG, &ret->tag);
}

/* The leaf says how long the payload is, and the frame how long the rest: to the byte. */
static Err read_sealed(SegmentFrame *f)
{
    Reader r = reader_of(f->sealed);

    if (f->leaf.payload_bytes > 0) {
        TRY(read_part(&r, f->leaf.payload_bytes, &f->payload));
        f->payload.key_id = bytes_upto(bytes_from(f->leaf_bytes, LEAF_KEY_ID_AT), LEAF_ID);
    }
    if ((f->leaf.flags & LEAF_FLAG_SEEN) != 0) {
        TRY(reader_bytes(&r, LEAF_ID, &f->seen.key_id));
        if (r.rest.len <= SEGMENT_SEALING)
            return ERR_MALFORMED;
        TRY(read_part(&r, r.rest.len - SEGMENT_SEALING, &f->seen));
    }
    return reader_at_end(&r) ? OK : ERR_MALFORMED;
}

static SegmentFault read_body(Bytes body, SegmentFrame *f)
{
    f->leaf_bytes = bytes_upto(body, LEAF_BYTES);
    f->sealed = bytes_from(body, LEAF_BYTES);
    if (leaf_decode(f->leaf_bytes, &f->leaf) != OK || read_sealed(f) != OK)
        return SEGMENT_BAD_LEAF;
    f->hash = leaf_hash(f->leaf_bytes);
    return SEGMENT_SOUND;
}

/* Offset of the next intact frame behind `at`, or the segment's length. A leaf's magic and
 * version stand behind each frame's opening, so that is what to look for. */
static size_t find_next_frame(Bytes segment, size_t at, size_t *ret_lookalikes)
{
    const Bytes opening = LIT("CHPL\x01");
    size_t lookalikes = 0;
    Bytes body;

    at += FRAME_OPENING + 1; /* at least one byte on */
    while (at < segment.len && lookalikes < LOOKALIKES_MAX) {
        at += text_find(bytes_from(segment, at), opening);
        if (at >= segment.len)
            break;
        const SegmentFault fault = look_at_frame(bytes_from(segment, at - FRAME_OPENING), &body);
        if (fault == SEGMENT_SOUND) {
            *ret_lookalikes = lookalikes;
            return at - FRAME_OPENING;
        }
        if (fault == SEGMENT_BAD_CRC)
            lookalikes++;
        at++;
    }
    *ret_lookalikes = lookalikes;
    return segment.len;
}

/* The frame at r->at is not sound. Torn, if nothing committed can follow: no commit marker where
 * this frame ends, and no intact frame further on. */
static SegmentStep explain(SegmentReader *r, SegmentFault fault)
{
    size_t lookalikes;
    const size_t next = find_next_frame(r->segment, r->at, &lookalikes);
    const bool committed = fault == SEGMENT_BAD_CRC || fault == SEGMENT_BAD_LEAF;

    r->fault = fault;
    if (next == r->segment.len && !committed && lookalikes < LOOKALIKES_MAX)
        return SEGMENT_TORN;
    r->broken_at = r->at;
    r->at = next;
    return SEGMENT_BROKEN;
}

SegmentStep segment_next(SegmentReader *r, SegmentFrame *ret_frame)
{
    SegmentFrame f = { .offset = r->at };
    const Bytes rest = bytes_from(r->segment, r->at);
    Bytes body;

    if (rest.len == 0)
        return SEGMENT_END;
    SegmentFault fault = look_at_frame(rest, &body);
    if (fault == SEGMENT_SOUND)
        fault = read_body(body, &f);
    if (fault != SEGMENT_SOUND)
        return explain(r, fault);

    r->at += SEGMENT_FRAME_OVERHEAD + body.len;
    *ret_frame = f;
    return SEGMENT_RECORD;
}

bool segment_payload_holds(const SegmentFrame *f)
{
    if (f->sealed.len == 0)
        return true;
    const Hash hash = hash_of(f->sealed);
    return hash_eq(&hash, &f->leaf.payload_hash);
}

static bool is_next_of(const Seal *seal, const SegmentHeader *header, const SegmentFrame *f)
{
    return f->leaf.segment == seal->segment && f->leaf.offset == f->offset &&
           f->leaf.seq == header->first_seq + seal->count &&
           memcmp(f->leaf.writer, seal->writer, LEAF_ID) == 0 && segment_payload_holds(f);
}

void segment_survey_init(SegmentSurvey *s, Bytes segment)
{
    *s = (SegmentSurvey){ .begun = SEGMENT_RECORD };
    const Err err = segment_reader_init(&s->reader, segment);
    if (err != OK) {
        s->begun = err == ERR_MORE ? SEGMENT_TORN : SEGMENT_BROKEN;
        return;
    }
    const SegmentHeader *header = &s->reader.header;
    s->seal = (Seal){ .segment = header->segment, .length = SEGMENT_HEADER, .last = header->prev };
    memcpy(s->seal.writer, header->writer, LEAF_ID);
}

SegmentStep segment_survey_next(SegmentSurvey *s, SegmentFrame *ret_frame)
{
    if (s->begun != SEGMENT_RECORD)
        return s->begun;
    const SegmentStep step = segment_next(&s->reader, ret_frame);
    if (step != SEGMENT_RECORD)
        return step;
    if (!is_next_of(&s->seal, &s->reader.header, ret_frame))
        return SEGMENT_BROKEN;
    s->seal.length = s->reader.at;
    s->seal.count++;
    s->seal.last = ret_frame->hash;
    return SEGMENT_RECORD;
}

Err segment_open(const SegmentFrame *f, const SegmentPart *part, JournalKey *key, Buf *out)
{
    uint8_t aad[LEAF_BYTES];
    AeadMessage m = { .aad = VIEW(aad), .text = part->ciphertext };
    uint8_t *room;
    size_t size;

    if (part->ciphertext.len == 0)
        return OK;
    if (!text_eq(part->key_id, VIEW(key->id)))
        return ERR_REFUSED;
    if (!segment_payload_holds(f))
        return ERR_MALFORMED;
    memcpy(aad, f->leaf_bytes.ptr, LEAF_BYTES);
    memset(aad + LEAF_PAYLOAD_HASH_AT, 0, HASH_BYTES);
    memcpy(m.nonce, part->nonce.ptr, AEAD_NONCE);
    TRY(buf_room(out, part->ciphertext.len, &room, &size));
    TRY(aead_open(&key->aead, &m, part->tag.ptr, room));
    buf_filled(out, part->ciphertext.len);
    return OK;
}

Err seal_decode(Bytes bytes, Seal *ret)
{
    Seal s = { 0 };
    Reader r = reader_of(bytes);
    Bytes magic;
    uint32_t version;

    TRY(reader_bytes(&r, sizeof SEAL_MAGIC, &magic));
    TRY(reader_u32(&r, &version));
    TRY(reader_u64(&r, &s.segment));
    TRY(read_into(&r, s.writer, LEAF_ID));
    TRY(reader_u64(&r, &s.length));
    TRY(reader_u64(&r, &s.count));
    TRY(read_into(&r, s.last.bytes, HASH_BYTES));
    if (!reader_at_end(&r) || !text_eq(magic, VIEW(SEAL_MAGIC)) || version != SEGMENT_VERSION)
        return ERR_MALFORMED;
    *ret = s;
    return OK;
}
