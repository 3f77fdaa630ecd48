/* The certificates and revocation lists that the configuration names: public, but not for a
 * sandboxed worker to open.
 *
 * The supervisor reads them once, after the configuration, and hands all children the same sealed
 * bytes: what keeper and workers believe cannot differ, whatever happens to the files meanwhile.
 *
 *     { reference, bytes } …        fields as in model/pack.h */
#ifndef CONFIG_PUBLIC_FILES_H
#define CONFIG_PUBLIC_FILES_H

#include "config/config.h"

enum { PUBLIC_FILES_MAX = 16 << 20, PUBLIC_FILE_MAX = 1 << 20 };

/* Appends. ERR_IO: *ret_path (in `a`) cannot be read, errno says why; ERR_LIMIT: it is too long. */
Err public_files_read(const Config *c, Arena *a, Buf *out, const char **ret_path) MUST_CHECK;
/* What was read for "file:/PATH"; a view of `packed`, empty when it is not in it. */
Bytes public_file(Bytes packed, Bytes reference);

#endif
