#include "journal/leaf.h"

#include "base/reader.h"
#include "base/text.h"

#include <string.h>

static const uint8_t MAGIC[4] = { 'C', 'H', 'P', 'L' };

Bytes leaf_type_name(unsigned type)
{
    static const Bytes NAMES[] = {
#define LEAF_NAME(name, number, text) [number] = LIT_INIT(text),
        LEAF_TYPES(LEAF_NAME)
#undef LEAF_NAME
    };

    return type < COUNT_OF(NAMES) ? NAMES[type] : (Bytes){ 0 };
}

/* --- encode: a pen over exactly LEAF_BYTES --------------------------------------- */

typedef struct Pen {
    uint8_t *to;
    size_t at;
} Pen;

static void put(Pen *p, const uint8_t *bytes, size_t len)
{
    memcpy(p->to + p->at, bytes, len);
    p->at += len;
}

static void put_int(Pen *p, uint64_t v, size_t width)
{
    for (size_t i = 0; i < width; i++)
        p->to[p->at + i] = (uint8_t)(v >> 8 * (width - 1 - i));
    p->at += width;
}

void leaf_encode(const Leaf *leaf, uint8_t ret[LEAF_BYTES])
{
    Pen p = { ret, 0 };

    put(&p, MAGIC, sizeof MAGIC);
    put_int(&p, LEAF_VERSION, 1);
    put_int(&p, leaf->type, 1);
    put_int(&p, leaf->flags, 2);
    put_int(&p, leaf->seq, 8);
    put_int(&p, leaf->time_unix_ns, 8);
    put_int(&p, leaf->mono_ns, 8);
    put(&p, leaf->writer, LEAF_ID);
    put(&p, leaf->session_id, LEAF_ID);
    put_int(&p, leaf->session_seq, 4);
    put(&p, leaf->session_prev.bytes, HASH_BYTES);
    put(&p, leaf->actor_commit.bytes, HASH_BYTES);
    put(&p, leaf->target_commit.bytes, HASH_BYTES);
    put_int(&p, leaf->protocol, 1);
    put_int(&p, leaf->effects, 2);
    put_int(&p, leaf->ruling, 1);
    put(&p, leaf->policy_hash.bytes, HASH_BYTES);
    put(&p, leaf->approval_leaf.bytes, HASH_BYTES);
    put_int(&p, leaf->payload_bytes, 4);
    put(&p, leaf->key_id, LEAF_ID);
    put(&p, leaf->payload_hash.bytes, HASH_BYTES);
    put_int(&p, leaf->segment, 8);
    put_int(&p, leaf->offset, 8);
    assert(p.at == LEAF_BYTES);
}

/* --- decode ------------------------------------------------------------------------ */

static Err read_fixed(Reader *r, uint8_t *ret, size_t len)
{
    Bytes b;

    TRY(reader_bytes(r, len, &b));
    memcpy(ret, b.ptr, len);
    return OK;
}

static Err read_hash(Reader *r, Hash *ret)
{
    return read_fixed(r, ret->bytes, HASH_BYTES);
}

static Err read_opening(Reader *r, Leaf *l)
{
    uint8_t magic[sizeof MAGIC], version, type;

    TRY(read_fixed(r, magic, sizeof magic));
    TRY(reader_u8(r, &version));
    TRY(reader_u8(r, &type));
    TRY(reader_u16(r, &l->flags));
    if (memcmp(magic, MAGIC, sizeof MAGIC) != 0 || version != LEAF_VERSION)
        return ERR_MALFORMED;
    if (leaf_type_name(type).len == 0 || (l->flags & ~LEAF_FLAGS_KNOWN) != 0)
        return ERR_MALFORMED;
    l->type = (LeafType)type;
    return OK;
}

static Err read_identity(Reader *r, Leaf *l)
{
    TRY(reader_u64(r, &l->seq));
    TRY(reader_u64(r, &l->time_unix_ns));
    TRY(reader_u64(r, &l->mono_ns));
    TRY(read_fixed(r, l->writer, LEAF_ID));
    TRY(read_fixed(r, l->session_id, LEAF_ID));
    TRY(reader_u32(r, &l->session_seq));
    return read_hash(r, &l->session_prev);
}

static Err read_judgement(Reader *r, Leaf *l)
{
    TRY(read_hash(r, &l->actor_commit));
    TRY(read_hash(r, &l->target_commit));
    TRY(reader_u8(r, &l->protocol));
    TRY(reader_u16(r, &l->effects));
    TRY(reader_u8(r, &l->ruling));
    TRY(read_hash(r, &l->policy_hash));
    return read_hash(r, &l->approval_leaf);
}

static Err read_payload(Reader *r, Leaf *l)
{
    TRY(reader_u32(r, &l->payload_bytes));
    TRY(read_fixed(r, l->key_id, LEAF_ID));
    TRY(read_hash(r, &l->payload_hash));
    TRY(reader_u64(r, &l->segment));
    return reader_u64(r, &l->offset);
}

static bool is_consistent(const Leaf *l)
{
    static const uint8_t NO_KEY[LEAF_ID] = { 0 };

    if (l->seq == 0)
        return false;
    if (l->payload_bytes == 0 && (memcmp(l->key_id, NO_KEY, LEAF_ID) != 0 ||
                                  !hash_is_zero(&l->payload_hash) || l->flags != 0))
        return false;
    if (l->session_seq <= 1 && !hash_is_zero(&l->session_prev))
        return false;
    return true;
}

Err leaf_decode(Bytes bytes, Leaf *ret)
{
    Leaf l = { 0 };
    Reader r = reader_of(bytes);

    TRY(read_opening(&r, &l));
    TRY(read_identity(&r, &l));
    TRY(read_judgement(&r, &l));
    TRY(read_payload(&r, &l));
    if (!reader_at_end(&r) || !is_consistent(&l))
        return ERR_MALFORMED;
    *ret = l;
    return OK;
}

Hash leaf_hash(Bytes leaf)
{
    Hasher h;

    hash_begin(&h);
    hash_add(&h, LIT("\x00"));
    hash_add(&h, leaf);
    return hash_end(&h);
}

Hash leaf_commit(const HmacKey *salt, Bytes value)
{
    return hmac_of(salt, value);
}
