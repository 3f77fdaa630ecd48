/* The layout of chaperone-journal(5), offset by offset, and strictness in both directions. */
#include "base/text.h"
#include "journal/leaf.h"
#include "test.h"

#include <string.h>

static Leaf full_leaf(void)
{
    Leaf l = {
        .type = LEAF_COMMAND,
        .flags = LEAF_FLAG_CONTENT,
        .seq = 0x0102030405060708,
        .time_unix_ns = 0x1112131415161718,
        .mono_ns = 0x2122232425262728,
        .session_seq = 0x31323334,
        .protocol = 0x41,
        .effects = 0x5152,
        .ruling = 0x61,
        .payload_bytes = 0x71727374,
        .segment = 0x8182838485868788,
        .offset = 0x9192939495969798,
    };

    memset(l.writer, 0xa0, LEAF_ID);
    memset(l.session_id, 0xa1, LEAF_ID);
    memset(&l.session_prev, 0xa2, HASH_BYTES);
    memset(&l.actor_commit, 0xa3, HASH_BYTES);
    memset(&l.target_commit, 0xa4, HASH_BYTES);
    memset(&l.policy_hash, 0xa5, HASH_BYTES);
    memset(&l.approval_leaf, 0xa6, HASH_BYTES);
    memset(l.key_id, 0xa7, LEAF_ID);
    memset(&l.payload_hash, 0xa8, HASH_BYTES);
    return l;
}

static void fields_lie_where_the_page_says(void)
{
    static const struct {
        size_t at, len;
        uint8_t first;
    } FIELDS[] = {
        { 0, 4, 'C' },     { 4, 1, 1 },       { 5, 1, 3 },      { 6, 2, 0 },
        { 8, 8, 0x01 },    { 16, 8, 0x11 },   { 24, 8, 0x21 },  { 32, 16, 0xa0 },
        { 48, 16, 0xa1 },  { 64, 4, 0x31 },   { 68, 32, 0xa2 }, { 100, 32, 0xa3 },
        { 132, 32, 0xa4 }, { 164, 1, 0x41 },  { 165, 2, 0x51 }, { 167, 1, 0x61 },
        { 168, 32, 0xa5 }, { 200, 32, 0xa6 }, { 232, 4, 0x71 }, { 236, 16, 0xa7 },
        { 252, 32, 0xa8 }, { 284, 8, 0x81 },  { 292, 8, 0x91 },
    };
    const Leaf l = full_leaf();
    uint8_t raw[LEAF_BYTES];
    size_t at = 0;

    leaf_encode(&l, raw);
    for (size_t i = 0; i < COUNT_OF(FIELDS); i++) {
        EXPECT(FIELDS[i].at == at && raw[at] == FIELDS[i].first);
        at += FIELDS[i].len;
    }
    EXPECT(at == LEAF_BYTES && raw[7] == LEAF_FLAG_CONTENT && raw[15] == 0x08);
    EXPECT(raw[LEAF_PAYLOAD_HASH_AT] == 0xa8 && raw[LEAF_PAYLOAD_HASH_AT - 1] == 0xa7);
}

/* Whatever bit is flipped: refused, or read as another leaf that encodes to just these bytes. */
static void decoding_is_the_exact_inverse(void)
{
    const Leaf l = full_leaf();
    uint8_t raw[LEAF_BYTES], again[LEAF_BYTES];
    Leaf back;

    leaf_encode(&l, raw);
    EXPECT(leaf_decode(VIEW(raw), &back) == OK);
    for (size_t bit = 0; bit < LEAF_BYTES * 8; bit++) {
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const Err err = leaf_decode(VIEW(raw), &back);
        EXPECT(err == OK || err == ERR_MALFORMED);
        EXPECT(bit / 8 >= 5 || err == ERR_MALFORMED);
        if (err == OK) {
            leaf_encode(&back, again);
            EXPECT(memcmp(raw, again, LEAF_BYTES) == 0);
        }
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < LEAF_BYTES; len++)
        EXPECT(leaf_decode(bytes_upto(VIEW(raw), len), &back) == ERR_MALFORMED);
    uint8_t longer[LEAF_BYTES + 1] = { 0 };
    memcpy(longer, raw, LEAF_BYTES);
    EXPECT(leaf_decode(VIEW(longer), &back) == ERR_MALFORMED);
}

static Err decode_of(const Leaf *l)
{
    uint8_t raw[LEAF_BYTES];
    Leaf back;

    leaf_encode(l, raw);
    return leaf_decode(VIEW(raw), &back);
}

static void impossible_leaves_are_refused(void)
{
    Leaf l = full_leaf();

    l.seq = 0;
    EXPECT(decode_of(&l) == ERR_MALFORMED);
    l = full_leaf();
    l.flags = 4;
    EXPECT(decode_of(&l) == ERR_MALFORMED);
    l = full_leaf();
    l.session_seq = 1;
    EXPECT(decode_of(&l) == ERR_MALFORMED);
    l = full_leaf();
    l.payload_bytes = 0;
    EXPECT(decode_of(&l) == ERR_MALFORMED);
    l.flags = 0;
    memset(l.key_id, 0, LEAF_ID);
    EXPECT(decode_of(&l) == ERR_MALFORMED);
    memset(&l.payload_hash, 0, HASH_BYTES);
    EXPECT(decode_of(&l) == OK);
    l.type = (LeafType)22;
    EXPECT(decode_of(&l) == ERR_MALFORMED);
    l.type = (LeafType)0;
    EXPECT(decode_of(&l) == ERR_MALFORMED);
}

static void types_have_their_names(void)
{
    EXPECT(text_eq(leaf_type_name(1), LIT("session.start")));
    EXPECT(text_eq(leaf_type_name(9), LIT("session.end")));
    EXPECT(text_eq(leaf_type_name(20), LIT("checkpoint.anchor")));
    EXPECT(text_eq(leaf_type_name(21), LIT("command.data")));
    EXPECT(leaf_type_name(0).len == 0 && leaf_type_name(22).len == 0 &&
           leaf_type_name(255).len == 0);
}

static void a_commitment_hides_behind_its_salt(void)
{
    HmacKey one, other;

    hmac_key_init(&one, LIT("salt one"));
    hmac_key_init(&other, LIT("salt two"));
    const Hash a = leaf_commit(&one, LIT("123-45-6789"));
    const Hash b = leaf_commit(&one, LIT("123-45-6789"));
    const Hash c = leaf_commit(&other, LIT("123-45-6789"));
    const Hash bare = hash_of(LIT("123-45-6789"));
    EXPECT(hash_eq(&a, &b) && !hash_eq(&a, &c) && !hash_eq(&a, &bare));
    hmac_key_done(&one);
    hmac_key_done(&other);
}

int main(void)
{
    TEST(fields_lie_where_the_page_says);
    TEST(decoding_is_the_exact_inverse);
    TEST(impossible_leaves_are_refused);
    TEST(types_have_their_names);
    TEST(a_commitment_hides_behind_its_salt);
    return 0;
}
