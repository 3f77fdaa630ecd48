/* The accounts of this host that gateway.admin_users names.
 *
 * Looked up once, at the start: name services read files and make sockets, and in its sandbox
 * the keeper can do neither. Who is added to the host later counts from the next start on. */
#ifndef KEEPER_ADMINISTRATORS_H
#define KEEPER_ADMINISTRATORS_H

#include "base/arena.h"
#include "config/config.h"

#include <sys/types.h>

typedef struct Administrator {
    uid_t uid;
    Bytes name; /* as configured */
} Administrator;

typedef struct Administrators {
    Administrator *at;
    size_t count;
} Administrators;

/* Names that this host does not know are left out, with a line in the log. */
Err administrators_find(const Names *names, Arena *arena, Administrators *ret) MUST_CHECK;
/* ERR_REFUSED: not an administrator. root always is. */
Err administrators_name(const Administrators *a, uid_t uid, Bytes *ret) MUST_CHECK;

#endif
