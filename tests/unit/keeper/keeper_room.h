/* A keeper in a temporary folder, with people, one worker without a channel, and no loop. */
#ifndef KEEPER_ROOM_H
#define KEEPER_ROOM_H

#include "base/text.h"
#include "keeper/admin_call.h"
#include "keeper/approve.h"
#include "keeper/keeper_state.h"
#include "sys/file.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t SECOND_NS = UINT64_C(1000000000);

typedef struct Room {
    Keeper *k;
    KeeperPeer worker;
    char folder[64];
    Buf yaml;
    Arena arena;
} Room;

static inline void room_config(Room *r)
{
    buf_init(&r->yaml, 1 << 16);
    EXPECT(text_format(&r->yaml,
                       "version: 1\n"
                       "gateway:\n"
                       "  listen: {postgres: \"127.0.0.1:6432\"}\n"
                       "storage: {state: \"sqlite:%s/state.db\", journal: \"%s/journal\"}\n"
                       "resources:\n"
                       "  - name: ehr\n"
                       "    type: postgres\n"
                       "    address: 127.0.0.1:5432\n"
                       "    credentials: {user: gate, password: \"file:%s/secret\"}\n"
                       "    tls: {mode: disable}\n"
                       "    labels: {phi: \"yes\"}\n"
                       "roles:\n"
                       "  - {name: clinical, members: [\"group:local/clinical\"], allow: "
                       "[{resources: [ehr], actions: [read, write]}]}\n"
                       "  - {name: privacy-office, members: [\"group:local/privacy\"], review: "
                       "{resources: [\"*\"]}}\n"
                       "  - {name: auditor, members: [\"user:aud\"], evidence: read}\n",
                       r->folder, r->folder, r->folder) == OK);
}

static inline void room_start(Room *r, uint8_t writer)
{
    Id id = { { writer } };

    r->k = calloc(1, sizeof *r->k);
    EXPECT(r->k != NULL);
    const Edition edition = { .yaml = buf_view(&r->yaml) };
    EXPECT(keeper_open(r->k, &edition, &id) == OK);
}

static inline void room_worker(Room *r, uint8_t writer)
{
    r->worker = (KeeperPeer){
        .keeper = r->k, .party = PARTY_WORKER, .pid = 4711, .writer = { { writer } }
    };
    r->k->peers = &r->worker;
}

static inline void room_open(Room *r)
{
    char path[80];

    *r = (Room){ .folder = "/tmp/chaperone-test-XXXXXX" };
    EXPECT(mkdtemp(r->folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/journal", r->folder);
    EXPECT(dir_make(path, 0700) == OK);
    room_config(r);
    arena_init(&r->arena, 64 << 20);
    room_start(r, 0xee);
    room_worker(r, 0x01);
}

static inline void room_stop(Room *r)
{
    keeper_close(r->k);
    free(r->k);
}

static inline Err room_remove(void *ctx, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", (const char *)ctx, name);
    (void)unlink(path);
    return OK;
}

static inline void room_close(Room *r)
{
    char path[80];

    room_stop(r);
    (void)snprintf(path, sizeof path, "%s/journal", r->folder);
    EXPECT(dir_each(path, room_remove, path) == OK);
    (void)rmdir(path);
    EXPECT(dir_each(r->folder, room_remove, r->folder) == OK);
    EXPECT(rmdir(r->folder) == 0);
    buf_done(&r->yaml);
    arena_done(&r->arena);
}

/* A call as `caller`: an administrator, or the identity of that name when `who` says so. Keys and
 * values alternate, NULL ends. Returns the exit status; *ret_result (may be NULL) is copied. */
static inline int room_call(Room *r, AdminWho who, const char *caller, const char *const *words,
                            Bytes *ret_result)
{
    CLEANUP(buf_done) Buf list = { 0 };
    AdminRun run = { .keeper = r->k, .who = who, .caller = text_of(caller) };

    buf_init(&list, 1 << 16);
    run.name = text_of(words[0]);
    for (size_t i = 1; words[i] != NULL; i++)
        EXPECT(pack_item(&list, text_of(words[i])) == OK);
    run.arguments.packed = buf_view(&list);
    arena_init(&run.arena, 8 << 20);
    buf_init(&run.result, 1 << 17);
    if (who == ADMIN_IDENTITY)
        EXPECT(keeper_identity(r->k, run.caller, &run.arena, &run.identity.who,
                               &run.identity.user) == OK);
    admin_do(&run);
    if (ret_result != NULL)
        EXPECT(arena_copy(&r->arena, buf_view(&run.result), ret_result) == OK);
    buf_done(&run.result);
    arena_done(&run.arena);
    return (int)run.exit_status;
}

#define CALL(room, who, caller, ...)                                                               \
    room_call((room), (who), (caller), (const char *const[]){ __VA_ARGS__, NULL }, NULL)

/* What stands behind "key":" in a result. */
static inline Bytes room_member(Bytes json, const char *key)
{
    char before[64];

    (void)snprintf(before, sizeof before, "\"%s\":\"", key);
    const size_t at = text_find(json, text_of(before));
    EXPECT(at < json.len);
    const Bytes rest = bytes_from(json, at + strlen(before));
    return bytes_upto(rest, text_find(rest, LIT("\"")));
}

static inline void room_people(Room *r)
{
    static const char *const PEOPLE[][2] = {
        { "dana", "clinical" }, { "pat", "privacy" }, { "kim", "privacy" }, { "aud", "audit" }
    };

    for (size_t i = 0; i < COUNT_OF(PEOPLE); i++)
        EXPECT(CALL(r, ADMIN_ADMINISTRATOR, "root", "user.add", "name", PEOPLE[i][0], "group",
                    PEOPLE[i][1], "password", "a-long-password") == 0);
    EXPECT(CALL(r, ADMIN_ADMINISTRATOR, "root", "agent.add", "name", "bot", "owner", "dana",
                "group", "privacy") == 0);
}

/* A live session, as sign-in would have left it. */
static inline StoreSession room_session(Room *r, const char *user, IdentityKind kind, uint8_t id)
{
    const StoreSession s = { .id = { { id } },
                             .writer = r->worker.writer,
                             .user = text_of(user),
                             .kind = kind,
                             .resource = LIT("ehr"),
                             .started_ns = r->k->now.unix_ns };

    EXPECT(store_session_add(r->k->store, &s) == OK);
    return s;
}

#endif
