/* What the keeper knows while it runs. Private to keeper/.
 *
 * Every function that answers somebody gets its answer built without a channel, so that tests
 * can ask it directly; only keeper.c and admin.c talk. `now` is set once for each message. */
#ifndef KEEPER_KEEPER_STATE_H
#define KEEPER_KEEPER_STATE_H

#include "config/config.h"
#include "keeper/administrators.h"
#include "keeper/budget.h"
#include "keeper/diary.h"
#include "keeper/edition.h"
#include "keeper/handshake.h"
#include "keeper/signin.h"
#include "keeper/tally.h"
#include "keeper/upstream.h"
#include "keeper/watermark.h"
#include "model/ask.h"
#include "model/verdict.h"
#include "store/store_user.h"
#include "sys/channel.h"
#include "sys/sandbox.h"

struct Keeper;

/* A process at the other end of a channel. */
typedef struct KeeperPeer {
    struct KeeperPeer *next;
    struct Keeper *keeper;
    Party party;
    uint32_t slot, pid;
    Id writer;
    Channel *channel; /* NULL: it broke the rules */
    SignAllowance signs;
    bool gone;    /* the process has ended */
    bool drained; /* and nothing of what it said is left unread */
} KeeperPeer;

typedef struct Keeper {
    uv_loop_t *loop;
    Arena arena;             /* of the start */
    KeeperEdition *edition;  /* in force; older ones behind it */
    KeeperEdition *prepared; /* NULL: no reload is under way */
    char journal[SEGMENT_PATH_MAX - 64];
    Store *store;
    Keys keys;
    Ledger ledger;
    Diary diary;
    Id writer;
    Clock now;
    uint64_t started_ns, heartbeat_mono_ns, standing_mono_ns;
    Channel *supervisor;
    KeeperPeer *peers;
    Signins signins;
    SaltedCache salted;
    Budgets budgets;
    Watermark disk;
    Tallies tallies;
    Administrators administrators;
    struct Explaining *explaining; /* admin_explain.c: calls that wait for a worker */
    SandboxState sandbox;
    uv_work_t first_work; /* starts the threads of the pool */
} Keeper;

/* Reads everything that a start needs and opens store, keys, ledger and diary; speaks to
 * nobody. */
Err keeper_open(Keeper *k, const Edition *edition, const Id *writer) MUST_CHECK;
/* Seals and signs what is open. */
void keeper_close(Keeper *k);
/* Once a second: deadlines, heartbeats, segments that are old enough, the checkpoint. */
/* Deadlines of requests are kept by the clock of the day, since they outlive this process; somebody
 * who waits does so by the monotonic one. So they move when the former is set. */
void keeper_see_time(Keeper *k, Clock now);
void keeper_tick(Keeper *k);

/* The living worker that writes as `writer`; NULL: gone. */
KeeperPeer *keeper_worker(const Keeper *k, const Id *writer);
/* A session that lives in that worker. ERR_MORE: there is none. */
Err keeper_session(Keeper *k, const Id *session, const Id *writer, Arena *a,
                   StoreSession *ret) MUST_CHECK;
/* Of a name in the store. ERR_MORE: unknown, disabled or expired: nobody. */
Err keeper_identity(Keeper *k, Bytes name, Arena *a, Identity *ret, StoreUser *ret_user) MUST_CHECK;
/* Tells the worker of each of this user's live sessions to end it. */
Err keeper_kill_sessions(Keeper *k, Bytes user, const char *why) MUST_CHECK;
/* The same for every session whose identity or credential does not hold any more. */
Err keeper_cut_fallen(Keeper *k) MUST_CHECK;
Err keeper_kill_session(Keeper *k, const StoreSession *session, Bytes why) MUST_CHECK;

#endif
