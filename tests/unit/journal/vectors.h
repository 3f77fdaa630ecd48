/* The shared vectors; a test without them says so loudly and counts as skipped (77). */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include "base/encode.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "test.h"

#include <jansson.h>
#include <string.h>

static inline json_t *vectors(const char *name)
{
    const char *folder = getenv("SHARED_DATA");
    char path[1024];
    json_t *root = NULL;

    if (folder != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, name);
        root = json_load_file(path, 0, NULL);
    }
    if (root == NULL) {
        fprintf(stderr, "SKIPPED: no vectors %s under SHARED_DATA=%s\n", name,
                folder != NULL ? folder : "(unset)");
        exit(77);
    }
    return root;
}

static inline Hash hash_from_hex(const char *hex)
{
    Hash h;
    Buf raw;

    buf_init(&raw, 64);
    EXPECT(hex_decode(text_of(hex), &raw) == OK && buf_len(&raw) == HASH_BYTES);
    memcpy(h.bytes, buf_view(&raw).ptr, HASH_BYTES);
    buf_done(&raw);
    return h;
}

#endif
