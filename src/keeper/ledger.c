#include "keeper/ledger.h"

#include "base/encode.h"
#include "base/reader.h"
#include "base/text.h"
#include "keeper/ledger_rebuild.h"
#include "sys/entropy.h"
#include "sys/file.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t SIGN_EVERY_NS = UINT64_C(1000000000);

enum { STATE_MAX = 16 + MERKLE_DEPTH * HASH_BYTES, ORIGIN_MAX = 64 };

static SegmentPath beside(const Ledger *l, const char *name)
{
    SegmentPath path;

    (void)snprintf(path.text, sizeof path.text, "%s/%s", l->journal, name);
    return path;
}

/* --- opening ------------------------------------------------------------------------------ */

static Err read_state(Ledger *l)
{
    CLEANUP(buf_done) Buf state = { 0 };

    buf_init(&state, STATE_MAX);
    const Err err = store_meta_get(l->store, "ledger", &state);
    if (err == ERR_MORE)
        return OK; /* the first start */
    TRY(err);
    Reader r = reader_of(buf_view(&state));
    Bytes peaks;
    TRY(reader_u64(&r, &l->seals));
    TRY(reader_u64(&r, &l->range.size));
    TRY(reader_bytes(&r, sizeof l->range.peaks, &peaks));
    memcpy(l->range.peaks, peaks.ptr, peaks.len);
    return OK;
}

static Err write_state(Ledger *l, const MerkleRange *range, uint64_t seals)
{
    CLEANUP(buf_done) Buf state = { 0 };

    buf_init(&state, STATE_MAX);
    TRY(buf_u64(&state, seals));
    TRY(buf_u64(&state, range->size));
    TRY(buf_append(&state, VIEW(range->peaks)));
    return store_meta_put(l->store, "ledger", buf_view(&state));
}

/* Behind `bytes` lies what a crash left before the store knew of it. */
static Err open_table(const Ledger *l, const char *name, uint64_t bytes, int *ret_fd)
{
    const SegmentPath path = beside(l, name);
    File f = { .fd = -1 };
    uint64_t size;

    TRY(file_open(path.text, O_RDWR | O_APPEND | O_CREAT, 0600, &f));
    *ret_fd = f.fd;
    TRY(file_size(f.fd, &size));
    if (size < bytes) {
        log_line(LOG_ERROR, "ledger", "the file %s is lost, or shorter than what was signed", name);
        return ERR_REFUSED;
    }
    if (size > bytes && ftruncate(f.fd, (off_t)bytes) != 0)
        return ERR_IO;
    return OK;
}

static Err open_tables(Ledger *l)
{
    TRY(open_table(l, "log", l->range.size * LOG_ENTRY, &l->log_fd));
    return open_table(l, "seals", l->seals * SEAL_BYTES, &l->seals_fd);
}

static void close_tables(Ledger *l)
{
    File files[] = { { l->log_fd }, { l->seals_fd } };

    file_done(&files[0]);
    file_done(&files[1]);
    l->log_fd = l->seals_fd = -1;
}

static Err make_origin(Ledger *l)
{
    uint8_t bytes[16];
    char text[11] = { 0 };

    const Err err = store_meta_get(l->store, "origin", &l->origin);
    if (err != ERR_MORE)
        return err;
    random_fill(bytes, sizeof bytes);
    base32_text(VIEW(bytes), 10, text);
    TRY(text_format(&l->origin, "chaperone/%s", text));
    return store_meta_put(l->store, "origin", buf_view(&l->origin));
}

static Err make_seed(Ledger *l, Keys *keys, Buf *seed)
{
    CLEANUP(buf_done) Buf sealed = { 0 };
    uint8_t fresh[SIGN_SEED];

    random_fill(fresh, sizeof fresh);
    buf_init(&sealed, 256);
    TRY(keys_seal(keys, LIT("signing seed"), VIEW(fresh), &sealed));
    TRY(store_meta_put(l->store, "signing_seed", buf_view(&sealed)));
    TRY(buf_append(seed, VIEW(fresh)));
    explicit_bzero(fresh, sizeof fresh);
    return OK;
}

static Err load_key(Ledger *l, Keys *keys)
{
    CLEANUP(buf_done) Buf seed = { 0 };
    CLEANUP(buf_done) Buf sealed = { 0 };

    buf_init(&seed, 256);
    buf_init(&sealed, 256);
    const Err err = store_meta_get(l->store, "signing_seed", &sealed);
    if (err == ERR_MORE)
        TRY(make_seed(l, keys, &seed));
    else
        TRY(err);
    if (err == OK)
        TRY(keys_open(keys, LIT("signing seed"), buf_view(&sealed), &seed));
    if (buf_len(&seed) != SIGN_SEED)
        return ERR_MALFORMED;
    return sign_key_init(&l->key, buf_view(&seed).ptr);
}

Err ledger_public_key(const Ledger *l, Buf *out)
{
    const NoteKey key = note_key_of(buf_view(&l->origin), NOTE_ED25519, l->key.public_key);

    return note_key_write(&key, out);
}

static Err publish_key(const Ledger *l)
{
    CLEANUP(buf_done) Buf text = { 0 };
    const SegmentPath path = beside(l, "public.key");

    buf_init(&text, 1024);
    TRY(ledger_public_key(l, &text));
    TRY(buf_byte(&text, '\n'));
    return file_replace(path.text, buf_view(&text), 0644);
}

Err ledger_open(Ledger *l, Keys *keys)
{
    l->log_fd = l->seals_fd = -1;
    buf_init(&l->origin, ORIGIN_MAX);
    TRY(read_state(l));
    TRY(make_origin(l));
    TRY(load_key(l, keys));
    TRY(publish_key(l));
    const Err err = open_tables(l);
    if (err != ERR_REFUSED)
        return err;
    close_tables(l);
    TRY(ledger_rebuild(l));
    log_line(LOG_WARN, "ledger", "log and seals were made again from the segments, as signed");
    l->rebuilt = true;
    return open_tables(l);
}

void ledger_done(Ledger *l)
{
    if (l->journal == NULL)
        return;
    close_tables(l);
    sign_key_done(&l->key);
    buf_done(&l->origin);
}

/* --- merging ------------------------------------------------------------------------------ */

static void append_leaves(MerkleRange *range, Bytes log)
{
    for (Bytes rest = log; rest.len >= LOG_ENTRY; rest = bytes_from(rest, LOG_ENTRY)) {
        Hash leaf;

        memcpy(leaf.bytes, rest.ptr + 8, sizeof leaf.bytes);
        merkle_append(range, &leaf);
    }
}

static Err write_tables(const Ledger *l, const SegmentReading *reading)
{
    uint8_t seal[SEAL_BYTES];

    seal_encode(&reading->seal, seal);
    TRY(file_write_all(l->log_fd, buf_view(&reading->log)));
    TRY(file_write_all(l->seals_fd, VIEW(seal)));
    TRY(file_sync(l->log_fd));
    return file_sync(l->seals_fd);
}

static Err keep(Ledger *l, const StoreSegment *segment, const MerkleRange *range)
{
    TRY(store_begin(l->store));
    Err err = store_segment_seal(l->store, segment);
    if (err == OK)
        err = write_state(l, range, l->seals + 1);
    if (err == OK)
        return store_commit(l->store);
    store_rollback(l->store);
    return err;
}

static void take_back(const Ledger *l)
{
    if (ftruncate(l->log_fd, (off_t)(l->range.size * LOG_ENTRY)) != 0 ||
        ftruncate(l->seals_fd, (off_t)(l->seals * SEAL_BYTES)) != 0)
        log_line(LOG_ERROR, "ledger", "cannot take back a merge; it is cut at the next start");
}

Err ledger_merge(Ledger *l, StoreSegment segment, const SegmentReading *reading)
{
    const SegmentPath path = segment_path(l->journal, segment.id);
    MerkleRange range = l->range;

    segment.state = SEGMENT_SEALED;
    segment.length = reading->seal.length;
    segment.count = reading->seal.count;
    segment.log_start = range.size;
    memcpy(segment.last.bytes, reading->seal.last.bytes, sizeof segment.last.bytes);
    append_leaves(&range, buf_view(&reading->log));
    Err err = file_cut(path.text, segment.length);
    if (err == OK)
        err = write_tables(l, reading);
    if (err == OK)
        err = keep(l, &segment, &range);
    if (err != OK) {
        take_back(l);
        return err;
    }
    (void)chmod(path.text, 0400);
    l->range = range;
    l->seals++;
    return OK;
}

/* --- signing ------------------------------------------------------------------------------ */

bool ledger_is_behind(const Ledger *l)
{
    return !l->ever_signed || l->signed_size != l->range.size;
}

Err ledger_sign(Ledger *l, Clock now, bool at_once)
{
    CLEANUP(buf_done) Buf note = { 0 };
    const MerkleHead head = { l->range.size, merkle_root(&l->range) };
    const SegmentPath path = beside(l, "checkpoint");

    if (!at_once && (!ledger_is_behind(l) || now.mono_ns - l->signed_ns < SIGN_EVERY_NS))
        return OK;
    buf_init(&note, CHECKPOINT_MAX);
    TRY(checkpoint_sign(buf_view(&l->origin), &head, &l->key, &note));
    TRY(store_checkpoint_add(l->store, head.size, now.unix_ns, buf_view(&note)));
    TRY(file_replace(path.text, buf_view(&note), 0644));
    l->signed_size = head.size;
    l->signed_ns = now.mono_ns;
    l->ever_signed = true;
    return OK;
}
