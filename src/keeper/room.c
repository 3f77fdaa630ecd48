#include "keeper/room.h"

#include "base/text.h"
#include "sys/log.h"

#include <string.h>
#include <unistd.h>

static Err folder_of(Arena *a, Bytes file, const char **ret)
{
    size_t slash = file.len;

    while (slash > 0 && file.ptr[slash - 1] != '/')
        slash--;
    if (slash == 0)
        return arena_string(a, LIT("."), ret);
    return arena_string(a, bytes_upto(file, slash), ret);
}

/* A folder that is not there, or not ours to see, is left out: it cannot be read anyway. */
static Err add_secret(Keeper *k, Bytes reference, SandboxPath *paths, size_t *count)
{
    static const Bytes FILE_PREFIX = LIT_INIT("file:");
    const char *folder;

    if (!text_starts(reference, FILE_PREFIX))
        return OK;
    TRY(folder_of(&k->arena, bytes_from(reference, FILE_PREFIX.len), &folder));
    for (size_t i = 0; i < *count; i++)
        if (strcmp(paths[i].path, folder) == 0)
            return OK;
    if (access(folder, X_OK) != 0) {
        log_line(LOG_WARN, "sandbox", "the folder %s of a secret cannot be entered", folder);
        return OK;
    }
    paths[(*count)++] = (SandboxPath){ .path = folder };
    return OK;
}

Err room_shut_files(Keeper *k)
{
    static const Bytes SQLITE = LIT_INIT("sqlite:");
    const Bytes state = bytes_from(k->edition->config.storage.state, SQLITE.len);
    const size_t resources = k->edition->config.policy.resources.count;
    SandboxPath *paths;
    size_t count = 0;
    void *room;

    TRY(arena_alloc(&k->arena, (resources + 3) * sizeof *paths, &room));
    paths = room;
    TRY(folder_of(&k->arena, state, &paths[count].path));
    paths[count++].writable = true;
    paths[count++] = (SandboxPath){ .path = k->journal, .writable = true };
    for (size_t i = 0; i < resources; i++)
        TRY(add_secret(k, k->edition->config.policy.resources.at[i].credentials.password, paths,
                       &count));
    TRY(add_secret(k, k->edition->config.gateway.tls.key, paths, &count));
    k->sandbox.optional = k->edition->config.gateway.sandbox == SANDBOX_AUTO;
    return sandbox_enter_files(&k->sandbox, paths, count);
}

static void nothing(uv_work_t *work)
{
    (void)work;
}

static void nothing_done(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

/* libuv starts all threads of its pool with the first piece of work, and waits for them. */
Err room_shut_calls(Keeper *k)
{
    if (uv_queue_work(k->loop, &k->first_work, nothing, nothing_done) != 0)
        return ERR_IO;
    return sandbox_enter_calls(&k->sandbox, SANDBOX_KEEPER);
}
