/* The bodies of messages between our own processes: fields in fixed order, lengths first.
 *
 * A struct and its two functions come from one list of fields (see ask.h). Both ends are
 * one binary of one version, so there is no skipping of unknown fields: a body that does not
 * fit its list ends the channel. */
#ifndef MODEL_PACK_H
#define MODEL_PACK_H

#include "base/buf.h"
#include "base/reader.h"
#include "model/id.h"

/* A list of texts, packed; walk it with pack_next(). Zeroed: empty. */
typedef struct PackList {
    Bytes packed;
} PackList;

typedef struct PackKey {
    uint8_t bytes[32];
} PackKey;

Err pack_U8(Buf *out, const uint8_t *v) MUST_CHECK;
Err pack_U32(Buf *out, const uint32_t *v) MUST_CHECK;
Err pack_U64(Buf *out, const uint64_t *v) MUST_CHECK;
Err pack_BYTES(Buf *out, const Bytes *v) MUST_CHECK;
Err pack_LIST(Buf *out, const PackList *v) MUST_CHECK;
Err pack_ID(Buf *out, const Id *v) MUST_CHECK;
Err pack_KEY(Buf *out, const PackKey *v) MUST_CHECK;

/* Views borrow from the message. */
Err unpack_U8(Reader *r, uint8_t *ret) MUST_CHECK;
Err unpack_U32(Reader *r, uint32_t *ret) MUST_CHECK;
Err unpack_U64(Reader *r, uint64_t *ret) MUST_CHECK;
Err unpack_BYTES(Reader *r, Bytes *ret) MUST_CHECK;
Err unpack_LIST(Reader *r, PackList *ret) MUST_CHECK;
Err unpack_ID(Reader *r, Id *ret) MUST_CHECK;
Err unpack_KEY(Reader *r, PackKey *ret) MUST_CHECK;

/* One more text for a list being packed into `list`. */
Err pack_item(Buf *list, Bytes text) MUST_CHECK;
/* False at the end, or where the list is broken. */
bool pack_next(PackList *list, Bytes *ret_text);

#endif
