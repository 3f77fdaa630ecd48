#include "keeper/epoch_begin.h"

#include "base/encode.h"
#include "base/text.h"
#include "journal/audit_verify.h"
#include "keeper/ledger.h"
#include "sys/entropy.h"
#include "sys/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* So many starts may the lost store have seen after the backup. */
enum { STARTS_SKIPPED = 1 << 20 };

typedef struct Next {
    Buf origin;
    uint8_t seed[SIGN_SEED];
} Next;

static Err draw(Next *next)
{
    uint8_t bytes[16];
    char text[11] = { 0 };

    random_fill(bytes, sizeof bytes);
    random_fill(next->seed, sizeof next->seed);
    base32_text(VIEW(bytes), 10, text);
    buf_init(&next->origin, 64);
    return text_format(&next->origin, "chaperone/%s", text);
}

static Err verifier_key(const Next *next, Buf *out)
{
    SignKey key = { 0 };

    TRY(sign_key_init(&key, next->seed));
    const NoteKey note = note_key_of(buf_view(&next->origin), NOTE_ED25519, key.public_key);
    const Err err = note_key_write(&note, out);
    sign_key_done(&key);
    return err;
}

static Err write_note(const Ledger *l, const Next *next, Buf *note)
{
    CLEANUP(buf_done) Buf key = { 0 };
    const MerkleHead head = { l->range.size, merkle_root(&l->range) };

    buf_init(&key, 1024);
    TRY(verifier_key(next, &key));
    TRY(epoch_write(buf_view(&l->origin), &head, &l->key, buf_view(&key), note));
    for (unsigned i = 1; i <= AUDIT_EPOCHS_MAX; i++) {
        char path[SEGMENT_PATH_MAX];

        (void)snprintf(path, sizeof path, "%s/epoch-%u", l->journal, i);
        if (access(path, F_OK) != 0)
            return file_replace(path, buf_view(note), 0644);
    }
    return ERR_LIMIT;
}

static Err skip_starts(Store *store)
{
    CLEANUP(buf_done) Buf text = { 0 };
    uint64_t number = 0;

    buf_init(&text, 64);
    const Err err = store_meta_get(store, "generation", &text);
    if (err == OK)
        TRY(text_u64(buf_view(&text), UINT32_MAX - 1 - STARTS_SKIPPED, &number));
    else if (err != ERR_MORE)
        return err;
    buf_release(&text);
    TRY(text_format(&text, "%llu", (unsigned long long)number + STARTS_SKIPPED));
    return store_meta_put(store, "generation", buf_view(&text));
}

static Err put_names(Store *store, Keys *keys, const Next *next, Bytes note)
{
    CLEANUP(buf_done) Buf sealed = { 0 };

    buf_init(&sealed, 256);
    TRY(keys_seal(keys, LIT("signing seed"), VIEW(next->seed), &sealed));
    TRY(store_meta_put(store, "signing_seed", buf_view(&sealed)));
    TRY(store_meta_put(store, "origin", buf_view(&next->origin)));
    TRY(store_meta_put(store, EPOCH_META, note));
    return skip_starts(store);
}

static Err put_all(Store *store, Keys *keys, const Next *next, Bytes note)
{
    TRY(store_begin(store));
    const Err err = put_names(store, keys, next, note);
    if (err == OK)
        return store_commit(store);
    store_rollback(store);
    return err;
}

/* The ledger under its old key ends; the same log is opened under the new one. */
static Err change(Ledger *l, Keys *keys, Next *next, Clock now)
{
    CLEANUP(buf_done) Buf note = { 0 };
    Store *store = l->store;
    const char *journal = l->journal;

    buf_init(&note, CHECKPOINT_MAX);
    TRY(draw(next));
    TRY(write_note(l, next, &note));
    TRY(put_all(store, keys, next, buf_view(&note)));
    ledger_done(l);
    *l = (Ledger){ .store = store, .journal = journal };
    TRY(ledger_open(l, keys));
    return ledger_sign(l, now, true);
}

Err epoch_begin(Store *store, const char *journal, Keys *keys, Clock now, uint64_t *ret_size)
{
    Ledger l = { .store = store, .journal = journal };
    Next next = { 0 };

    Err err = ledger_open(&l, keys);
    if (err == OK)
        err = change(&l, keys, &next, now);
    *ret_size = l.range.size;
    ledger_done(&l);
    buf_done(&next.origin);
    explicit_bzero(next.seed, sizeof next.seed);
    return err;
}
