/* A note or a key of any bytes: parsed views lie inside it, an accepted key has one spelling, and
 * nobody's signature is ever believed. */
#include "base/text.h"
#include "journal/checkpoint.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_note(Bytes in)
{
    static const uint8_t PUBLIC[SIGN_PUBLIC] = { 1 };
    const NoteKey keys[] = {
        note_key_of(LIT("o"), NOTE_ED25519, PUBLIC),
        note_key_of(LIT("w"), NOTE_COSIGNATURE_V1, PUBLIC),
    };
    CheckpointTrust trust;
    uint64_t seconds;
    Checkpoint c;

    if (checkpoint_parse(in, &c) != OK)
        return;
    if (c.text.len + 1 + c.signatures.len != in.len || c.text.ptr != in.ptr)
        abort();
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (checkpoint_trust(&c, &keys[i], &trust, &seconds) == OK && trust == CHECKPOINT_SIGNED)
            abort();
    }
}

static void parse_key(Bytes in)
{
    CLEANUP(buf_done) Buf again = { 0 };
    NoteKey key;

    buf_init(&again, 4096);
    if (note_key_parse(in, &key) != OK)
        return;
    if (note_key_write(&key, &again) != OK || !text_eq(buf_view(&again), in))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse_note((Bytes){ data, size });
    parse_key((Bytes){ data, size });
    return 0;
}
