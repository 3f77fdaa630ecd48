#include "journal/epoch.h"

#include "base/text.h"

Err epoch_write(Bytes old_origin, const MerkleHead *head, const SignKey *old_key, Bytes new_key,
                Buf *out)
{
    CLEANUP(buf_done) Buf lines = { 0 };
    const NoteKey old = note_key_of(old_origin, NOTE_ED25519, old_key->public_key);

    buf_init(&lines, 4 * NOTE_NAME_MAX);
    TRY(text_format(&lines, "epoch %.*s\nfrom ", SHOW(new_key)));
    TRY(note_key_write(&old, &lines));
    TRY(buf_byte(&lines, '\n'));
    return checkpoint_sign_extended(old_origin, head, buf_view(&lines), old_key, out);
}

static Err take_key(Bytes *lines, Bytes word, NoteKey *ret)
{
    const size_t end = text_find(*lines, LIT("\n"));
    const Bytes line = bytes_upto(*lines, end);

    if (end == lines->len || !text_starts(line, word))
        return ERR_MALFORMED;
    *lines = bytes_from(*lines, end + 1);
    TRY(note_key_parse(bytes_from(line, word.len), ret));
    return ret->algorithm == NOTE_ED25519 ? OK : ERR_MALFORMED;
}

Err epoch_read(Bytes note, Epoch *ret)
{
    CheckpointTrust trust;
    uint64_t seconds;
    Checkpoint c;

    *ret = (Epoch){ 0 };
    TRY(checkpoint_parse(note, &c));
    Bytes lines = c.extension;
    TRY(take_key(&lines, LIT("epoch "), &ret->new_key));
    TRY(take_key(&lines, LIT("from "), &ret->old_key));
    if (lines.len > 0 || !text_eq(ret->old_key.name, c.origin))
        return ERR_MALFORMED;
    TRY(checkpoint_trust(&c, &ret->old_key, &trust, &seconds));
    ret->head = c.head;
    return trust == CHECKPOINT_SIGNED ? OK : ERR_MALFORMED;
}
