/* Epochs of a ledger. A restore from a backup goes on with an older log; what the lost one signed
 * since is not here, and must not be contradicted under the same name. So the log goes on under
 * another origin and key, and the old key says so, in a checkpoint with two extension lines:
 *
 *     <old origin>\n<size>\n<root>\nepoch <new verifier key>\nfrom <old verifier key>\n
 *
 * The journal's folder keeps them as epoch-1, epoch-2, … A chain of them makes every key of the
 * ledger as good as any other of it: who trusts one can check them all. */
#ifndef JOURNAL_EPOCH_H
#define JOURNAL_EPOCH_H

#include "journal/checkpoint.h"

typedef struct Epoch {
    NoteKey old_key, new_key; /* views of the note */
    MerkleHead head;          /* how far the old epoch goes here */
} Epoch;

/* Appends the note; `new_key` is written by note_key_write(). */
Err epoch_write(Bytes old_origin, const MerkleHead *head, const SignKey *old_key, Bytes new_key,
                Buf *out) MUST_CHECK;
/* ERR_MALFORMED: not such a note, or not signed by the key that it names as the old one. */
Err epoch_read(Bytes note, Epoch *ret) MUST_CHECK;

#endif
