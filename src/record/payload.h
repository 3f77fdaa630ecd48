/* Payloads of a session's records: JSON under the audit key; what the client saw, compressed,
 * under the content key. Field names live for years: add, never rename. */
#ifndef RECORD_PAYLOAD_H
#define RECORD_PAYLOAD_H

#include "base/buf.h"
#include "model/command.h"
#include "model/id.h"
#include "model/identity.h"
#include "model/receipt.h"
#include "model/verdict.h"

/* First byte of a response.chunk's payload. */
enum { CHUNK_RAW = 0, CHUNK_ZSTD = 1 };
enum { CHUNK_COMPRESS_FROM = 4096 };

typedef struct SessionStartNote {
    const Identity *who;
    Bytes resource, role, peer, application, purpose, policy_hash_hex, target_version;
    Bytes tls_version, tls_cipher; /* towards the client; empty: plain */
    bool tls_bound;                /* the client's proof is bound to our certificate */
    Bytes certificate_subject, certificate_sha256_hex; /* the client's own; empty: none */
} SessionStartNote;

typedef struct SessionEndNote {
    Bytes reason;
    uint64_t statements;
    Bytes server; /* of the target, "10.0.0.7:5432"; empty: never got there */
    Bytes target_tls_version, target_tls_cipher; /* towards the target; empty: plain, or never */
} SessionEndNote;

typedef struct CommandNote {
    const Command *command;
    const Verdict *verdict;
    Bytes decision;
    unsigned effects;
    Bytes request; /* "r-…" of the approval it rests on; empty: none */
    Bytes inner;   /* text behind EXECUTE or FETCH; empty: none */
} CommandNote;

Err payload_session_start(const SessionStartNote *note, Buf *out) MUST_CHECK;
Err payload_command(const CommandNote *note, Buf *out) MUST_CHECK;
/* A JSON array of receipts: begun by the first, ended by payload_receipts_end(). */
Err payload_receipt(const Receipt *receipt, Buf *out) MUST_CHECK;
Err payload_receipts_end(Buf *out) MUST_CHECK;
Err payload_session_end(const SessionEndNote *note, Buf *out) MUST_CHECK;
/* JSON array of bound values: {"text":…} or {"hex":…,"type":…} or null. */
Err payload_values(const Command *command, Buf *out) MUST_CHECK;
/* At most LIMIT_RECORD bytes go in. */
Err payload_chunk(Bytes seen, Buf *out) MUST_CHECK;
/* Appends what was seen. ERR_MALFORMED: not such a payload. */
Err payload_chunk_open(Bytes payload, Buf *out) MUST_CHECK;

#endif
