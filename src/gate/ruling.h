/* From a command to a ruling: what the text means, what policy says, what the gateway answers
 * itself. Also the row plans: which column of an answer may leave how.
 *
 * One Ruler for each session. Pure: the worker gives it knowledge and takes its answers. */
#ifndef GATE_RULING_H
#define GATE_RULING_H

#include "gate/gate.h"
#include "gate/look.h"
#include "model/id.h"
#include "policy/judge.h"

enum { RULER_PATH_MAX = 16, RULER_MASKED_MAX = 1024 };

typedef enum Notices { NOTICES_FIRST = 0, NOTICES_ALL, NOTICES_OFF } Notices;

/* Explicit schemas in order: shared and never changed, NULL for none. Of one thread. */
typedef struct SearchPath SearchPath;

typedef struct Ruler {
    /* Fixed at sign-in. */
    const Policy *policy;
    const Role *role;
    const Resource *resource;
    const Identity *identity;
    const Id *session;
    const Proto *proto;
    void *proto_state;
    LookCache *cache;
    /* Replaced by the worker when the catalogue was read anew. */
    const Schema *schema;
    const Protection *protection;
    /* NULL, or why nothing new may be recorded for this caller: set before each ruling. */
    const Fault *refusal;
    /* Changing with the session. */
    SearchPath *path, *path_before; /* as the server has it; as it was when it was last ready */
    SearchPath *path_start;         /* what RESET brings back: as it was at the first command */
    bool started;
    Buf purpose, purpose_start; /* now; what RESET ALL brings back */
    Notices notices;
    bool transaction;     /* a transaction block is open, as far as the answers told */
    bool read_again;      /* the catalogue was read for the command at the front */
    bool catalogue_stale; /* this session changed the catalogue: nothing over relations until it
                           * was read again, which has to wait for the transaction's end */
    /* A heavy text is understood on another thread: which, and what came of it. */
    bool parse_wanted;
    Bytes parse_text; /* in the message or the names; copy it at once */
    Judged *parsed;
    uint64_t parsed_generation; /* of the catalogue it was understood under */
    bool plan_waits; /* rows of a relation that the snapshot lacks: it is being read anew */
    bool plan_again; /* it was read anew: what is unknown now is refused */
    bool approved;   /* a person approved the command at the front */
    uint64_t decisions;
    IdText decision;
    Arena words; /* of the ruling at hand */
    LocalAnswer local;
    Map masked;      /* "table.column" → itself, so that each is listed once */
    Buf masked_text; /* "mrn (pseudonym), last_name (redact)", in the order they were met */
    bool new_masks;  /* something was masked that the client has not been told of */
} Ruler;

void ruler_init(Ruler *r, SipKey hash_key);
void ruler_done(Ruler *r);
void ruler_forget_parsed(Ruler *r);
/* Reads what SET search_path takes: names with commas between, quoted or folded to lower case;
 * "$user" is `user`. What is too long or not such a list is as good as none. */
void search_path_read(Bytes value, Bytes user, SearchPath **path);
/* `*to` is `p` from now on, which may be NULL. */
void search_path_set(SearchPath **to, SearchPath *p);
/* Sessions that have the same share it: `*known` is what the last of them had. */
void search_path_share(SearchPath **path, SearchPath **known);
/* How many. The names live as long as `p`. */
size_t search_path_names(const SearchPath *p, Bytes ret_names[RULER_PATH_MAX]);

/* The text in the light of today's catalogue: ERR_REFUSED unless it is still allowed. */
Err ruler_look_again(Ruler *r, Bytes text, Judged **ret) MUST_CHECK;
/* GatePorts.judge and .drop; `ctx` is the Ruler. */
Err ruler_judge(void *ctx, const Command *command, GateRuling *ret) MUST_CHECK;
void ruler_drop(void *ctx, Judged *judged);
/* ProtoPorts.plan. ERR_MORE: the target names a relation that the snapshot lacks; once the
 * catalogue was read anew (plan_again) the text is understood and ruled on again. */
Err ruler_plan(void *ctx, const RowSource *source, const WireColumn *columns, size_t count,
               ColumnMask *ret_masks) MUST_CHECK;

/* ProtoPorts.completed, .ready, .notice. */
void ruler_completed(void *ctx, const RowSource *source);
void ruler_ready(void *ctx, bool in_transaction, bool failed);
bool ruler_notice(void *ctx, Fault *ret_fault);

#endif
