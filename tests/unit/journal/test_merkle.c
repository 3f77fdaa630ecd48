/* Every shared RFC 6962 vector, then every tree up to 40 leaves, then what must not verify. */
#include "journal/leaf.h"
#include "journal/merkle.h"
#include "vectors.h"

enum { LEAVES = 40 };

static json_t *all;
static Hash leaves[LEAVES];

static const char *hex_at(const char *list, size_t i)
{
    return json_string_value(json_array_get(json_object_get(all, list), i));
}

static void hash_leaves(void)
{
    for (size_t i = 0; i < LEAVES; i++) {
        Buf raw;
        buf_init(&raw, 64);
        if (i < 8)
            EXPECT(hex_decode(text_of(hex_at("leaves_hex", i)), &raw) == OK);
        else
            EXPECT(text_format(&raw, "leaf %zu", i) == OK);
        leaves[i] = leaf_hash(buf_view(&raw));
        buf_done(&raw);
    }
}

static MerkleHead head_of(size_t size)
{
    MerkleRange range = { 0 };

    for (size_t i = 0; i < size; i++)
        merkle_append(&range, &leaves[i]);
    return (MerkleHead){ size, merkle_root(&range) };
}

static void roots_of_the_vectors(void)
{
    for (size_t size = 0; size <= 8; size++) {
        const Hash expected = hash_from_hex(hex_at("roots_hex", size));
        const MerkleHead head = head_of(size);
        EXPECT(hash_eq(&head.root, &expected));
    }
}

static MerkleProof proof_of(const json_t *vector)
{
    const json_t *nodes = json_object_get(vector, "proof");
    MerkleProof p = { .count = json_array_size(nodes) };

    for (size_t i = 0; i < p.count; i++)
        p.nodes[i] = hash_from_hex(json_string_value(json_array_get(nodes, i)));
    return p;
}

static bool same(const MerkleProof *a, const MerkleProof *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->nodes, b->nodes, a->count * sizeof(Hash)) == 0);
}

static size_t number(const json_t *vector, const char *name)
{
    return (size_t)json_integer_value(json_object_get(vector, name));
}

static void proofs_of_the_vectors(void)
{
    const json_t *inclusion = json_object_get(all, "inclusion");
    const json_t *consistency = json_object_get(all, "consistency");
    MerkleProof made;

    EXPECT(json_array_size(inclusion) == 36 && json_array_size(consistency) == 36);
    for (size_t i = 0; i < 36; i++) {
        const json_t *v = json_array_get(inclusion, i);
        const size_t index = number(v, "index"), size = number(v, "size");
        const MerkleProof given = proof_of(v);
        const MerkleHead head = head_of(size);
        EXPECT(merkle_inclusion(leaves, size, index, &made) == OK && same(&made, &given));
        EXPECT(merkle_includes(&head, index, &leaves[index], &given));
    }
    for (size_t i = 0; i < 36; i++) {
        const json_t *v = json_array_get(consistency, i);
        const MerkleHead old = head_of(number(v, "old")), new = head_of(number(v, "new"));
        const MerkleProof given = proof_of(v);
        EXPECT(merkle_consistency(leaves, (size_t) new.size, (size_t)old.size, &made) == OK);
        EXPECT(same(&made, &given) && merkle_extends(&old, &new, &given));
    }
}

/* A proof holds for its own leaf and place only, and for no altered node, count or root. */
static void inclusion_is_exact(void)
{
    MerkleProof p;

    for (size_t size = 1; size <= LEAVES; size++) {
        const MerkleHead head = head_of(size);
        for (size_t index = 0; index < size; index++) {
            EXPECT(merkle_inclusion(leaves, size, index, &p) == OK);
            for (size_t claim = 0; claim <= size; claim++)
                EXPECT(merkle_includes(&head, claim, &leaves[index], &p) == (claim == index));
            for (size_t n = 0; n < p.count; n++) {
                p.nodes[n].bytes[n % 32] ^= 1;
                EXPECT(!merkle_includes(&head, index, &leaves[index], &p));
                p.nodes[n].bytes[n % 32] ^= 1;
            }
            p.nodes[p.count++] = leaves[0];
            EXPECT(!merkle_includes(&head, index, &leaves[index], &p));
            if (p.count >= 2) {
                p.count -= 2;
                EXPECT(!merkle_includes(&head, index, &leaves[index], &p));
            }
        }
        EXPECT(merkle_inclusion(leaves, size, size, &p) == ERR_REFUSED);
    }
}

static void consistency_is_exact(void)
{
    MerkleProof p;

    for (size_t new = 1; new <= LEAVES; new ++) {
        MerkleHead newer = head_of(new);
        for (size_t old = 1; old <= new; old++) {
            MerkleHead older = head_of(old);
            EXPECT(merkle_consistency(leaves, new, old, &p) == OK);
            EXPECT(merkle_extends(&older, &newer, &p));
            older.root.bytes[5] ^= 1;
            EXPECT(!merkle_extends(&older, &newer, &p));
            older.root.bytes[5] ^= 1;
            newer.root.bytes[5] ^= 1;
            EXPECT(!merkle_extends(&older, &newer, &p));
            newer.root.bytes[5] ^= 1;
            for (size_t n = 0; n < p.count; n++) {
                p.nodes[n].bytes[n % 32] ^= 1;
                EXPECT(!merkle_extends(&older, &newer, &p));
                p.nodes[n].bytes[n % 32] ^= 1;
            }
            p.nodes[p.count++] = leaves[0];
            EXPECT(!merkle_extends(&older, &newer, &p));
            older.size = 0;
            EXPECT(!merkle_extends(&older, &newer, &p));
        }
    }
    EXPECT(merkle_consistency(leaves, 4, 0, &p) == ERR_REFUSED);
    EXPECT(merkle_consistency(leaves, 4, 5, &p) == ERR_REFUSED);
}

int main(void)
{
    all = vectors("tlog/rfc6962_vectors.json");
    hash_leaves();
    TEST(roots_of_the_vectors);
    TEST(proofs_of_the_vectors);
    TEST(inclusion_is_exact);
    TEST(consistency_is_exact);
    json_decref(all);
    return 0;
}
