/* A backup put back into an empty place. The whole file is proven before anything is written; the
 * ledger goes on in a new epoch (journal/epoch.h). */
#ifndef BACKUP_RESTORE_H
#define BACKUP_RESTORE_H

#include "backup/recovery_key.h"
#include "config/config.h"

#include <sys/types.h>

typedef struct Restore {
    const Storage *storage; /* root_key must be `auto` */
    const char *path;
    const RecoveryKey *key;
    uid_t owner; /* of what is made; 0: whoever we are */
} Restore;

/* *ret_records: leaves that are there. *ret_why: a static text for people. ERR_REFUSED: the key or
 * the place is wrong; ERR_MALFORMED: the backup is damaged. Nothing stays when this fails. */
Err restore_run(const Restore *r, uint64_t *ret_records, const char **ret_why) MUST_CHECK;

#endif
