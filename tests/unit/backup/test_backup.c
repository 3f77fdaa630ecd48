/* The archive: every chunk in its place or none believed; and keys as people write them. */
#include "../test.h"

#include "backup/archive.h"
#include "base/text.h"
#include "sys/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 200000, FRAME = 4 + ARCHIVE_CHUNK + AEAD_TAG };

static uint8_t content[SIZE], whole[SIZE + 4096], changed[2 * SIZE];

/* A file without a name. */
static int no_name(void)
{
    char path[] = "/tmp/chaperone-archive-XXXXXX";
    const int fd = mkstemp(path);

    EXPECT(fd >= 0 && unlink(path) == 0);
    return fd;
}

static size_t make_archive(const RecoveryKey *key)
{
    CLEANUP(file_done) File f = { no_name() };
    const uint8_t root[ROOT_KEY_BYTES] = { 1, 2, 3 };
    ArchiveWriter w;

    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)(i * 7 >> 3);
    EXPECT(archive_begin(&w, f.fd, key->public_key, root) == OK);
    EXPECT(archive_file(&w, "state.db", SIZE) == OK);
    EXPECT(archive_put(&w, (Bytes){ content, SIZE }) == OK);
    EXPECT(archive_file(&w, "empty", 0) == OK);
    EXPECT(archive_end(&w) == OK);
    archive_writer_done(&w);
    EXPECT(lseek(f.fd, 0, SEEK_SET) == 0);
    const ssize_t n = read(f.fd, whole, sizeof whole);
    EXPECT(n > 3 * FRAME);
    return (size_t)n;
}

static Err read_back(ArchiveReader *r, int fd, const RecoveryKey *key)
{
    uint8_t root[ROOT_KEY_BYTES];
    char name[ARCHIVE_NAME_MAX];
    uint64_t size;

    TRY(archive_open(r, fd, key, root));
    EXPECT(root[0] == 1 && root[2] == 3 && root[31] == 0);
    TRY(archive_next(r, name, &size));
    EXPECT(strcmp(name, "state.db") == 0 && size == SIZE);
    for (size_t at = 0; at < SIZE;) {
        Bytes part;

        TRY(archive_take(r, SIZE - at, &part));
        EXPECT(memcmp(part.ptr, content + at, part.len) == 0);
        at += part.len;
    }
    TRY(archive_next(r, name, &size));
    EXPECT(strcmp(name, "empty") == 0 && size == 0);
    return archive_next(r, name, &size);
}

static Err read_bytes(Bytes file, const RecoveryKey *key)
{
    CLEANUP(file_done) File f = { no_name() };
    ArchiveReader r = { 0 };

    EXPECT(file_write_all(f.fd, file) == OK && lseek(f.fd, 0, SEEK_SET) == 0);
    const Err err = read_back(&r, f.fd, key);
    archive_reader_done(&r);
    return err;
}

static void an_archive_is_read_as_written(void)
{
    RecoveryKey key, other;

    EXPECT(recovery_key_new(&key) == OK && recovery_key_new(&other) == OK);
    const size_t len = make_archive(&key);
    EXPECT(read_bytes((Bytes){ whole, len }, &key) == ERR_MORE);
    EXPECT(read_bytes((Bytes){ whole, len }, &other) == ERR_REFUSED);
}

/* `whole` in pieces: chunk numbers in the order given. */
static size_t put_together(size_t len, const char *order)
{
    memcpy(changed, whole, ARCHIVE_HEAD);
    size_t at = ARCHIVE_HEAD;

    for (; *order != '\0'; order++) {
        const size_t from = ARCHIVE_HEAD + (size_t)(*order - '0') * FRAME;
        const size_t size = len - from < FRAME ? len - from : FRAME;

        memcpy(changed + at, whole + from, size);
        at += size;
    }
    return at;
}

static void chunks_stay_in_their_places(void)
{
    static const char *const ORDERS[] = { "1023", "0213", "023", "0012",  "00123",
                                          "012",  "3",    "",    "01233", "01230" };
    RecoveryKey key;

    EXPECT(recovery_key_new(&key) == OK);
    const size_t len = make_archive(&key);
    EXPECT(read_bytes((Bytes){ changed, put_together(len, "0123") }, &key) == ERR_MORE);
    for (size_t i = 0; i < COUNT_OF(ORDERS); i++)
        EXPECT(read_bytes((Bytes){ changed, put_together(len, ORDERS[i]) }, &key) == ERR_MALFORMED);
}

static void no_bit_may_change(void)
{
    RecoveryKey key;

    EXPECT(recovery_key_new(&key) == OK);
    const size_t len = make_archive(&key);
    for (size_t at = 0; at < len; at += at < 400 ? 1 : 997) {
        memcpy(changed, whole, len);
        changed[at] ^= (uint8_t)(1u << at % 8);
        const Err err = read_bytes((Bytes){ changed, len }, &key);
        EXPECT(err == (at >= 8 && at < ARCHIVE_PUBLIC_HEAD ? ERR_REFUSED : ERR_MALFORMED));
    }
    for (size_t cut = 0; cut < len; cut += cut < 400 ? 1 : 1009)
        EXPECT(read_bytes((Bytes){ whole, cut }, &key) == ERR_MALFORMED);
}

static void keys_are_copied_by_hand(void)
{
    CLEANUP(buf_done) Buf text = { 0 };
    char copy[128];
    RecoveryKey key, back;

    EXPECT(recovery_key_new(&key) == OK);
    buf_init(&text, 512);
    EXPECT(recovery_key_write(&key, &text) == OK);
    const Bytes written = buf_view(&text);
    EXPECT(written.len < sizeof copy && recovery_key_read(written, &back) == OK);
    EXPECT(memcmp(&key, &back, sizeof key) == 0);
    for (size_t i = 4; i < written.len - 1; i++) { /* the last character holds padding too */
        memcpy(copy, written.ptr, written.len);
        if (copy[i] == '-')
            continue;
        copy[i] = copy[i] == '7' ? '8' : '7';
        EXPECT(recovery_key_read((Bytes){ (uint8_t *)copy, written.len }, &back) == ERR_MALFORMED);
    }
}

static void public_keys_are_text(void)
{
    CLEANUP(buf_done) Buf text = { 0 };
    uint8_t back[BOX_KEY];
    RecoveryKey key;

    EXPECT(recovery_key_new(&key) == OK);
    buf_init(&text, 512);
    EXPECT(recovery_public_write(key.public_key, &text) == OK);
    EXPECT(recovery_public_read(buf_view(&text), back) == OK);
    EXPECT(memcmp(back, key.public_key, sizeof back) == 0);
    EXPECT(recovery_public_read(LIT("x25519:00"), back) == ERR_MALFORMED);
    EXPECT(recovery_public_read(LIT("ed25519:00"), back) == ERR_MALFORMED);
}

int main(void)
{
    TEST(an_archive_is_read_as_written);
    TEST(chunks_stay_in_their_places);
    TEST(no_bit_may_change);
    TEST(keys_are_copied_by_hand);
    TEST(public_keys_are_text);
    return 0;
}
