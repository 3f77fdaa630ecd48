/* The tables, as steps from one version to the next; PRAGMA user_version says where a file is.
 * A step, once released, is never changed. Private to store/. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

enum { STORE_SCHEMA_VERSION = 4 };

extern const char *const STORE_MIGRATIONS[STORE_SCHEMA_VERSION];

#endif
