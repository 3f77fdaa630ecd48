#include "journal/merkle.h"

#include <string.h>

Hash merkle_node(const Hash *left, const Hash *right)
{
    Hasher h;

    hash_begin(&h);
    hash_add(&h, LIT("\x01"));
    hash_add(&h, VIEW(*left));
    hash_add(&h, VIEW(*right));
    return hash_end(&h);
}

void merkle_append(MerkleRange *r, const Hash *leaf)
{
    Hash grown = *leaf;
    size_t level = 0;

    for (; (r->size >> level & 1) != 0; level++)
        grown = merkle_node(&r->peaks[level], &grown);
    r->peaks[level] = grown;
    r->size++;
}

Hash merkle_root(const MerkleRange *r)
{
    Hash root;
    bool begun = false;

    if (r->size == 0)
        return hash_of((Bytes){ 0 });
    for (size_t level = 0; level < MERKLE_DEPTH; level++) {
        if ((r->size >> level & 1) == 0)
            continue;
        root = begun ? merkle_node(&r->peaks[level], &root) : r->peaks[level];
        begun = true;
    }
    return root;
}

/* --- making proofs ------------------------------------------------------------------ */

static Hash root_of(const Hash *leaves, size_t from, size_t to)
{
    MerkleRange r = { 0 };

    for (size_t i = from; i < to; i++)
        merkle_append(&r, &leaves[i]);
    return merkle_root(&r);
}

/* The largest power of two below n; n >= 2. */
static size_t split(size_t n)
{
    size_t k = 1;

    while (k < n - k)
        k *= 2;
    return k;
}

/* Walked from the root down, wanted from the leaf up. */
static void reverse(MerkleProof *p)
{
    for (size_t i = 0, j = p->count; i + 1 < j; i++) {
        const Hash swapped = p->nodes[i];
        p->nodes[i] = p->nodes[--j];
        p->nodes[j] = swapped;
    }
}

/* PATH(m, D[n]) of RFC 9162 §2.1.3.1, without its recursion. */
Err merkle_inclusion(const Hash *leaves, size_t count, size_t index, MerkleProof *ret)
{
    size_t from = 0, to = count;

    if (index >= count)
        return ERR_REFUSED;
    ret->count = 0;
    while (to - from > 1) {
        const size_t middle = from + split(to - from);
        if (index < middle) {
            ret->nodes[ret->count++] = root_of(leaves, middle, to);
            to = middle;
        } else {
            ret->nodes[ret->count++] = root_of(leaves, from, middle);
            from = middle;
        }
    }
    reverse(ret);
    return OK;
}

/* SUBPROOF(m, D[n], true) of RFC 9162 §2.1.4.1, without its recursion. */
Err merkle_consistency(const Hash *leaves, size_t count, size_t older, MerkleProof *ret)
{
    size_t from = 0, to = count;

    if (older == 0 || older > count)
        return ERR_REFUSED;
    ret->count = 0;
    while (to != older) {
        const size_t middle = from + split(to - from);
        if (older <= middle) {
            ret->nodes[ret->count++] = root_of(leaves, middle, to);
            to = middle;
        } else {
            ret->nodes[ret->count++] = root_of(leaves, from, middle);
            from = middle;
        }
    }
    if (from > 0) /* the verifier knows the older tree's root only when it is a whole left part */
        ret->nodes[ret->count++] = root_of(leaves, from, to);
    reverse(ret);
    return OK;
}

/* --- verifying them ----------------------------------------------------------------- */

/* RFC 9162 §2.1.3.2 */
bool merkle_includes(const MerkleHead *head, uint64_t index, const Hash *leaf,
                     const MerkleProof *proof)
{
    if (index >= head->size || proof->count > MERKLE_DEPTH)
        return false;

    uint64_t fn = index, sn = head->size - 1;
    Hash r = *leaf;
    for (size_t i = 0; i < proof->count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) != 0 || fn == sn) {
            r = merkle_node(&proof->nodes[i], &r);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            r = merkle_node(&r, &proof->nodes[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && hash_eq(&r, &head->root);
}

/* Steps 5 to 7 of RFC 9162 §2.1.4.2: both roots, folded along one path. `at` is the first node. */
static bool fold_both(const MerkleHead *older, const MerkleHead *newer, const MerkleProof *proof)
{
    uint64_t fn = older->size - 1, sn = newer->size - 1;
    size_t at = 0;

    while ((fn & 1) != 0) {
        fn >>= 1;
        sn >>= 1;
    }
    /* An older tree of 2^k leaves is a node of the newer one: its root opens the path. */
    const bool whole = (older->size & (older->size - 1)) == 0;
    Hash fr = whole ? older->root : proof->nodes[at++];
    Hash sr = fr;
    for (; at < proof->count; at++) {
        const Hash *c = &proof->nodes[at];
        if (sn == 0)
            return false;
        if ((fn & 1) != 0 || fn == sn) {
            fr = merkle_node(c, &fr);
            sr = merkle_node(c, &sr);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sr = merkle_node(&sr, c);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && hash_eq(&fr, &older->root) && hash_eq(&sr, &newer->root);
}

bool merkle_extends(const MerkleHead *older, const MerkleHead *newer, const MerkleProof *proof)
{
    if (older->size == 0 || older->size > newer->size || proof->count > COUNT_OF(proof->nodes))
        return false;
    if (older->size == newer->size)
        return proof->count == 0 && hash_eq(&older->root, &newer->root);
    return proof->count > 0 && fold_both(older, newer, proof);
}
