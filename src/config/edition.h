/* One edition of the configuration on its way to all processes: what the supervisor read, once.
 *
 *     epoch u64 | yaml | public files       fields as in model/pack.h, in a sealed memfd
 *
 * Everybody loads the same bytes, so nobody can understand another file than the others, whatever
 * happens to it meanwhile. Epochs count from 1 at the supervisor's start; a number that was tried
 * and came to nothing is not used again. */
#ifndef CONFIG_EDITION_H
#define CONFIG_EDITION_H

#include "config/config.h"
#include "config/public_files.h"

enum { EDITION_BYTES_MAX = CONFIG_BYTES_MAX + PUBLIC_FILES_MAX + 64 };

typedef struct Edition {
    uint64_t epoch;
    Bytes yaml;
    Bytes public_files; /* config/public_files.h */
} Edition;

/* A sealed descriptor for the caller. */
Err edition_seal(const Edition *e, int *ret_fd) MUST_CHECK;
/* `bytes` is filled and has to outlive *ret. */
Err edition_read(int fd, Buf *bytes, Edition *ret) MUST_CHECK;

enum { RESTART_FIELDS_MAX = 9 };
/* Names of all that `fresh` would change and only a start can; how many. */
size_t edition_restart_fields(const Config *running, const Config *fresh,
                              const char *ret[RESTART_FIELDS_MAX]);
/* What `fresh` would change that only a start can: the field's name, NULL when there is nothing. */
const char *edition_needs_restart(const Config *running, const Config *fresh);
/* Do both mean the same server, account, credential and kind of TLS? Else their sessions cannot
 * go over from one to the other. */
bool edition_same_target(const Resource *a, const Resource *b);

#endif
