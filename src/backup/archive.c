#include "backup/archive.h"

#include "base/reader.h"
#include "base/text.h"
#include "sys/entropy.h"
#include "sys/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1, LENGTH_BYTES = 4, SEALED_MAX = ARCHIVE_CHUNK + AEAD_TAG };

static const Bytes MAGIC = LIT_INIT("CHPB");
static const uint32_t LAST = UINT32_C(1) << 31;

/* Chunks are numbered: none can be left out, doubled or moved. */
static void set_nonce(AeadMessage *m, uint64_t number)
{
    memset(m->nonce, 0, sizeof m->nonce);
    for (size_t i = 0; i < 8; i++)
        m->nonce[AEAD_NONCE - 1 - i] = (uint8_t)(number >> 8 * i);
}

/* --- writing ------------------------------------------------------------------------------ */

static Err put_box(Buf *head, const uint8_t recipient[BOX_KEY], Bytes secrets)
{
    CLEANUP(buf_done) Buf box = { 0 };
    uint8_t ephemeral[BOX_KEY];

    random_fill(ephemeral, sizeof ephemeral);
    buf_init(&box, 1024);
    const Err err = box_seal(ephemeral, recipient, buf_view(head), secrets, &box);
    explicit_bzero(ephemeral, sizeof ephemeral);
    TRY(err);
    return buf_append(head, buf_view(&box));
}

Err archive_begin(ArchiveWriter *w, int fd, const uint8_t recipient[BOX_KEY],
                  const uint8_t root[ROOT_KEY_BYTES])
{
    CLEANUP(buf_done) Buf head = { 0 };
    uint8_t secrets[ROOT_KEY_BYTES + AEAD_KEY];

    *w = (ArchiveWriter){ .fd = fd };
    buf_init(&w->plain, ARCHIVE_CHUNK);
    buf_init(&w->sealed, SEALED_MAX + LENGTH_BYTES);
    buf_init(&head, ARCHIVE_HEAD);
    memcpy(secrets, root, ROOT_KEY_BYTES);
    random_fill(secrets + ROOT_KEY_BYTES, AEAD_KEY);
    TRY(buf_append(&head, MAGIC));
    TRY(buf_u32(&head, VERSION));
    TRY(buf_append(&head, (Bytes){ recipient, BOX_KEY }));
    Err err = put_box(&head, recipient, VIEW(secrets));
    if (err == OK)
        err = aead_init(&w->aead, secrets + ROOT_KEY_BYTES);
    explicit_bzero(secrets, sizeof secrets);
    TRY(err);
    return file_write_all(fd, buf_view(&head));
}

static Err write_chunk(ArchiveWriter *w, bool last)
{
    AeadMessage m = { .text = buf_view(&w->plain) };
    uint8_t *room;
    size_t size;

    buf_truncate(&w->sealed, 0);
    TRY(buf_u32(&w->sealed, (uint32_t)m.text.len | (last ? LAST : 0)));
    uint8_t length[LENGTH_BYTES];
    memcpy(length, buf_view(&w->sealed).ptr, sizeof length);
    m.aad = VIEW(length);
    set_nonce(&m, w->chunks++);
    TRY(buf_room(&w->sealed, m.text.len + AEAD_TAG, &room, &size));
    TRY(aead_seal(&w->aead, &m, room, room + m.text.len));
    buf_filled(&w->sealed, m.text.len + AEAD_TAG);
    buf_truncate(&w->plain, 0);
    return file_write_all(w->fd, buf_view(&w->sealed));
}

Err archive_put(ArchiveWriter *w, Bytes data)
{
    while (data.len > 0) {
        const size_t room = ARCHIVE_CHUNK - buf_len(&w->plain);
        const Bytes part = bytes_upto(data, data.len < room ? data.len : room);

        TRY(buf_append(&w->plain, part));
        data = bytes_from(data, part.len);
        if (buf_len(&w->plain) == ARCHIVE_CHUNK)
            TRY(write_chunk(w, false));
    }
    return OK;
}

Err archive_file(ArchiveWriter *w, const char *name, uint64_t size)
{
    CLEANUP(buf_done) Buf entry = { 0 };
    const Bytes text = text_of(name);

    if (text.len == 0 || text.len >= ARCHIVE_NAME_MAX)
        return ERR_LIMIT;
    buf_init(&entry, 256);
    TRY(buf_byte(&entry, (uint8_t)text.len));
    TRY(buf_append(&entry, text));
    TRY(buf_u64(&entry, size));
    return archive_put(w, buf_view(&entry));
}

/* A name of no length ends the list. */
Err archive_end(ArchiveWriter *w)
{
    static const uint8_t END[] = { 0 };

    TRY(archive_put(w, VIEW(END)));
    TRY(write_chunk(w, true));
    return file_sync(w->fd);
}

void archive_writer_done(ArchiveWriter *w)
{
    aead_done(&w->aead);
    buf_done(&w->plain);
    buf_done(&w->sealed);
}

/* --- reading ------------------------------------------------------------------------------ */

/* ERR_MALFORMED: the file ends before. */
static Err read_exactly(int fd, uint8_t *into, size_t len)
{
    for (size_t at = 0; at < len;) {
        const ssize_t n = read(fd, into + at, len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return ERR_MALFORMED;
        at += (size_t)n;
    }
    return OK;
}

static Err open_box(ArchiveReader *r, const uint8_t head[ARCHIVE_HEAD], const RecoveryKey *key,
                    uint8_t ret_root[ROOT_KEY_BYTES])
{
    CLEANUP(buf_done) Buf secrets = { 0 };
    const Bytes all = { head, ARCHIVE_HEAD };

    buf_init(&secrets, 256);
    TRY(box_open(key->private_key, bytes_upto(all, ARCHIVE_PUBLIC_HEAD),
                 bytes_from(all, ARCHIVE_PUBLIC_HEAD), &secrets));
    memcpy(ret_root, buf_view(&secrets).ptr, ROOT_KEY_BYTES);
    return aead_init(&r->aead, buf_view(&secrets).ptr + ROOT_KEY_BYTES);
}

Err archive_open(ArchiveReader *r, int fd, const RecoveryKey *key, uint8_t ret_root[ROOT_KEY_BYTES])
{
    uint8_t head[ARCHIVE_HEAD];
    uint32_t version;
    Bytes magic, recipient;

    *r = (ArchiveReader){ .fd = fd };
    buf_init(&r->sealed, SEALED_MAX);
    buf_init(&r->plain, 2 * ARCHIVE_CHUNK);
    TRY(read_exactly(fd, head, sizeof head));
    Reader at = reader_of(VIEW(head));
    TRY(reader_bytes(&at, MAGIC.len, &magic));
    TRY(reader_u32(&at, &version));
    TRY(reader_bytes(&at, BOX_KEY, &recipient));
    if (!text_eq(magic, MAGIC) || version != VERSION)
        return ERR_MALFORMED;
    if (!text_eq(recipient, VIEW(key->public_key)))
        return ERR_REFUSED;
    return open_box(r, head, key, ret_root);
}

static Err read_chunk(ArchiveReader *r)
{
    uint8_t length[LENGTH_BYTES], *room, *plain;
    AeadMessage m = { .aad = VIEW(length) };
    uint32_t word;
    size_t size;

    if (r->last)
        return ERR_MALFORMED;
    TRY(read_exactly(r->fd, length, sizeof length));
    Reader at = reader_of(VIEW(length));
    TRY(reader_u32(&at, &word));
    const size_t len = word & ~LAST;
    if (len > ARCHIVE_CHUNK)
        return ERR_MALFORMED;
    buf_truncate(&r->sealed, 0);
    TRY(buf_room(&r->sealed, len + AEAD_TAG, &room, &size));
    TRY(read_exactly(r->fd, room, len + AEAD_TAG));
    m.text = (Bytes){ room, len };
    set_nonce(&m, r->chunks++);
    TRY(buf_room(&r->plain, len + 1, &plain, &size));
    TRY(aead_open(&r->aead, &m, room + len, plain));
    buf_filled(&r->plain, len);
    r->last = (word & LAST) != 0;
    return OK;
}

static Err need(ArchiveReader *r, size_t len)
{
    while (buf_len(&r->plain) < len)
        TRY(read_chunk(r));
    return OK;
}

/* Behind the last name: the last chunk, and the end of the file. */
static Err read_end(ArchiveReader *r)
{
    uint8_t byte;

    while (!r->last)
        TRY(read_chunk(r));
    if (buf_len(&r->plain) > 0 || read(r->fd, &byte, 1) != 0)
        return ERR_MALFORMED;
    return ERR_MORE;
}

Err archive_next(ArchiveReader *r, char ret_name[ARCHIVE_NAME_MAX], uint64_t *ret_size)
{
    TRY(need(r, 1));
    const size_t len = buf_view(&r->plain).ptr[0];
    buf_consume(&r->plain, 1);
    if (len == 0)
        return read_end(r);
    if (len >= ARCHIVE_NAME_MAX)
        return ERR_MALFORMED;
    TRY(need(r, len + 8));
    memcpy(ret_name, buf_view(&r->plain).ptr, len);
    ret_name[len] = '\0';
    Reader at = reader_of(bytes_from(buf_view(&r->plain), len));
    TRY(reader_u64(&at, ret_size));
    buf_consume(&r->plain, len + 8);
    return OK;
}

Err archive_take(ArchiveReader *r, uint64_t max, Bytes *ret)
{
    TRY(need(r, 1));
    buf_truncate(&r->sealed, 0);
    const Bytes all = buf_view(&r->plain);
    const size_t have = all.len < ARCHIVE_CHUNK ? all.len : ARCHIVE_CHUNK;
    const Bytes part = bytes_upto(all, max < have ? (size_t)max : have);
    TRY(buf_append(&r->sealed, part));
    buf_consume(&r->plain, part.len);
    *ret = buf_view(&r->sealed);
    return OK;
}

void archive_reader_done(ArchiveReader *r)
{
    aead_done(&r->aead);
    buf_done(&r->plain);
    buf_done(&r->sealed);
}
