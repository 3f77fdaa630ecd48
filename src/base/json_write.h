/* JSON out, one value after another, into a Buf. RFC 8259.
 *
 * Commas are the writer's business. Keys and strings are bytes: invalid UTF-8 comes
 * out as U+FFFD, so that the document is always valid. The first failure sticks and
 * is what json_write_end() returns; between, calls need no check. */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/buf.h"

typedef struct Json {
    Buf *out;
    Err err;
    bool comma; /* the next value is not the first of its container */
} Json;

Json json_write_begin(Buf *out);
Err json_write_end(const Json *j) MUST_CHECK;

/* `key` NULL inside arrays and at the top; otherwise a literal with nothing in it to escape. */
void json_write_object(Json *j, const char *key);
void json_write_object_end(Json *j);
void json_write_array(Json *j, const char *key);
void json_write_array_end(Json *j);
void json_write_string(Json *j, const char *key, Bytes value);
void json_write_u64(Json *j, const char *key, uint64_t value);
void json_write_i64(Json *j, const char *key, int64_t value);
void json_write_bool(Json *j, const char *key, bool value);
void json_write_null(Json *j, const char *key);
/* `document` is JSON already. */
void json_write_raw(Json *j, const char *key, Bytes document);

#endif
