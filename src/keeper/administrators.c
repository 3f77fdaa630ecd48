#include "keeper/administrators.h"

#include "base/text.h"
#include "sys/log.h"

#include <pwd.h>

enum { ENTRY_ROOM = 16 << 10 };

static Err uid_of(Bytes name, uid_t *ret)
{
    CLEANUP(arena_done) Arena scratch = { 0 };
    struct passwd entry, *found = NULL;
    const char *text;
    void *room;

    arena_init(&scratch, ENTRY_ROOM + 4096);
    TRY(arena_string(&scratch, name, &text));
    TRY(arena_alloc(&scratch, ENTRY_ROOM, &room));
    if (getpwnam_r(text, &entry, room, ENTRY_ROOM, &found) != 0 || found == NULL)
        return ERR_REFUSED;
    *ret = found->pw_uid;
    return OK;
}

Err administrators_find(const Names *names, Arena *arena, Administrators *ret)
{
    void *room;

    *ret = (Administrators){ 0 };
    if (names->count == 0)
        return OK;
    TRY(arena_alloc(arena, names->count * sizeof *ret->at, &room));
    ret->at = room;
    for (size_t i = 0; i < names->count; i++) {
        Administrator *a = &ret->at[ret->count];

        if (uid_of(names->at[i], &a->uid) != OK) {
            log_line(LOG_WARN, "admin", "this host has no account %.*s of gateway.admin_users",
                     SHOW(names->at[i]));
            continue;
        }
        TRY(arena_copy(arena, names->at[i], &a->name)); /* it outlives this edition */
        ret->count++;
    }
    return OK;
}

Err administrators_name(const Administrators *a, uid_t uid, Bytes *ret)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->at[i].uid == uid) {
            *ret = a->at[i].name;
            return OK;
        }
    }
    if (uid != 0)
        return ERR_REFUSED;
    *ret = LIT("root");
    return OK;
}
