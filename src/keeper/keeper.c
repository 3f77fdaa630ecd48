#include "keeper/keeper_state.h"

#include "base/json_write.h"
#include "base/text.h"
#include "keeper/admin.h"
#include "keeper/approve.h"
#include "keeper/epoch_begin.h"
#include "keeper/recovery.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { WHY_MAX = 2048, IDENTITY_ARENA = 64 << 10, SHOWN_MAX = 1024 };

static const uint64_t HEARTBEAT_NS = UINT64_C(60) * 1000000000;
static const uint64_t STANDING_NS = UINT64_C(2) * 1000000000;
static const int64_t JUMP_NS = INT64_C(2) * 1000000000; /* more than any slewing in between */

/* --- time --------------------------------------------------------------------------------- */

void keeper_see_time(Keeper *k, Clock now)
{
    const int64_t by_ns =
        (int64_t)(now.unix_ns - k->now.unix_ns) - (int64_t)(now.mono_ns - k->now.mono_ns);

    k->now = now;
    if (by_ns > -JUMP_NS && by_ns < JUMP_NS)
        return;
    log_line(LOG_WARN, "clock",
             "the clock of the day was set by %lld s; what is waited for ends with it",
             (long long)(by_ns / 1000000000));
    if (store_request_shift(k->store, by_ns) != OK)
        log_line(LOG_ERROR, "clock", "deadlines stay where they were: %s", store_why(k->store));
}

/* --- opening ------------------------------------------------------------------------------ */

static Err load_config(Keeper *k, const Edition *edition)
{
    CLEANUP(buf_done) Buf why = { 0 };

    arena_init(&k->arena, CONFIG_ARENA_BYTES);
    buf_init(&why, WHY_MAX);
    const Err err = keeper_edition_make(edition, k->now.unix_ns, &k->edition, &why);
    if (err != OK) {
        log_line(LOG_ERROR, "start", "%.*s", SHOW(buf_view(&why)));
        return err;
    }
    const Bytes journal = k->edition->config.storage.journal;
    if (journal.len == 0 || journal.len >= sizeof k->journal)
        return ERR_LIMIT;
    memcpy(k->journal, journal.ptr, journal.len);
    k->journal[journal.len] = '\0';
    return OK;
}

static Err open_store(Keeper *k)
{
    static const Bytes SQLITE = LIT_INIT("sqlite:");
    const Bytes state = k->edition->config.storage.state;
    const char *path;

    if (!text_starts(state, SQLITE))
        return ERR_REFUSED;
    TRY(arena_string(&k->arena, bytes_from(state, SQLITE.len), &path));
    const Err err = store_open(path, STORE_WRITE, &k->store);
    if (err != OK)
        log_line(LOG_ERROR, "store", "the state cannot be opened (%s)",
                 err == ERR_REFUSED ? "made by a newer version" : strerror(errno));
    return err;
}

static Err open_keys(Keeper *k)
{
    uint8_t root[ROOT_KEY_BYTES] = { 0 };

    Err err = keys_root(&k->edition->config.storage, root);
    if (err != OK)
        log_line(LOG_ERROR, "keys", "the root key cannot be read or made: %s", strerror(errno));
    if (err == OK)
        err = keys_init(&k->keys, root);
    explicit_bzero(root, sizeof root);
    return err;
}

/* The number of this start: a party of nonces that nobody had before. */
static Err count_start(Keeper *k)
{
    CLEANUP(buf_done) Buf text = { 0 };
    uint64_t number = 0;

    buf_init(&text, 64);
    const Err err = store_meta_get(k->store, "generation", &text);
    if (err == OK)
        TRY(text_u64(buf_view(&text), UINT32_MAX - 1, &number));
    else if (err != ERR_MORE)
        return err;
    buf_release(&text);
    TRY(text_format(&text, "%llu", (unsigned long long)number + 1));
    k->diary.party = (uint32_t)number + 1;
    return store_meta_put(k->store, "generation", buf_view(&text));
}

static Err record_rebuild(Keeper *k)
{
    static const DiaryEntry ENTRY = {
        .type = LEAF_RECOVERY,
        .payload = LIT_INIT("{\"what\":\"log or seals were lost, and were made again from the "
                            "segments; they are as they were signed\"}"),
        .wait = true,
    };

    return k->ledger.rebuilt ? diary_write(&k->diary, &ENTRY, k->now, NULL) : OK;
}

/* The first start after a restore: the record cites the checkpoint that ended the epoch before. */
static Err record_restore(Keeper *k)
{
    CLEANUP(buf_done) Buf note = { 0 };
    CLEANUP(buf_done) Buf payload = { 0 };

    buf_init(&note, CHECKPOINT_MAX);
    buf_init(&payload, 2 * CHECKPOINT_MAX);
    const Err err = store_meta_get(k->store, EPOCH_META, &note);
    if (err == ERR_MORE || (err == OK && buf_len(&note) == 0))
        return OK;
    TRY(err);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "what", LIT("restored from a backup; a new epoch of the ledger began"));
    json_write_string(&j, "checkpoint", buf_view(&note));
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = { .type = LEAF_CHECKPOINT_ANCHOR,
                               .payload = buf_view(&payload),
                               .wait = true };
    TRY(diary_write(&k->diary, &entry, k->now, NULL));
    return store_meta_put(k->store, EPOCH_META, (Bytes){ 0 });
}

Err keeper_open(Keeper *k, const Edition *edition, const Id *writer)
{
    k->writer = *writer;
    k->now = clock_now();
    k->started_ns = k->now.unix_ns;
    random_fill(k->signins.hash_key, sizeof k->signins.hash_key);
    TRY(load_config(k, edition));
    TRY(administrators_find(&k->edition->config.gateway.admin_users, &k->arena,
                            &k->administrators));
    TRY(open_store(k));
    TRY(open_keys(k));
    TRY(count_start(k));
    TRY(budgets_open(k));
    TRY(tallies_name(k, &k->edition->config.policy));
    k->ledger.store = k->store;
    k->ledger.journal = k->journal;
    TRY(ledger_open(&k->ledger, &k->keys));
    k->diary.ledger = &k->ledger;
    k->diary.keys = &k->keys;
    k->diary.policy_hash = k->edition->policy_hash;
    TRY(diary_open(&k->diary, writer, k->now));
    TRY(record_rebuild(k));
    TRY(record_restore(k));
    TRY(keeper_edition_record(k, k->edition, (Bytes){ 0 }));
    watermark_look(k);
    return OK;
}

void keeper_close(Keeper *k)
{
    k->now = clock_now();
    if (k->store != NULL && budgets_write(k) != OK)
        log_line(LOG_ERROR, "budget", "what was recorded lately is not kept: %s",
                 store_why(k->store));
    if (k->diary.ledger != NULL &&
        (diary_turn(&k->diary, k->now, false) != OK || ledger_sign(&k->ledger, k->now, true) != OK))
        log_line(LOG_ERROR, "journal", "the last segment is not sealed; the next start will");
    diary_done(&k->diary);
    ledger_done(&k->ledger);
    signins_done(&k->signins);
    budgets_done(&k->budgets);
    tallies_done(&k->tallies);
    salted_cache_done(&k->salted);
    keys_done(&k->keys);
    store_close(k->store);
    keeper_editions_done(k);
    arena_done(&k->arena);
}

/* --- every second ------------------------------------------------------------------------- */

static Err beat(Keeper *k)
{
    const DiaryEntry entry = { .type = LEAF_HEARTBEAT };

    if (k->heartbeat_mono_ns != 0 && k->now.mono_ns - k->heartbeat_mono_ns < HEARTBEAT_NS)
        return OK;
    k->heartbeat_mono_ns = k->now.mono_ns;
    return diary_write(&k->diary, &entry, k->now, NULL);
}

/* What an administrator's call did not reach (a keeper that ended behind it), and what ends by
 * the clock. */
static Err look_at_standing(Keeper *k)
{
    if (k->now.mono_ns - k->standing_mono_ns < STANDING_NS)
        return OK;
    k->standing_mono_ns = k->now.mono_ns;
    return keeper_cut_fallen(k);
}

void keeper_tick(Keeper *k)
{
    keeper_see_time(k, clock_now());
    admin_tick(k);
    Err err = diary_is_full(&k->diary, k->now) ? diary_turn(&k->diary, k->now, true) : OK;
    if (err == OK)
        err = beat(k);
    if (err == OK)
        err = ledger_sign(&k->ledger, k->now, false);
    watermark_look(k);
    if (err == OK)
        err = budgets_tick(k);
    if (err == OK)
        err = look_at_standing(k);
    if (approve_expire(k) != OK || err != OK)
        log_line(LOG_ERROR, "keeper", "the journal or the store cannot be written (%s)",
                 store_why(k->store));
    if (k->diary.failed) {
        /* What is on disk is unknown to this process; the next one reads it. */
        log_line(LOG_ERROR, "keeper", "ends: its part of the journal is lost; another one begins");
        uv_stop(k->loop);
    }
}

/* --- who and what ------------------------------------------------------------------------- */

KeeperPeer *keeper_worker(const Keeper *k, const Id *writer)
{
    if (id_is_zero(writer))
        return NULL;
    for (KeeperPeer *p = k->peers; p != NULL; p = p->next)
        if (p->party == PARTY_WORKER && !p->gone && id_eq(&p->writer, writer))
            return p;
    return NULL;
}

Err keeper_session(Keeper *k, const Id *session, const Id *writer, Arena *a, StoreSession *ret)
{
    TRY(store_session_get(k->store, session, a, ret));
    return ret->ended_ns == 0 && id_eq(&ret->writer, writer) ? OK : ERR_MORE;
}

Err keeper_identity(Keeper *k, Bytes name, Arena *a, Identity *ret, StoreUser *ret_user)
{
    StoreGroups groups;

    *ret = (Identity){ 0 };
    if (!k->edition->config.identity.local)
        return ERR_MORE;
    TRY(store_user_get(k->store, name, a, ret_user));
    if (ret_user->disabled || (ret_user->expires_ns != 0 && ret_user->expires_ns <= k->now.unix_ns))
        return ERR_MORE;
    TRY(store_groups(k->store, name, a, &groups));
    *ret = (Identity){ .kind = ret_user->kind,
                       .name = ret_user->name,
                       .owner = ret_user->owner,
                       .groups = groups.at,
                       .group_count = groups.count };
    return OK;
}

Err keeper_kill_session(Keeper *k, const StoreSession *session, Bytes why)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const KeeperPeer *peer = keeper_worker(k, &session->writer);
    const SessionKill kill = { session->id, CHP_3303, utf8_upto(why, SHOWN_MAX) };

    if (peer == NULL || peer->channel == NULL)
        return OK; /* its worker is gone, and so is it */
    buf_init(&body, 4096);
    TRY(pack_session_kill(&body, &kill));
    return channel_tell(peer->channel, ASK_SESSION_KILL, buf_view(&body), -1);
}

typedef struct Killing {
    Keeper *keeper;
    Bytes why;
} Killing;

static Err kill_one(void *ctx, const StoreSession *session)
{
    const Killing *killing = ctx;

    return keeper_kill_session(killing->keeper, session, killing->why);
}

Err keeper_kill_sessions(Keeper *k, Bytes user, const char *why)
{
    const SessionFilter live = { .user = user, .live = true };
    Killing killing = { k, text_of(why) };

    return store_session_each(k->store, &live, kill_one, &killing);
}

static const char *fallen_words(Fallen why)
{
    switch (why) {
    case FALLEN_USER_GONE:
        return "the identity was removed";
    case FALLEN_USER_DISABLED:
        return "the identity was disabled";
    case FALLEN_USER_EXPIRED:
        return "the identity has expired";
    case FALLEN_CREDENTIAL_GONE:
        return "the password was changed";
    case FALLEN_CREDENTIAL_REVOKED:
        return "the token was revoked";
    case FALLEN_CREDENTIAL_EXPIRED:
        return "the token has expired";
    }
    return "the identity does not hold any more";
}

static Err cut_one(void *ctx, const StoreSession *session, Fallen why)
{
    return keeper_kill_session(ctx, session, text_of(fallen_words(why)));
}

Err keeper_cut_fallen(Keeper *k)
{
    return store_session_fallen(k->store, k->now.unix_ns, cut_one, k);
}
