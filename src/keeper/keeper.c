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

enum { POLICY_TEXT_MAX = 4 << 20, IDENTITY_ARENA = 64 << 10, SHOWN_MAX = 1024 };

static const uint64_t HEARTBEAT_NS = UINT64_C(60) * 1000000000;

/* --- opening ------------------------------------------------------------------------------ */

static Err load_config(Keeper *k, Bytes yaml)
{
    Problems problems = { 0 };

    arena_init(&k->arena, CONFIG_ARENA_BYTES);
    buf_init(&k->policy_text, POLICY_TEXT_MAX);
    TRY(config_load(yaml, &k->arena, &k->config, &problems));
    TRY(config_show(&k->config, &k->policy_text));
    k->policy_hash = hash_of(buf_view(&k->policy_text));
    const Bytes journal = k->config.storage.journal;
    if (journal.len == 0 || journal.len >= sizeof k->journal)
        return ERR_LIMIT;
    memcpy(k->journal, journal.ptr, journal.len);
    k->journal[journal.len] = '\0';
    return OK;
}

static Err open_store(Keeper *k)
{
    static const Bytes SQLITE = LIT_INIT("sqlite:");
    const Bytes state = k->config.storage.state;
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

    Err err = keys_root(&k->config.storage, root);
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

/* The whole text, each time it is another one: the journal holds the policy's history. */
static Err record_policy(Keeper *k)
{
    CLEANUP(buf_done) Buf last = { 0 };
    CLEANUP(buf_done) Buf payload = { 0 };

    buf_init(&last, 64);
    buf_init(&payload, POLICY_TEXT_MAX + 4096);
    const Err err = store_meta_get(k->store, "policy_hash", &last);
    if (err == OK && text_eq(buf_view(&last), VIEW(k->policy_hash.bytes)))
        return OK;
    if (err != OK && err != ERR_MORE)
        return err;
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "author", LIT("unknown: whoever may write the file on this host"));
    json_write_raw(&j, "policy", buf_view(&k->policy_text));
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = { .type = LEAF_CONFIG_CHANGE,
                               .payload = buf_view(&payload),
                               .wait = true };
    TRY(diary_write(&k->diary, &entry, k->now, NULL));
    return store_meta_put(k->store, "policy_hash", VIEW(k->policy_hash.bytes));
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

Err keeper_open(Keeper *k, Bytes config_yaml, const Id *writer)
{
    k->writer = *writer;
    k->now = clock_now();
    k->started_ns = k->now.unix_ns;
    random_fill(k->signins.hash_key, sizeof k->signins.hash_key);
    TRY(load_config(k, config_yaml));
    TRY(administrators_find(&k->config.gateway.admin_users, &k->arena, &k->administrators));
    TRY(open_store(k));
    TRY(open_keys(k));
    TRY(count_start(k));
    TRY(budgets_open(k));
    TRY(tallies_open(k));
    k->ledger.store = k->store;
    k->ledger.journal = k->journal;
    TRY(ledger_open(&k->ledger, &k->keys));
    k->diary.ledger = &k->ledger;
    k->diary.keys = &k->keys;
    k->diary.policy_hash = k->policy_hash;
    TRY(diary_open(&k->diary, writer, k->now));
    TRY(record_rebuild(k));
    TRY(record_restore(k));
    TRY(record_policy(k));
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
    salted_cache_done(&k->salted);
    handshakes_done(&k->handshakes);
    keys_done(&k->keys);
    store_close(k->store);
    buf_done(&k->policy_text);
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

void keeper_tick(Keeper *k)
{
    k->now = clock_now();
    admin_tick(k);
    Err err = beat(k);
    if (err == OK && diary_is_full(&k->diary, k->now))
        err = diary_turn(&k->diary, k->now, true);
    if (err == OK)
        err = ledger_sign(&k->ledger, k->now, false);
    watermark_look(k);
    if (err == OK)
        err = budgets_tick(k);
    if (approve_expire(k) != OK || err != OK)
        log_line(LOG_ERROR, "keeper", "the journal or the store cannot be written (%s)",
                 store_why(k->store));
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
    if (!k->config.identity.local)
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
