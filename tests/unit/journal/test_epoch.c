/* The note by which an old key hands the ledger to a new one. */
#include "../test.h"

#include "base/text.h"
#include "journal/audit_verify.h"
#include "journal/epoch.h"

#include <string.h>

static void key_of(uint8_t fill, SignKey *ret)
{
    uint8_t seed[SIGN_SEED];

    memset(seed, fill, sizeof seed);
    EXPECT(sign_key_init(ret, seed) == OK);
}

/* From the key filled with `from` to the next. */
static void make_note(uint8_t from, uint64_t size, Buf *out)
{
    CLEANUP(buf_done) Buf key = { 0 };
    char old_name[] = "chaperone/a", new_name[] = "chaperone/a";
    const MerkleHead head = { .size = size };
    SignKey old_key, new_key;

    old_name[10] = (char)('a' + from);
    new_name[10] = (char)('b' + from);
    key_of(from, &old_key);
    key_of((uint8_t)(from + 1), &new_key);
    buf_init(&key, 1024);
    buf_init(out, CHECKPOINT_MAX);
    const NoteKey note = note_key_of(text_of(new_name), NOTE_ED25519, new_key.public_key);
    EXPECT(note_key_write(&note, &key) == OK);
    EXPECT(epoch_write(text_of(old_name), &head, &old_key, buf_view(&key), out) == OK);
    sign_key_done(&old_key);
    sign_key_done(&new_key);
}

static void a_note_is_read_as_written(void)
{
    CLEANUP(buf_done) Buf note = { 0 };
    Epoch e;

    make_note(1, 77, &note);
    EXPECT(epoch_read(buf_view(&note), &e) == OK);
    EXPECT(e.head.size == 77 && text_eq(e.old_key.name, LIT("chaperone/b")) &&
           text_eq(e.new_key.name, LIT("chaperone/c")));
}

static void every_bit_counts(void)
{
    CLEANUP(buf_done) Buf note = { 0 };
    uint8_t copy[2048];
    Epoch e;

    make_note(1, 77, &note);
    const Bytes good = buf_view(&note);
    EXPECT(good.len < sizeof copy);
    for (size_t bit = 0; bit < 8 * good.len; bit++) {
        memcpy(copy, good.ptr, good.len);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT(epoch_read((Bytes){ copy, good.len }, &e) != OK);
    }
    for (size_t len = 0; len < good.len; len++)
        EXPECT(epoch_read(bytes_upto(good, len), &e) != OK);
}

typedef struct Counted {
    unsigned integrity, completeness;
} Counted;

static void count(void *ctx, const AuditFinding *f)
{
    Counted *c = ctx;

    if (audit_kind_is_integrity(f->kind))
        c->integrity++;
    else
        c->completeness++;
}

/* What is found in a checkpoint of `size` by key `by`, when 1 → 2 → 3 and key `believed` is given.
 */
static Counted found_in(uint8_t believed, uint8_t by, uint64_t size, bool with_second)
{
    CLEANUP(buf_done) Buf first = { 0 };
    CLEANUP(buf_done) Buf second = { 0 };
    CLEANUP(buf_done) Buf note = { 0 };
    CLEANUP(audit_verify_done) AuditVerify v = { 0 };
    char name[] = "chaperone/a", by_name[] = "chaperone/a";
    const MerkleHead head = { .size = size };
    Counted counted = { 0 };
    SignKey key, signer;

    name[10] = (char)('a' + believed);
    by_name[10] = (char)('a' + by);
    key_of(believed, &key);
    key_of(by, &signer);
    make_note(1, 10, &first);
    make_note(2, 20, &second);
    const NoteKey trusted = note_key_of(text_of(name), NOTE_ED25519, key.public_key);
    EXPECT(audit_verify_init(&v, &trusted, count, &counted, 8 << 20) == OK);
    EXPECT(audit_verify_epoch(&v, buf_view(&first)) == OK);
    if (with_second)
        EXPECT(audit_verify_epoch(&v, buf_view(&second)) == OK);
    buf_init(&note, CHECKPOINT_MAX);
    EXPECT(checkpoint_sign(text_of(by_name), &head, &signer, &note) == OK);
    EXPECT(audit_verify_checkpoint(&v, buf_view(&note)) == OK);
    sign_key_done(&key);
    sign_key_done(&signer);
    return counted;
}

static void earlier_checkpoints_are_lost_not_forged(void)
{
    for (uint8_t believed = 1; believed <= 3; believed++) {
        EXPECT(found_in(believed, 1, 10, true).completeness == 0);
        EXPECT(found_in(believed, 1, 11, true).completeness == 1);
        EXPECT(found_in(believed, 1, 11, true).integrity == 0);
        EXPECT(found_in(believed, 2, 21, true).completeness == 1);
        EXPECT(found_in(believed, 3, 99, true).completeness == 0);
    }
    /* Another ledger's key, and epochs that do not lead to the key that is believed. */
    EXPECT(found_in(3, 7, 11, true).integrity == 1);
    EXPECT(found_in(7, 1, 11, true).integrity == 1);
    EXPECT(found_in(3, 1, 11, false).integrity == 1);
}

static void a_note_out_of_order_is_a_finding(void)
{
    CLEANUP(buf_done) Buf first = { 0 };
    CLEANUP(buf_done) Buf third = { 0 };
    CLEANUP(audit_verify_done) AuditVerify v = { 0 };
    Counted counted = { 0 };
    SignKey key;

    key_of(1, &key);
    make_note(1, 10, &first);
    make_note(3, 30, &third);
    const NoteKey trusted = note_key_of(LIT("chaperone/b"), NOTE_ED25519, key.public_key);
    EXPECT(audit_verify_init(&v, &trusted, count, &counted, 8 << 20) == OK);
    EXPECT(audit_verify_epoch(&v, buf_view(&first)) == OK && counted.integrity == 0);
    EXPECT(audit_verify_epoch(&v, buf_view(&third)) == OK && counted.integrity == 1);
    sign_key_done(&key);
}

int main(void)
{
    TEST(a_note_is_read_as_written);
    TEST(every_bit_counts);
    TEST(earlier_checkpoints_are_lost_not_forged);
    TEST(a_note_out_of_order_is_a_finding);
    return 0;
}
