/* Every message between our processes: who may send it to whom, and what it holds.
 *
 * The table closes by default: a message that is not in it, or comes from another kind of
 * process than it says, ends the sender's channel. A message with an answer is a question
 * (sys/channel.h keeps it until it is answered, also over a restart of the keeper). */
#ifndef MODEL_ASK_H
#define MODEL_ASK_H

#include "model/pack.h"

typedef enum Party {
    PARTY_SUPERVISOR = 1 << 0,
    PARTY_KEEPER = 1 << 1,
    PARTY_WORKER = 1 << 2,
    PARTY_CONSOLE = 1 << 3,
} Party;

/* name, number, from, to, is a question */
#define ASKS(X)                                                                                    \
    /* supervisor → keeper: a channel of a child (descriptor attached); its writer id. */        \
    X(PEER, 1, SUPERVISOR, KEEPER, false)                                                          \
    /* supervisor → keeper: that child is gone. */                                               \
    X(PEER_GONE, 2, SUPERVISOR, KEEPER, false)                                                     \
    /* supervisor → worker, console: a new way to a new keeper (descriptor attached). */         \
    X(KEEPER_CHANNEL, 3, SUPERVISOR, WORKER | PARTY_CONSOLE, false)                                \
    /* child → supervisor: ready to serve, and in which sandbox. */                              \
    X(READY, 4, KEEPER | PARTY_WORKER | PARTY_CONSOLE, SUPERVISOR, false)                          \
    /* worker → supervisor: a connected socket to a resource, please. */                         \
    X(DIAL, 5, WORKER, SUPERVISOR, true)                                                           \
    /* worker → supervisor → worker of that slot: a CancelRequest came in. */                  \
    X(CANCEL, 6, WORKER | PARTY_SUPERVISOR, SUPERVISOR | PARTY_WORKER, false)                      \
    /* keeper → supervisor: how are the processes doing? Answer: JSON. */                        \
    X(PROCESSES, 7, KEEPER, SUPERVISOR, true)                                                      \
    /* supervisor → worker: finish what runs, take nothing new; or take again. */                \
    X(DRAIN, 8, SUPERVISOR, WORKER, false)                                                         \
    /* supervisor → keeper: all living children were told of; recover what the dead left, serve. \
     */                                                                                            \
    X(START, 9, SUPERVISOR, KEEPER, false)                                                         \
    /* supervisor → keeper, worker: load this edition (descriptor attached), and wait. */        \
    X(PREPARE, 10, SUPERVISOR, KEEPER | PARTY_WORKER, false)                                       \
    X(PREPARED, 11, KEEPER | PARTY_WORKER, SUPERVISOR, false)                                      \
    /* supervisor → keeper: all said yes; put it on disk. */                                     \
    X(RECORD_CHANGE, 12, SUPERVISOR, KEEPER, true)                                                 \
    /* supervisor → keeper, worker: from now on. */                                              \
    X(COMMIT, 13, SUPERVISOR, KEEPER | PARTY_WORKER, true)                                         \
    /* supervisor → keeper, worker: it came to nothing. */                                       \
    X(ABANDON, 14, SUPERVISOR, KEEPER | PARTY_WORKER, false)                                       \
    /* keeper → supervisor: an administrator asks for a reload. */                               \
    X(RELOAD, 15, KEEPER, SUPERVISOR, true)                                                        \
    /* keeper → supervisor: drain, or what about it? */                                          \
    X(DRAIN_ALL, 16, KEEPER, SUPERVISOR, true)                                                     \
    /* keeper → supervisor: that child broke the rules, it may not live. */                      \
    X(PEER_BROKE, 17, KEEPER, SUPERVISOR, false)                                                   \
    /* worker, console → supervisor: the channel to the keeper has ended. */                     \
    X(KEEPER_LOST, 18, WORKER | PARTY_CONSOLE, SUPERVISOR, false)                                  \
    X(SEGMENT, 20, WORKER, KEEPER, true)                                                           \
    X(SEAL, 21, WORKER, KEEPER, false)                                                             \
    X(SIGNIN_BEGIN, 22, WORKER, KEEPER, true)                                                      \
    X(SIGNIN_PROVE, 23, WORKER, KEEPER, true)                                                      \
    X(SESSION_END, 24, WORKER, KEEPER, false)                                                      \
    X(UPSTREAM_PROVE, 25, WORKER, KEEPER, true)                                                    \
    X(PSEUDONYM_KEY, 26, WORKER, KEEPER, true)                                                     \
    X(HOLD, 27, WORKER, KEEPER, true)                                                              \
    X(HOLD_WITHDRAW, 28, WORKER, KEEPER, false)                                                    \
    X(HOLD_ANSWER, 29, KEEPER, WORKER, false)                                                      \
    X(SESSION_KILL, 30, KEEPER, WORKER, false)                                                     \
    /* worker → keeper, after a keeper's restart: this session lives. */                         \
    X(SESSION_ALIVE, 31, WORKER, KEEPER, false)                                                    \
    /* keeper → worker: how would this text be ruled on for this identity? Nothing runs. */      \
    X(EXPLAIN, 32, KEEPER, WORKER, true)                                                           \
    /* worker → keeper: what a session has put into the journal so far. */                       \
    X(RECORDED, 33, WORKER, KEEPER, false)                                                         \
    /* keeper → worker: what an identity has recorded on a resource, all sessions together. */   \
    X(BUDGET, 34, KEEPER, WORKER, false)                                                           \
    /* keeper → worker: how full the journal's volume is. */                                     \
    X(DISK, 35, KEEPER, WORKER, false)                                                             \
    /* worker → keeper: a signature for a TLS handshake, please. */                              \
    X(TLS_SIGN, 36, WORKER, KEEPER, true)                                                          \
    /* worker → keeper: which of the target's servers a session is on. */                        \
    X(SESSION_SERVER, 37, WORKER, KEEPER, false)                                                   \
    /* worker → keeper: the answer to a target that asks for MD5. */                             \
    X(UPSTREAM_MD5, 38, WORKER, KEEPER, true)                                                      \
    /* console → keeper: one call on the admin socket; the client's descriptor is attached. */   \
    X(ADMIN, 40, CONSOLE, KEEPER, false)                                                           \
    X(ADMIN_PART, 41, KEEPER, CONSOLE, false)                                                      \
    X(ADMIN_DONE, 42, KEEPER, CONSOLE, false)                                                      \
    /* console → keeper: the numbers of /metrics. */                                             \
    X(METRICS, 43, CONSOLE, KEEPER, true)                                                          \
    /* worker → keeper: what it counted since it last said; syncs of its segments. */            \
    X(TALLY, 44, WORKER, KEEPER, false)                                                            \
    X(SYNCS, 45, WORKER, KEEPER, false)

typedef enum AskKind {
#define ASK_ENUM(name, number, from, to, question) ASK_##name = number,
    ASKS(ASK_ENUM)
#undef ASK_ENUM
} AskKind;

/* May a message of this kind come from `from` to `to`? */
bool ask_allowed(uint16_t kind, Party from, Party to, bool is_question);

#define PEER_FIELDS(F)                                                                             \
    F(U8, party) /* Party */                                                                       \
    F(U32, slot)                                                                                   \
    F(U32, pid)                                                                                    \
    F(ID, writer) /* workers: who writes their segments */                                         \
    F(U8, known)  /* 1: the child lived before this keeper did */
#define PEER_BROKE_FIELDS(F) F(U32, pid)
#define READY_FIELDS(F)                                                                            \
    F(U8, landlock_abi) /* 0: Landlock is not active */                                            \
    F(U8, seccomp)      /* 1: active */
#define DRAIN_FIELDS(F) F(U8, on)
/* How many channels to a keeper it was given since it began with one. */
#define KEEPER_LOST_FIELDS(F) F(U32, given)
/* Of DRAIN_ALL; the answer is a Drain. */
typedef enum DrainWish { DRAIN_ASK = 0, DRAIN_BEGIN, DRAIN_END } DrainWish;
#define DRAIN_ALL_FIELDS(F) F(U8, wish) /* DrainWish */
#define EDITION_FIELDS(F)   F(U64, epoch)
#define PREPARED_FIELDS(F)                                                                         \
    F(U64, epoch)                                                                                  \
    F(U8, ok)                                                                                      \
    F(KEY, policy_hash) /* as this process understood it */                                        \
    F(BYTES, why)       /* it said no: for people */
#define RECORD_CHANGE_FIELDS(F)                                                                    \
    F(U64, epoch)                                                                                  \
    F(BYTES, asked_by)
#define RECORD_CHANGE_ANSWER_FIELDS(F) F(U8, ok)
#define RELOAD_FIELDS(F)               F(BYTES, asked_by)
#define RELOAD_ANSWER_FIELDS(F)                                                                    \
    F(U8, ok)                                                                                      \
    F(U32, exit_status) /* of the command line */                                                  \
    F(U64, epoch)       /* in force now */                                                         \
    F(BYTES, words)     /* why not; or warnings */
/* A resource by its index in the policy of that epoch: asker and answerer may be on two sides of
 * a commit. An endpoint is an address as text, "10.0.0.7:5432"; `only` and `tried` but narrow what
 * the resource's own addresses resolve to. */
#define DIAL_FIELDS(F)                                                                             \
    F(U64, epoch)                                                                                  \
    F(U32, resource) /* index in the policy */                                                     \
    F(BYTES, only)   /* this endpoint; empty: the first that answers */                            \
    F(LIST, tried)   /* but none of these endpoints */
#define DIAL_ANSWER_FIELDS(F)                                                                      \
    F(U8, ok)          /* 1: a descriptor is attached */                                           \
    F(U32, address)    /* index in the resource's addresses */                                     \
    F(BYTES, endpoint) /* what it is connected to */                                               \
    F(LIST, failed)    /* endpoints that did not answer */                                         \
    F(BYTES, why)      /* for people: "db1:5432 (10.0.0.7:5432): Connection refused; …" */
#define CANCEL_FIELDS(F)                                                                           \
    F(U32, slot)                                                                                   \
    F(U32, pid)                                                                                    \
    F(BYTES, key)
/* A worker's next segment file, opened for append (descriptor attached to the answer). */
#define SEGMENT_FIELDS(F) F(ID, writer)
#define SEGMENT_ANSWER_FIELDS(F)                                                                   \
    F(U8, ok)                                                                                      \
    F(U64, segment)                                                                                \
    F(U64, created_ns)
#define SEAL_FIELDS(F)                                                                             \
    F(ID, writer)                                                                                  \
    F(U64, segment)                                                                                \
    F(U64, length)                                                                                 \
    F(U64, count)                                                                                  \
    F(KEY, last_hash)
#define SIGNIN_BEGIN_FIELDS(F)                                                                     \
    F(BYTES, user)                                                                                 \
    F(BYTES, resource)                                                                             \
    F(BYTES, peer) /* address, text */                                                             \
    F(BYTES, client_first_bare)                                                                    \
    F(U64, epoch)                 /* by whose authorities the certificate was looked at */         \
    F(U8, certificate)            /* CertificateState */                                           \
    F(BYTES, certificate_wrong)   /* why it does not hold */                                       \
    F(BYTES, certificate_subject) /* of one that was shown, as the two below */                    \
    F(KEY, certificate_sha256)                                                                     \
    F(LIST, certificate_names)
/* The same shape for users that do not exist. */
#define SIGNIN_BEGIN_ANSWER_FIELDS(F)                                                              \
    F(ID, session)                                                                                 \
    F(BYTES, server_first)                                                                         \
    F(U32, refused) /* MessageCode: the sign-in ends here; 0: it goes on */                        \
    F(BYTES, why)
#define SIGNIN_PROVE_FIELDS(F)                                                                     \
    F(ID, session)                                                                                 \
    F(BYTES, client_final_without_proof)                                                           \
    F(KEY, proof)                                                                                  \
    F(BYTES, gs2_header)  /* what the client said of channel binding */                            \
    F(U8, tls)            /* 1: it came over TLS */                                                \
    F(U64, epoch)         /* of the certificate it was shown */                                    \
    F(BYTES, application) /* application_name */                                                   \
    F(BYTES, purpose)
#define SIGNIN_PROVE_ANSWER_FIELDS(F)                                                              \
    F(U8, ok)                                                                                      \
    F(BYTES, server_final)                                                                         \
    F(U8, identity_kind)                                                                           \
    F(U32, refused) /* MessageCode: who it is was shown, and no session may begin; 0: ok says */   \
    F(BYTES, rule)  /* of that */                                                                  \
    F(BYTES, why)                                                                                  \
    F(BYTES, name)                                                                                 \
    F(BYTES, owner)                                                                                \
    F(LIST, groups)                                                                                \
    F(U8, by_token)                                                                                \
    F(U64, expires_unix_ns) /* of the credential; 0: never */                                      \
    F(KEY, audit_key)                                                                              \
    F(KEY, content_key)                                                                            \
    F(ID, audit_key_id)                                                                            \
    F(ID, content_key_id)                                                                          \
    F(KEY, salt) /* for the leaf's commitments */
#define SESSION_END_FIELDS(F)                                                                      \
    F(ID, session)                                                                                 \
    F(BYTES, reason)                                                                               \
    F(U64, statements)
#define SESSION_SERVER_FIELDS(F)                                                                   \
    F(ID, session)                                                                                 \
    F(BYTES, endpoint) /* "10.0.0.7:5432" */
#define SESSION_ALIVE_FIELDS(F)                                                                    \
    F(ID, session)                                                                                 \
    F(ID, writer)
/* The whole of the session, so that telling twice does no harm and a lost one is made good. */
#define RECORDED_FIELDS(F)                                                                         \
    F(ID, session)                                                                                 \
    F(U64, bytes)
/* Hours and days since 1970, in UTC: what was recorded in another one does not count. */
#define BUDGET_FIELDS(F)                                                                           \
    F(BYTES, user)                                                                                 \
    F(BYTES, resource)                                                                             \
    F(ID, session) /* whose RECORDED this answers: zero, none's */                                 \
    F(U64, bytes)  /* of it, in the sums */                                                        \
    F(U64, hour)                                                                                   \
    F(U64, hour_bytes)                                                                             \
    F(U64, day)                                                                                    \
    F(U64, day_bytes)
typedef enum DiskLevel {
    DISK_NORMAL = 0,
    DISK_SESSIONS, /* new sessions of the largest writers are refused */
    DISK_READS,    /* and an answer may not be large */
} DiskLevel;
#define DISK_FIELDS(F)                                                                             \
    F(U8, level)    /* DiskLevel */                                                                \
    F(U32, percent) /* of the volume that is in use, when the level changed */
/* `session` zero: the worker's own schema connection. */
#define UPSTREAM_PROVE_FIELDS(F)                                                                   \
    F(ID, session)                                                                                 \
    F(U64, epoch)                                                                                  \
    F(U32, resource)                                                                               \
    F(BYTES, client_first_bare)                                                                    \
    F(BYTES, server_first)                                                                         \
    F(BYTES, gs2_header)                                                                           \
    F(BYTES, binding) /* hash of the server's certificate; empty: not bound */
#define UPSTREAM_PROVE_ANSWER_FIELDS(F)                                                            \
    F(U8, ok)                                                                                      \
    F(BYTES, client_final)                                                                         \
    F(KEY, server_signature) /* what the server must show */
#define UPSTREAM_MD5_FIELDS(F)                                                                     \
    F(ID, session)                                                                                 \
    F(U64, epoch)                                                                                  \
    F(U32, resource)                                                                               \
    F(BYTES, salt)
#define UPSTREAM_MD5_ANSWER_FIELDS(F) F(BYTES, text) /* "md5…"; empty: no */
#define TLS_SIGN_FIELDS(F)                                                                         \
    F(U64, epoch) /* of the certificate that the client is shown */                                \
    F(U8, scheme) /* TlsScheme */                                                                  \
    F(BYTES, data)
#define TLS_SIGN_ANSWER_FIELDS(F) F(BYTES, signature) /* empty: no */
#define PSEUDONYM_KEY_FIELDS(F)                                                                    \
    F(ID, session) /* on whose resource */                                                         \
    F(BYTES, scope)
#define PSEUDONYM_KEY_ANSWER_FIELDS(F)                                                             \
    F(U8, ok)                                                                                      \
    F(KEY, key_low) /* 64 bytes for AES-256-SIV, in two halves */                                  \
    F(KEY, key_high)
/* What exactly would run, and who may say yes. `unit` binds text, values, result formats,
 * database, search_path, role, policy hash, caller and resource. */
#define HOLD_FIELDS(F)                                                                             \
    F(ID, session) /* on whose resource */                                                         \
    F(BYTES, rule)                                                                                 \
    F(BYTES, role)                                                                                 \
    F(BYTES, fact) /* "UPDATE on patient, column phone" */                                         \
    F(BYTES, text)                                                                                 \
    F(BYTES, values) /* JSON array, as recorded */                                                 \
    F(KEY, unit)                                                                                   \
    F(BYTES, decision)                                                                             \
    F(BYTES, group)                                                                                \
    F(U32, count)                                                                                  \
    F(U64, hold_ms)                                                                                \
    F(U64, valid_ms)                                                                               \
    F(U8, ticket)                                                                                  \
    F(U8, waits) /* with a ticket: the session waits for a while first */
typedef enum HoldState {
    HOLD_REFUSED = 0, /* too many open requests, denied recently, nobody could answer: `why` */
    HOLD_WAITING,     /* an answer will come as HOLD_ANSWER */
    HOLD_TICKET,      /* the caller does not wait, or not any longer */
    HOLD_APPROVED,    /* an earlier request for this unit was approved; it is used up now */
    HOLD_DENIED,
    HOLD_EXPIRED,
    HOLD_WITHDRAWN,
} HoldState;
#define HOLD_STATE_FIELDS(F)                                                                       \
    F(ID, request)                                                                                 \
    F(U8, state) /* HoldState */                                                                   \
    F(BYTES, check_word)                                                                           \
    F(BYTES, who) /* the person who answered */                                                    \
    F(BYTES, why)                                                                                  \
    F(KEY, approval_leaf) /* hash of the answer's leaf in the keeper's segment */
#define HOLD_WITHDRAW_FIELDS(F)                                                                    \
    F(ID, request)                                                                                 \
    F(BYTES, why)                                                                                  \
    F(U8, ticket) /* 1: it has waited enough and takes its ticket; HOLD_TICKET answers */
#define SESSION_KILL_FIELDS(F)                                                                     \
    F(ID, session)                                                                                 \
    F(U32, code) /* MessageCode */                                                                 \
    F(BYTES, why)
#define EXPLAIN_FIELDS(F)                                                                          \
    F(BYTES, resource)                                                                             \
    F(U8, identity_kind)                                                                           \
    F(BYTES, name)                                                                                 \
    F(BYTES, owner)                                                                                \
    F(LIST, groups)                                                                                \
    F(BYTES, text)
#define EXPLAIN_ANSWER_FIELDS(F)                                                                   \
    F(U8, ok)                                                                                      \
    F(BYTES, json) /* worker/explanation.h */                                                      \
    F(BYTES, why)  /* it could not be judged: for people */
/* A call of the admin socket: a name and pairs of key and text. */
#define ADMIN_FIELDS(F)                                                                            \
    F(U64, call) /* the console's own number, for ADMIN_PART */                                    \
    F(BYTES, name)                                                                                 \
    F(BYTES, token)                                                                                \
    F(LIST, arguments) /* key, value, key, value … */
/* Not a question, so that a descriptor may travel with it; the console knows it again by `call`.
 * Lists come as one ADMIN_PART for each row, then ADMIN_DONE. */
#define ADMIN_PART_FIELDS(F)                                                                       \
    F(U64, call)                                                                                   \
    F(BYTES, json)
#define ADMIN_ANSWER_FIELDS(F)                                                                     \
    F(U64, call)                                                                                   \
    F(U32, exit_status) /* of the command line: PRODUCT's exit codes */                            \
    F(BYTES, json)      /* the result's last part, or the error */

#define TALLY_FIELDS(F)                                                                            \
    F(BYTES, resource) /* its name: counts outlive an edition */                                   \
    F(U64, allowed)                                                                                \
    F(U64, held)                                                                                   \
    F(U64, denied)                                                                                 \
    F(U64, masked)                      /* cells that left changed */                              \
    F(U64, recorded)                    /* bytes of journal */
#define SYNCS_FIELDS(F) F(BYTES, times) /* a Histogram, model/tally.h */
#define METRICS_FIELDS(F)                                                                          \
    F(U64, sessions)                                                                               \
    F(U64, requests_open)                                                                          \
    F(U64, segments)                                                                               \
    F(U64, signed_records)                                                                         \
    F(U64, started_ns)                                                                             \
    F(U64, not_after_s) /* 0: no certificate */                                                    \
    F(U8, recording)                                                                               \
    F(U32, disk_percent)                                                                           \
    F(BYTES, syncs)     /* a Histogram */                                                          \
    F(LIST, resources)  /* Tally, Tally … */                                                     \
    F(BYTES, processes) /* JSON, as the supervisor tells */

#define ASK_TYPE_U8    uint8_t
#define ASK_TYPE_U32   uint32_t
#define ASK_TYPE_U64   uint64_t
#define ASK_TYPE_BYTES Bytes
#define ASK_TYPE_LIST  PackList
#define ASK_TYPE_ID    Id
#define ASK_TYPE_KEY   PackKey

#define ASK_MESSAGES(X)                                                                            \
    X(Peer, peer, PEER_FIELDS)                                                                     \
    X(PeerBroke, peer_broke, PEER_BROKE_FIELDS)                                                    \
    X(Ready, ready, READY_FIELDS)                                                                  \
    X(Drain, drain, DRAIN_FIELDS)                                                                  \
    X(KeeperLost, keeper_lost, KEEPER_LOST_FIELDS)                                                 \
    X(DrainAll, drain_all, DRAIN_ALL_FIELDS)                                                       \
    X(EditionAsk, edition_ask, EDITION_FIELDS)                                                     \
    X(Prepared, prepared, PREPARED_FIELDS)                                                         \
    X(RecordChange, record_change, RECORD_CHANGE_FIELDS)                                           \
    X(RecordChangeAnswer, record_change_answer, RECORD_CHANGE_ANSWER_FIELDS)                       \
    X(ReloadAsk, reload_ask, RELOAD_FIELDS)                                                        \
    X(ReloadAnswer, reload_answer, RELOAD_ANSWER_FIELDS)                                           \
    X(DialAsk, dial, DIAL_FIELDS)                                                                  \
    X(DialAnswer, dial_answer, DIAL_ANSWER_FIELDS)                                                 \
    X(Cancel, cancel, CANCEL_FIELDS)                                                               \
    X(SegmentAsk, segment_ask, SEGMENT_FIELDS)                                                     \
    X(SegmentAnswer, segment_answer, SEGMENT_ANSWER_FIELDS)                                        \
    X(SealAsk, seal_ask, SEAL_FIELDS)                                                              \
    X(SigninBegin, signin_begin, SIGNIN_BEGIN_FIELDS)                                              \
    X(SigninBeginAnswer, signin_begin_answer, SIGNIN_BEGIN_ANSWER_FIELDS)                          \
    X(SigninProve, signin_prove, SIGNIN_PROVE_FIELDS)                                              \
    X(SigninProveAnswer, signin_prove_answer, SIGNIN_PROVE_ANSWER_FIELDS)                          \
    X(SessionEnd, session_end, SESSION_END_FIELDS)                                                 \
    X(SessionServer, session_server, SESSION_SERVER_FIELDS)                                        \
    X(SessionAlive, session_alive, SESSION_ALIVE_FIELDS)                                           \
    X(Recorded, recorded, RECORDED_FIELDS)                                                         \
    X(Budget, budget, BUDGET_FIELDS)                                                               \
    X(Disk, disk, DISK_FIELDS)                                                                     \
    X(UpstreamProve, upstream_prove, UPSTREAM_PROVE_FIELDS)                                        \
    X(UpstreamProveAnswer, upstream_prove_answer, UPSTREAM_PROVE_ANSWER_FIELDS)                    \
    X(UpstreamMd5, upstream_md5, UPSTREAM_MD5_FIELDS)                                              \
    X(UpstreamMd5Answer, upstream_md5_answer, UPSTREAM_MD5_ANSWER_FIELDS)                          \
    X(TlsSign, tls_sign, TLS_SIGN_FIELDS)                                                          \
    X(TlsSignAnswer, tls_sign_answer, TLS_SIGN_ANSWER_FIELDS)                                      \
    X(PseudonymKey, pseudonym_key, PSEUDONYM_KEY_FIELDS)                                           \
    X(PseudonymKeyAnswer, pseudonym_key_answer, PSEUDONYM_KEY_ANSWER_FIELDS)                       \
    X(HoldAsk, hold_ask, HOLD_FIELDS)                                                              \
    X(HoldAnswer, hold_answer, HOLD_STATE_FIELDS)                                                  \
    X(HoldWithdraw, hold_withdraw, HOLD_WITHDRAW_FIELDS)                                           \
    X(SessionKill, session_kill, SESSION_KILL_FIELDS)                                              \
    X(ExplainAsk, explain_ask, EXPLAIN_FIELDS)                                                     \
    X(ExplainAnswer, explain_answer, EXPLAIN_ANSWER_FIELDS)                                        \
    X(AdminCall, admin_call, ADMIN_FIELDS)                                                         \
    X(AdminPart, admin_part, ADMIN_PART_FIELDS)                                                    \
    X(AdminAnswer, admin_answer, ADMIN_ANSWER_FIELDS)                                              \
    X(Tally, tally, TALLY_FIELDS)                                                                  \
    X(Syncs, syncs, SYNCS_FIELDS)                                                                  \
    X(Metrics, metrics, METRICS_FIELDS)

#define ASK_FIELD(type, name) ASK_TYPE_##type name;
#define ASK_STRUCT(Type, prefix, FIELDS)                                                           \
    typedef struct Type {                                                                          \
        FIELDS(ASK_FIELD)                                                                          \
    } Type;                                                                                        \
    Err pack_##prefix(Buf *out, const Type *m) MUST_CHECK;                                         \
    /* The whole body, nothing left over. */                                                       \
    Err unpack_##prefix(Bytes body, Type *ret) MUST_CHECK;
ASK_MESSAGES(ASK_STRUCT)

#endif
