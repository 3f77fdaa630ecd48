/* The ledger's tree: RFC 6962 §2.1 hashing, proofs as in RFC 9162 §2.1.3 and §2.1.4.
 *
 * A MerkleRange is the whole state of a growing log: one hash for each set bit of its size.
 * Proofs are verified without the tree; making one walks an array of leaf hashes, in O(n). */
#ifndef JOURNAL_MERKLE_H
#define JOURNAL_MERKLE_H

#include "crypto/hash.h"

enum { MERKLE_DEPTH = 64 };

typedef struct MerkleRange {
    uint64_t size;
    Hash peaks[MERKLE_DEPTH]; /* peaks[k] counts when bit k of size is set: 2^k leaves */
} MerkleRange;

typedef struct MerkleProof {
    size_t count;
    Hash nodes[MERKLE_DEPTH + 1];
} MerkleProof;

typedef struct MerkleHead {
    uint64_t size;
    Hash root;
} MerkleHead;

/* SHA-256(0x01 || left || right). A leaf's hash is leaf_hash(). */
Hash merkle_node(const Hash *left, const Hash *right);

void merkle_append(MerkleRange *r, const Hash *leaf); /* a zeroed range is the empty log */
Hash merkle_root(const MerkleRange *r);

/* ERR_REFUSED: no such leaf, or no such older tree, among `count` leaves. */
Err merkle_inclusion(const Hash *leaves, size_t count, size_t index, MerkleProof *ret) MUST_CHECK;
Err merkle_consistency(const Hash *leaves, size_t count, size_t older, MerkleProof *ret) MUST_CHECK;

bool merkle_includes(const MerkleHead *head, uint64_t index, const Hash *leaf,
                     const MerkleProof *proof);
/* The newer tree begins with the older one; `older->size` is at least 1. */
bool merkle_extends(const MerkleHead *older, const MerkleHead *newer, const MerkleProof *proof);

#endif
