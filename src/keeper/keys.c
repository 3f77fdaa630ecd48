#include "keeper/keys.h"

#include "base/text.h"
#include "sys/entropy.h"
#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_MAX = 64 << 10, NAME_MAX_BYTES = 512 };

Err root_key_file(const char *path, uint8_t ret[ROOT_KEY_BYTES])
{
    CLEANUP(buf_done) Buf key = { 0 };
    uint8_t fresh[ROOT_KEY_BYTES];

    buf_init(&key, 4096);
    Err err = file_read_all(path, &key);
    if (err == ERR_IO && errno == ENOENT) {
        random_fill(fresh, sizeof fresh);
        err = file_replace(path, VIEW(fresh), 0600);
        if (err == OK)
            err = buf_append(&key, VIEW(fresh));
        explicit_bzero(fresh, sizeof fresh);
    }
    TRY(err);
    if (buf_len(&key) != ROOT_KEY_BYTES)
        return ERR_MALFORMED;
    memcpy(ret, buf_view(&key).ptr, ROOT_KEY_BYTES);
    return OK;
}

static void derive(const HmacKey *root, Bytes purpose, HmacKey *ret)
{
    Hash key = hkdf_key(root, purpose);

    hmac_key_init(ret, VIEW(key.bytes));
    explicit_bzero(&key, sizeof key);
}

Err keys_init(Keys *k, const uint8_t root[ROOT_KEY_BYTES])
{
    HmacKey from;

    *k = (Keys){ 0 };
    hmac_key_init(&from, (Bytes){ root, ROOT_KEY_BYTES });
    derive(&from, LIT("chaperone 1 fake salt"), &k->fake_salt);
    derive(&from, LIT("chaperone 1 fake verifier"), &k->fake_verifier);
    derive(&from, LIT("chaperone 1 record salt"), &k->record_salt);
    derive(&from, LIT("chaperone 1 token lookup"), &k->token_lookup);
    derive(&from, LIT("chaperone 1 pseudonym"), &k->pseudonym);
    Hash wrap = hkdf_key(&from, LIT("chaperone 1 wrap"));
    const Err err = aead_init(&k->wrap, wrap.bytes);
    explicit_bzero(&wrap, sizeof wrap);
    hmac_key_done(&from);
    return err;
}

void keys_done(Keys *k)
{
    hmac_key_done(&k->fake_salt);
    hmac_key_done(&k->fake_verifier);
    hmac_key_done(&k->record_salt);
    hmac_key_done(&k->token_lookup);
    hmac_key_done(&k->pseudonym);
    aead_done(&k->wrap);
}

Err keys_seal(Keys *k, Bytes name, Bytes plain, Buf *out)
{
    AeadMessage m = { .aad = name, .text = plain };
    const size_t before = buf_len(out);
    uint8_t *room;
    size_t size;

    /* Random nonces: far fewer than 2^32 messages in the life of a root key. */
    random_fill(m.nonce, sizeof m.nonce);
    TRY(buf_append(out, VIEW(m.nonce)));
    Err err = buf_room(out, plain.len + AEAD_TAG, &room, &size);
    if (err == OK)
        err = aead_seal(&k->wrap, &m, room, room + plain.len);
    if (err != OK) {
        buf_truncate(out, before);
        return err;
    }
    buf_filled(out, plain.len + AEAD_TAG);
    return OK;
}

Err keys_open(Keys *k, Bytes name, Bytes sealed, Buf *out)
{
    AeadMessage m = { .aad = name };
    uint8_t *room;
    size_t size;

    if (sealed.len < AEAD_NONCE + AEAD_TAG)
        return ERR_MALFORMED;
    memcpy(m.nonce, sealed.ptr, AEAD_NONCE);
    m.text = bytes_upto(bytes_from(sealed, AEAD_NONCE), sealed.len - AEAD_NONCE - AEAD_TAG);
    TRY(buf_room(out, m.text.len + 1, &room, &size));
    TRY(aead_open(&k->wrap, &m, sealed.ptr + sealed.len - AEAD_TAG, room));
    buf_filled(out, m.text.len);
    return OK;
}

static PackKey key_of(const Hash *h)
{
    PackKey key;

    memcpy(key.bytes, h->bytes, sizeof key.bytes);
    return key;
}

PackKey keys_record_salt(const Keys *k, const Id *session)
{
    const Hash salt = hmac_of(&k->record_salt, VIEW(session->bytes));

    return key_of(&salt);
}

PackKey keys_token_lookup(const Keys *k, Bytes token)
{
    const Hash lookup = hmac_of(&k->token_lookup, token);

    return key_of(&lookup);
}

/* Lengths first, so that no two pairs give the same message. */
static PackKey pseudonym_half(const Keys *k, Bytes resource, Bytes scope, uint8_t half)
{
    const uint8_t head[] = { half, PSEUDONYM_EPOCH, (uint8_t)(resource.len >> 8),
                             (uint8_t)resource.len };
    Hmac m;

    hmac_begin(&m, &k->pseudonym);
    hmac_add(&m, VIEW(head));
    hmac_add(&m, resource);
    hmac_add(&m, scope);
    const Hash key = hmac_end(&m);
    return key_of(&key);
}

void keys_pseudonym(const Keys *k, Bytes resource, Bytes scope, PackKey *ret_low, PackKey *ret_high)
{
    const Bytes of = scope.len > 0 ? scope : LIT("resource");

    *ret_low = pseudonym_half(k, resource, of, 1);
    *ret_high = pseudonym_half(k, resource, of, 2);
}

/* --- references --------------------------------------------------------------------------- */

static Err read_file(Bytes path, Buf *out)
{
    char name[4096];
    const size_t before = buf_len(out);

    if (path.len == 0 || path.len >= sizeof name)
        return ERR_REFUSED;
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    TRY(file_read_all(name, out));
    Bytes read = bytes_from(buf_view(out), before);
    while (read.len > 0 && (read.ptr[read.len - 1] == '\n' || read.ptr[read.len - 1] == '\r'))
        read.len--;
    buf_truncate(out, before + read.len);
    return OK;
}

static Err read_environment(Bytes variable, Buf *out)
{
    char name[NAME_MAX_BYTES];

    if (variable.len == 0 || variable.len >= sizeof name)
        return ERR_REFUSED;
    memcpy(name, variable.ptr, variable.len);
    name[variable.len] = '\0';
    const char *value = getenv(name);
    return value != NULL ? buf_append(out, text_of(value)) : ERR_IO;
}

Err secret_resolve(Bytes reference, Buf *out)
{
    static const Bytes FILE_PREFIX = LIT_INIT("file:"), ENV_PREFIX = LIT_INIT("env:");

    if (text_starts(reference, FILE_PREFIX))
        return read_file(bytes_from(reference, FILE_PREFIX.len), out);
    if (text_starts(reference, ENV_PREFIX))
        return read_environment(bytes_from(reference, ENV_PREFIX.len), out);
    return ERR_REFUSED;
}

/* --- the root ----------------------------------------------------------------------------- */

static Err root_by_reference(Bytes reference, uint8_t ret[ROOT_KEY_BYTES])
{
    CLEANUP(buf_done) Buf secret = { 0 };

    buf_init(&secret, 4096);
    TRY(secret_resolve(reference, &secret));
    if (buf_len(&secret) < ROOT_KEY_BYTES)
        return ERR_MALFORMED;
    /* Any text of enough length will do; 32 bytes come of it. */
    const Hash key = hash_of(buf_view(&secret));
    memcpy(ret, key.bytes, ROOT_KEY_BYTES);
    return OK;
}

Err keys_root(const Storage *storage, uint8_t ret[ROOT_KEY_BYTES])
{
    static const Bytes SQLITE = LIT_INIT("sqlite:");
    const Bytes state = bytes_from(storage->state, SQLITE.len);
    char path[4096];
    size_t folder = state.len;

    if (storage->root_key.len > 0 && !text_eq(storage->root_key, LIT("auto")))
        return root_by_reference(storage->root_key, ret);
    while (folder > 0 && state.ptr[folder - 1] != '/')
        folder--;
    if (folder >= sizeof path - sizeof "root.key")
        return ERR_LIMIT;
    (void)snprintf(path, sizeof path, "%.*sroot.key", (int)folder, (const char *)state.ptr);
    return root_key_file(path, ret);
}
