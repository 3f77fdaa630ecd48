#include "journal/checkpoint.h"

#include "base/encode.h"
#include "base/reader.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define DASH "\xe2\x80\x94 " /* U+2014, space */

/* base64 of exactly `len` bytes, at most 128. */
static Err decode_exact(Bytes base64, uint8_t *ret, size_t len)
{
    CLEANUP(buf_done) Buf raw = { 0 };

    if (base64.len != (len + 2) / 3 * 4)
        return ERR_MALFORMED;
    buf_init(&raw, len + 3);
    TRY(base64_decode(base64, &raw));
    if (buf_len(&raw) != len)
        return ERR_MALFORMED;
    memcpy(ret, buf_view(&raw).ptr, len);
    return OK;
}

/* Up to the next newline, which must be there and is consumed. */
static Err take_line(Reader *r, Bytes *ret_line)
{
    Bytes newline;

    TRY(reader_bytes(r, text_find(r->rest, LIT("\n")), ret_line));
    return reader_bytes(r, 1, &newline);
}

/* signed-note: non-empty, no Unicode spaces, no plus. Of spaces, we look for the ASCII ones and
 * refuse all other control characters too. */
static bool is_name(Bytes name)
{
    if (name.len == 0 || name.len > NOTE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= ' ' || name.ptr[i] == '+' || name.ptr[i] == 0x7f)
            return false;
    }
    return utf8_valid(name);
}

/* --- keys ---------------------------------------------------------------------------- */

NoteKey note_key_of(Bytes name, NoteAlgorithm algorithm, const uint8_t public_key[SIGN_PUBLIC])
{
    NoteKey k = { .name = name, .algorithm = algorithm };

    memcpy(k.public_key, public_key, SIGN_PUBLIC);
    note_key_id(name, algorithm, public_key, k.id);
    return k;
}

Err note_key_write(const NoteKey *k, Buf *out)
{
    const size_t before = buf_len(out);
    uint8_t raw[1 + SIGN_PUBLIC];

    raw[0] = (uint8_t)k->algorithm;
    memcpy(raw + 1, k->public_key, SIGN_PUBLIC);
    Err err = text_format(out, "%.*s+%02x%02x%02x%02x+", SHOW(k->name), k->id[0], k->id[1],
                          k->id[2], k->id[3]);
    if (err == OK)
        err = base64_encode(VIEW(raw), out);
    if (err != OK)
        buf_truncate(out, before);
    return err;
}

Err note_key_parse(Bytes text, NoteKey *ret)
{
    CLEANUP(buf_done) Buf again = { 0 };
    uint8_t raw[1 + SIGN_PUBLIC];

    const size_t plus = text_find(text, LIT("+"));
    const Bytes name = bytes_upto(text, plus);
    const size_t key_at = plus + 1 + 2 * NOTE_KEY_ID + 1;
    if (!is_name(name) || text.len <= key_at)
        return ERR_MALFORMED;
    TRY(decode_exact(bytes_from(text, key_at), raw, sizeof raw));
    if (raw[0] != NOTE_ED25519 && raw[0] != NOTE_COSIGNATURE_V1)
        return ERR_MALFORMED;
    const NoteKey k = note_key_of(name, (NoteAlgorithm)raw[0], raw + 1);

    /* There is one way to write a key: this compares the id, its case and the separators. */
    buf_init(&again, 2 * NOTE_NAME_MAX);
    TRY(note_key_write(&k, &again));
    if (!text_eq(buf_view(&again), text))
        return ERR_MALFORMED;
    *ret = k;
    return OK;
}

/* --- writing ------------------------------------------------------------------------- */

static Err write_line(const NoteKey *k, Bytes signature, Buf *out)
{
    CLEANUP(buf_done) Buf raw = { 0 };

    buf_init(&raw, 128);
    TRY(buf_append(&raw, VIEW(k->id)));
    TRY(buf_append(&raw, signature));
    TRY(text_format(out, DASH "%.*s ", SHOW(k->name)));
    TRY(base64_encode(buf_view(&raw), out));
    return buf_byte(out, '\n');
}

static Err write_signed(Bytes origin, const MerkleHead *head, Bytes extension, const SignKey *key,
                        Buf *out)
{
    const size_t start = buf_len(out);
    uint8_t signature[SIGN_BYTES];

    TRY(text_format(out, "%.*s\n%" PRIu64 "\n", SHOW(origin), head->size));
    TRY(base64_encode(VIEW(head->root), out));
    TRY(buf_byte(out, '\n'));
    TRY(buf_append(out, extension));
    TRY(sign_message(key, bytes_from(buf_view(out), start), signature));
    TRY(buf_byte(out, '\n'));
    const NoteKey k = note_key_of(origin, NOTE_ED25519, key->public_key);
    return write_line(&k, VIEW(signature), out);
}

Err checkpoint_sign_extended(Bytes origin, const MerkleHead *head, Bytes extension,
                             const SignKey *key, Buf *out)
{
    const size_t before = buf_len(out);

    if (!is_name(origin))
        return ERR_MALFORMED;
    const Err err = write_signed(origin, head, extension, key, out);
    if (err != OK)
        buf_truncate(out, before);
    return err;
}

Err checkpoint_sign(Bytes origin, const MerkleHead *head, const SignKey *key, Buf *out)
{
    return checkpoint_sign_extended(origin, head, (Bytes){ 0 }, key, out);
}

/* What a witness signs: two lines of its own, then the checkpoint's text. */
static Err write_cosigned_text(Bytes text, uint64_t unix_seconds, Buf *out)
{
    TRY(text_format(out, "cosignature/v1\ntime %" PRIu64 "\n", unix_seconds));
    return buf_append(out, text);
}

Err checkpoint_cosign(const Checkpoint *c, Bytes name, const SignKey *key, uint64_t unix_seconds,
                      Buf *out)
{
    CLEANUP(buf_done) Buf message = { 0 };
    uint8_t signature[8 + SIGN_BYTES];
    const size_t before = buf_len(out);

    if (!is_name(name))
        return ERR_MALFORMED;
    buf_init(&message, CHECKPOINT_MAX + 64);
    TRY(write_cosigned_text(c->text, unix_seconds, &message));
    for (size_t i = 0; i < 8; i++)
        signature[i] = (uint8_t)(unix_seconds >> 8 * (7 - i));
    TRY(sign_message(key, buf_view(&message), signature + 8));
    const NoteKey k = note_key_of(name, NOTE_COSIGNATURE_V1, key->public_key);
    const Err err = write_line(&k, VIEW(signature), out);
    if (err != OK)
        buf_truncate(out, before);
    return err;
}

/* --- reading ------------------------------------------------------------------------- */

typedef struct SignatureLine {
    Bytes name, base64;
} SignatureLine;

static Err take_signature(Reader *r, SignatureLine *ret)
{
    Bytes line, part;

    TRY(take_line(r, &line));
    Reader parts = reader_of(line);
    TRY(reader_bytes(&parts, sizeof DASH - 1, &part));
    if (!text_eq(part, LIT(DASH)))
        return ERR_MALFORMED;
    TRY(reader_bytes(&parts, text_find(parts.rest, LIT(" ")), &ret->name));
    TRY(reader_bytes(&parts, 1, &part));
    ret->base64 = parts.rest;
    return is_name(ret->name) && ret->base64.len > 0 ? OK : ERR_MALFORMED;
}

static Err check_signatures(Bytes signatures)
{
    CLEANUP(buf_done) Buf raw = { 0 };
    Reader r = reader_of(signatures);
    SignatureLine line;
    size_t count = 0;

    buf_init(&raw, CHECKPOINT_MAX);
    for (; !reader_at_end(&r); count++) {
        TRY(take_signature(&r, &line));
        TRY(base64_decode(line.base64, &raw));
        if (buf_len(&raw) <= NOTE_KEY_ID || count == CHECKPOINT_SIGNATURES_MAX)
            return ERR_MALFORMED;
        buf_truncate(&raw, 0);
    }
    return count > 0 ? OK : ERR_MALFORMED;
}

static Err read_size(Bytes line, uint64_t *ret)
{
    if (line.len > 1 && line.ptr[0] == '0')
        return ERR_MALFORMED;
    return text_u64(line, UINT64_MAX, ret) == OK ? OK : ERR_MALFORMED;
}

/* Controls other than newline do not occur in a note: nothing hides on a terminal. */
static bool is_note_text(Bytes note)
{
    for (size_t i = 0; i < note.len; i++) {
        if ((note.ptr[i] < ' ' && note.ptr[i] != '\n') || note.ptr[i] == 0x7f)
            return false;
    }
    return utf8_valid(note);
}

Err checkpoint_parse(Bytes note, Checkpoint *ret)
{
    Checkpoint c = { 0 };
    Reader r = reader_of(note);
    Bytes size, root, line;

    if (note.len > CHECKPOINT_MAX)
        return ERR_LIMIT;
    if (!is_note_text(note))
        return ERR_MALFORMED;
    TRY(take_line(&r, &c.origin));
    TRY(take_line(&r, &size));
    TRY(take_line(&r, &root));
    if (!is_name(c.origin))
        return ERR_MALFORMED;
    TRY(read_size(size, &c.head.size));
    TRY(decode_exact(root, c.head.root.bytes, HASH_BYTES));
    const size_t extension_at = note.len - r.rest.len;
    do {
        c.text = bytes_upto(note, note.len - r.rest.len);
        TRY(take_line(&r, &line));
    } while (line.len > 0);
    c.extension = bytes_from(c.text, extension_at);
    c.signatures = r.rest;
    TRY(check_signatures(c.signatures));
    *ret = c;
    return OK;
}

static Err check_line(const Checkpoint *c, const NoteKey *key, Bytes blob, uint64_t *ret_seconds)
{
    CLEANUP(buf_done) Buf message = { 0 };
    Reader r = reader_of(blob);
    Bytes id, signature, text = c->text;

    *ret_seconds = 0;
    TRY(reader_bytes(&r, NOTE_KEY_ID, &id));
    if (key->algorithm == NOTE_COSIGNATURE_V1) {
        TRY(reader_u64(&r, ret_seconds));
        buf_init(&message, CHECKPOINT_MAX + 64);
        TRY(write_cosigned_text(c->text, *ret_seconds, &message));
        text = buf_view(&message);
    }
    TRY(reader_bytes(&r, SIGN_BYTES, &signature));
    if (!reader_at_end(&r))
        return ERR_MALFORMED;
    return sign_verify(key->public_key, text, signature.ptr);
}

Err checkpoint_trust(const Checkpoint *c, const NoteKey *key, CheckpointTrust *ret,
                     uint64_t *ret_unix_seconds)
{
    CLEANUP(buf_done) Buf blob = { 0 };
    Reader r = reader_of(c->signatures);
    SignatureLine line;
    uint64_t seconds = 0;

    buf_init(&blob, CHECKPOINT_MAX);
    while (!reader_at_end(&r)) {
        TRY(take_signature(&r, &line));
        buf_truncate(&blob, 0);
        TRY(base64_decode(line.base64, &blob));
        const Bytes id = bytes_upto(buf_view(&blob), NOTE_KEY_ID);
        if (!text_eq(line.name, key->name) || !text_eq(id, VIEW(key->id)))
            continue;
        const Err err = check_line(c, key, buf_view(&blob), &seconds);
        if (err == ERR_LIMIT)
            return err;
        *ret = err == OK ? CHECKPOINT_SIGNED : CHECKPOINT_FORGED;
        *ret_unix_seconds = err == OK ? seconds : 0;
        return OK;
    }
    *ret = CHECKPOINT_UNSIGNED;
    *ret_unix_seconds = 0;
    return OK;
}
