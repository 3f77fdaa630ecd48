/* Segment files: what a writer appends and a reader walks. The layout is specified in
 * chaperone-journal(5); in short
 *
 *     segment = header frame*
 *     header  = "CHPS" version segment writer created first_seq prev_hash crc      96 bytes
 *     frame   = length crc32c | leaf [ciphertext nonce tag [key ciphertext nonce tag]] | marker
 *
 * Pure: the writer appends to a Buf that the caller writes at the file's end, in order, whole.
 * A SegmentWriter lives as long as its process and goes from segment to segment.
 *
 * Nonces count within a key and are never given back, not even when an append fails. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "base/buf.h"
#include "crypto/aead.h"
#include "journal/leaf.h"

enum {
    SEGMENT_HEADER = 96,
    SEGMENT_VERSION = 1,
    SEGMENT_FRAME_OVERHEAD = 12, /* length, CRC and marker */
    SEGMENT_SEALING = AEAD_NONCE + AEAD_TAG,
    SEGMENT_PAYLOAD_MAX = 32 << 20, /* above every message limit, below a segment's size */
    SEAL_BYTES = 80,
};

/* One of a session's two keys. `party` is 0 for the worker that owns the session; whoever writes
 * for it later (the keeper, after a crash) takes another, so that nonces cannot meet. */
typedef struct JournalKey {
    Aead aead;
    uint8_t id[LEAF_ID];
    uint32_t party;
    uint64_t used; /* nonces given out */
} JournalKey;

Err journal_key_init(JournalKey *k, const uint8_t key[AEAD_KEY], const uint8_t id[LEAF_ID],
                     uint32_t party) MUST_CHECK;
void journal_key_done(JournalKey *k); /* wipes; safe on a zeroed key */

/* The records of one session, linked. Begin zeroed but for `id`; whoever carries a session on
 * takes it over as it stands. */
typedef struct SessionChain {
    uint8_t id[LEAF_ID];
    uint32_t seq; /* of the last record */
    Hash last;
} SessionChain;

typedef struct SegmentWriter {
    uint8_t writer[LEAF_ID];
    uint64_t segment;
    uint64_t next_seq;
    uint64_t length; /* bytes of the segment so far, header included */
    uint64_t count;  /* records in it */
    Hash last;       /* leaf hash of the writer's last record, across segments */
} SegmentWriter;

/* What the writer says of a finished segment, and what the keeper signs after re-reading it. */
typedef struct Seal {
    uint64_t segment;
    uint8_t writer[LEAF_ID];
    uint64_t length, count;
    Hash last; /* leaf hash of the last record; of the previous segment's when there is none */
} Seal;

/* The caller fills the leaf's type, times, commitments, protocol, effects, ruling, policy and
 * approval, and session_id where there is no chain. Everything else is set here. */
typedef struct SegmentRecord {
    Leaf leaf;
    SessionChain *chain; /* NULL: not part of a session's chain */
    JournalKey *key;     /* NULL: no payload */
    bool content;        /* `key` is the session's content key */
    Bytes payload;       /* plain; empty: no payload */
    /* What the client saw, beside a payload that must outlive it. Empty: none. */
    JournalKey *seen_key;
    Bytes seen;
} SegmentRecord;

void segment_writer_init(SegmentWriter *w, const uint8_t writer[LEAF_ID]);
/* Starts a segment: appends its header. Ids are the keeper's and ascend. */
Err segment_begin(SegmentWriter *w, uint64_t segment, uint64_t created_unix_ns,
                  Buf *out) MUST_CHECK;
/* Appends one frame and moves writer and chain on; w->last is then the record's leaf hash.
 * On error nothing has moved and `out` is as before. ERR_LIMIT: memory, or too large. */
Err segment_append(SegmentWriter *w, SegmentRecord *record, Buf *out) MUST_CHECK;
/* Bytes that the record takes. */
size_t segment_frame_size(const SegmentRecord *record);

Seal segment_seal(const SegmentWriter *w);
/* A fixed encoding, to be signed. */
void seal_encode(const Seal *seal, uint8_t ret[SEAL_BYTES]);
Err seal_decode(Bytes bytes, Seal *ret) MUST_CHECK;

/* --- reading ------------------------------------------------------------------------ */

typedef struct SegmentHeader {
    uint64_t segment;
    uint8_t writer[LEAF_ID];
    uint64_t created_unix_ns;
    uint64_t first_seq;
    Hash prev;
} SegmentHeader;

typedef enum SegmentStep {
    SEGMENT_END,    /* the last frame ended at the last byte */
    SEGMENT_RECORD, /* *ret_record is set */
    SEGMENT_TORN,   /* nothing committed follows: an append that was cut, or zeros. Final */
    SEGMENT_BROKEN, /* committed bytes were damaged; the next call goes on behind them, if it can */
} SegmentStep;

typedef enum SegmentFault {
    SEGMENT_SOUND,
    SEGMENT_BAD_LENGTH,
    SEGMENT_BAD_MARKER,
    SEGMENT_BAD_CRC,
    SEGMENT_BAD_LEAF,
} SegmentFault;

/* One sealed text in place. */
typedef struct SegmentPart {
    Bytes key_id, ciphertext, nonce, tag; /* all empty: there is none */
} SegmentPart;

/* A frame in place; views borrow from the segment's bytes. */
typedef struct SegmentFrame {
    uint64_t offset;
    Bytes leaf_bytes, sealed; /* the body: the leaf, and all that follows it */
    Leaf leaf;
    Hash hash; /* of the leaf */
    SegmentPart payload, seen;
} SegmentFrame;

typedef struct SegmentReader {
    Bytes segment;
    size_t at;          /* next frame; after SEGMENT_TORN, where the tail begins */
    size_t broken_at;   /* after SEGMENT_BROKEN: where */
    SegmentFault fault; /* and how */
    SegmentHeader header;
} SegmentReader;

/* `segment` is the whole file. ERR_MORE: shorter than a header, or zeros: creation was cut.
 * ERR_MALFORMED: not a header, or damaged. */
Err segment_reader_init(SegmentReader *r, Bytes segment) MUST_CHECK;
SegmentStep segment_next(SegmentReader *r, SegmentFrame *ret_frame);

/* Re-reads a whole segment, as the keeper does before it signs: every frame in its place, seq
 * without holes, payloads as their leaves say. `seal` is what the seal must be, up to the last
 * sound record. */
typedef struct SegmentSurvey {
    SegmentReader reader;
    SegmentStep begun; /* SEGMENT_RECORD, or why nothing can be read */
    Seal seal;
} SegmentSurvey;

void segment_survey_init(SegmentSurvey *s, Bytes segment);
/* SEGMENT_RECORD: one more. SEGMENT_END: sound to the last byte. SEGMENT_TORN: cut the file at
 * seal.length (0: not even a header; nothing else of the seal is set). SEGMENT_BROKEN: do not
 * sign. Not to be called again after the last three. */
SegmentStep segment_survey_next(SegmentSurvey *s, SegmentFrame *ret_frame);

/* What is sealed has the hash that its leaf says. True without a payload. */
bool segment_payload_holds(const SegmentFrame *f);
/* Appends the plain text of f->payload or f->seen; nothing where there is none.
 * ERR_REFUSED: another key's. ERR_MALFORMED: altered. */
Err segment_open(const SegmentFrame *f, const SegmentPart *part, JournalKey *key,
                 Buf *out) MUST_CHECK;

#endif
