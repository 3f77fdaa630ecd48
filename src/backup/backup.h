/* A consistent copy of state and journal, made while the gateway runs, without it.
 *
 *     1. a snapshot of the store: one moment, by SQLite's own backup
 *     2. the log and the seals as far as that moment knows them
 *     3. the segments that are sealed in it: nobody changes those any more
 *     4. of the open ones what is there by now, up to the first session that the store of that
 *        moment does not know: a restore recovers them as after a crash
 *
 * Needs to read what the keeper
 * owns: root, or the keeper's account. */
#ifndef BACKUP_BACKUP_H
#define BACKUP_BACKUP_H

#include "config/config.h"

typedef struct BackupDone {
    uint64_t segments, records; /* under the ledger's head */
} BackupDone;

/* Makes `path`, which must not be there; nothing stays of it when this fails. *ret_why: a static
 * text for people; errno tells more on ERR_IO. */
Err backup_write(const Storage *storage, const char *path, BackupDone *ret,
                 const char **ret_why) MUST_CHECK;

#endif
