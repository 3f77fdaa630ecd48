/* A worker: accepts, and owns its sessions from accept to close. No secrets, no store, no names.
 *
 *     poll callbacks          read what is ready; mark sessions
 *     check callback: turn    every marked session: decode, judge, mask into its out-buffers
 *                             one write of all records of the turn
 *                             send
 *
 * Nothing is sent from a read callback. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "config/config.h"
#include "gate/ruling.h"
#include "phi/transform.h"
#include "proto/pg/pg.h"
#include "proto/pg/pg_parameters.h"
#include "proto/pg/pg_signin.h"
#include "proto/pg/pg_upstream.h"
#include "sys/channel.h"
#include "sys/clock.h"
#include "sys/sandbox.h"
#include "sys/tls_peer.h"
#include "worker/recorder.h"
#include "worker/route.h"

typedef struct Target Target;
typedef struct WorkerEdition WorkerEdition; /* edition.h */
typedef struct Account Account;

/* What is known of a target at one moment; shared, immutable. */
typedef struct Knowledge {
    size_t refs;
    Arena arena;
    const Schema *schema;
    Bytes default_path;      /* search_path of the gateway's account */
    SearchPath *shared_path; /* that, read, for the sessions that have it */
    Bytes cluster;           /* whose: PgBackend's */
} Knowledge;

/* What a target's servers tell of themselves: ParameterStatus messages; shared, immutable. */
typedef struct Parameters {
    size_t refs;
    Buf messages;
} Parameters;

/* How each column leaves for one masking profile under one Knowledge. */
typedef struct ProfileView {
    size_t refs;
    Knowledge *knowledge;
    const MaskingProfile *profile;
    Arena arena;
    const Protection *protection;
    struct ProfileView *next; /* in the target's list, newest first */
} ProfileView;

typedef enum SessionPhase {
    SESSION_SIGNIN,    /* talking to the client */
    SESSION_SHAKING,   /* TLS with the client: its answer, its handshake */
    SESSION_KEEPER,    /* the keeper's answer is due */
    SESSION_GREETING,  /* signed in; what the target tells of itself is due */
    SESSION_WAITING,   /* for the first statement: there is no connection to the target yet */
    SESSION_PREPARING, /* for it: pseudonym keys, catalogue */
    SESSION_DIALING,
    SESSION_SECURING, /* TLS with the target */
    SESSION_UPSTREAM, /* signing in at the target */
    SESSION_PAUSING,  /* it refused the gateway's password: once more in a moment */
    SESSION_OPEN,
    SESSION_ENDING, /* last words are on their way out */
    SESSION_DEAD,   /* freed at the end of the turn */
} SessionPhase;

enum { CANCEL_SLOT_SHIFT = 24 };

typedef struct Session {
    struct Worker *worker;
    struct Session *previous, *next; /* all */
    struct Session *next_ready;      /* marked for the next turn */
    struct Session *next_turn;       /* taken for this one; may be marked anew meanwhile */
    uint64_t born_epoch;             /* it may borrow from that edition and all later ones */
    bool ready;
    bool resting;        /* what an idle session does not need was given back */
    uint64_t stepped_ms; /* its last turn */
    SessionPhase phase;
    int client_fd, server_fd;
    uv_poll_t *client_poll, *server_poll;
    int client_events, server_events; /* what is being polled for */
    Tls *client_tls, *server_tls;     /* NULL: plain */
    bool signing;                     /* the keeper was asked to sign the handshake */
    uint64_t tls_epoch;               /* of the certificate that the client was shown */
    TlsPeer certificate;              /* the client's own, if it showed one */
    uint64_t certificate_epoch;       /* by whose authorities it was looked at last */
    bool client_gone, server_gone;
    uint64_t deadline_ms; /* of the phase; 0: none */
    uint64_t again_ms;    /* of the second try at the target; 0: none yet */
    uint64_t wait_synced; /* nothing leaves before the recorder has synced this far */
    bool durable;         /* something of this turn must be on disk before it takes effect */
    char peer[64];
    Arena arena;
    Gate gate;
    PgSignin signin;
    Route route;
    PgUpstream upstream;
    Pg pg;
    Ruler ruler;
    /* Known once signed in. */
    Id id;
    size_t out_flushed; /* bytes of wire.to_client whose records are in the kernel */
    bool proving;       /* the keeper was asked to open this session: it has to hear of its end */
    bool recorded;      /* session.start is written: what leaves is recorded */
    bool begun;         /* session.start is written, so there has to be an end */
    bool named;         /* refused by the keeper, whose record has its id */
    Identity who;
    Target *target;
    Parameters *told;  /* what the greeting was made of; NULL: not greeted, or corrected since */
    ProfileView *view; /* NULL until the first statement */
    JournalKey audit, content;
    SessionChain chain;
    HmacKey salt;
    Hash actor_commit, target_commit;
    Bytes server_final;
    PhiKeys phi_keys;
    size_t keys_due;
    uint64_t statements;
    Buf receipts;      /* of answers whose output is not written down yet */
    bool receipt_lost; /* memory: nothing more can leave */
    Account *account;  /* budget.c; NULL: not signed in */
    uint64_t bytes;    /* this session's part of the journal */
    uint64_t bytes_reported;
    uint64_t bytes_counted;  /* in the account's sums, as the keeper told */
    uint64_t bytes_answered; /* at the end of the last turn in which the target was ready */
    bool answered;           /* it was in this turn */
    bool cancelled;          /* the statement that waits for the connection */
    uint32_t cancel_pid; /* the worker's slot << CANCEL_SLOT_SHIFT, random below; 0: not greeted */
    uint8_t cancel_key[PG_CANCEL_KEY_3_2];
    size_t cancel_key_bytes; /* by the protocol's minor */
    const char *end_reason;
    struct ParseJob *parse_job; /* NULL: none under way */
    uint64_t parse_deadline_ms;
    /* A held command. */
    Id request;
    bool holding;
    bool hold_is_stale; /* the rules changed while the keeper was being asked */
    bool too_long;      /* nobody can read this much: refused at the next step */
    Arena held_words;
    Verdict held_verdict;
    Bytes held_check_word;    /* in held_words */
    uint64_t held_since_ms;   /* the request was made then */
    uint64_t ticket_asked_ms; /* it has waited as long as it would, and said so then; 0: not yet */
    unsigned held_notices;    /* reminders the client was sent */
    Hash approval_leaf;
    IdText held_request;
} Session;

typedef struct Worker {
    uv_loop_t loop;
    uv_poll_t listen_poll;
    uv_check_t check;
    uv_timer_t tick;
    uv_signal_t on_term;
    Arena arena;
    WorkerEdition *edition;  /* in force; older ones behind it */
    WorkerEdition *prepared; /* NULL: no reload is under way */
    uint32_t slot;
    Id writer;
    Channel *supervisor, *keeper;
    uint64_t keeper_lost_ms; /* 0: it is there */
    uint64_t began_ms;
    uint32_t keeper_channels; /* that came after the first */
    int listen_fd;
    Clock now;
    int64_t this_year; /* UTC, of `now` */
    Recorder recorder;
    Buf payload; /* of the record being made */
    LookCache looks;
    SipKey hash_key;
    SandboxState sandbox;
    uint64_t schemas; /* made so far, of all targets: no two have one generation */
    Account *accounts;
    uint64_t reported_ms;
    uint64_t rested_ms, trimmed_ms;
    size_t rested;   /* sessions, since memory was last given back to the system */
    Histogram syncs; /* what the keeper was not told yet */
    uint64_t tallied_ms;
    DiskLevel disk;
    Fault no_budget; /* the words of the refusal being made, in `words` */
    Buf words;
    Session *sessions;
    Session *ready, **ready_end;        /* in the order in which they were marked */
    struct Explain *explains;           /* that wait for a catalogue */
    size_t session_count, sessions_max; /* as many as there are descriptors for */
    size_t seals_told;
    bool announced, draining; /* draining: the process ends */
    bool closed;              /* nobody new is taken */
} Worker;

/* There is a segment to write into: until then whoever connects waits in the kernel's queue. */
void worker_listen(Worker *w);
int worker_main(const char *slot, const char *writer_hex);

static inline uint64_t now_ms(const Worker *w)
{
    return w->now.mono_ns / 1000000;
}

/* session.c */
void session_accept(Worker *w, int fd, const char *peer);
void session_mark(Session *s); /* it has something to do this turn */
void session_step(Session *s);
void session_flush(Session *s); /* send what may be sent */
void session_watch(Session *s); /* poll for what it can take */
/* Says why in the client's protocol, then ends. */
void session_farewell(Session *s, const Fault *fault);
void session_end(Session *s, const char *reason);
void session_unrecorded(Session *s); /* CHP-5201: the journal cannot be written */
void session_free(Session *s);
void session_attach_server(Session *s, int fd);
void session_detach_server(Session *s); /* nothing of it is left */
Session *session_by_id(Worker *w, const Id *id);

/* Cut while somebody was being asked for it: what comes now is too late. */
static inline bool session_is_over(const Session *s)
{
    return s->phase == SESSION_ENDING || s->phase == SESSION_DEAD;
}

/* secure.c: TLS towards the client */
void secure_begin(Session *s);        /* `S` has left */
bool secure_begin_direct(Session *s); /* does the client begin with TLS? Then it has begun */
void secure_step(Session *s);

/* certificate.c: the client's. By the rules in force, of a session whose identity is known. NULL:
 * it may go on; else why not, a static text. */
const char *certificate_refusal(Session *s);
/* What the keeper has to know of it; `names` is filled. */
Err certificate_tell(Session *s, SigninBegin *ask, Buf *names) MUST_CHECK;
Err certificate_sha256(const Session *s, Buf *hex) MUST_CHECK; /* empty: none */

/* signin.c: from accept to greet_begin(); and from the first statement to connect_begin() */
void signin_step(Session *s);
Bytes signin_setting(const PgStartup *p, const char *name, bool own);
void signin_prepare(Session *s);  /* what a statement needs besides a connection */
void signin_prepared(Session *s); /* keys or catalogue came in */
/* The profile of its role has pseudonyms under keys that it was not lent yet. Until they are here
 * nothing is ruled on. */
Err signin_ask_missing_keys(Session *s) MUST_CHECK;
const MaskingProfile *session_profile(const Session *s); /* NULL: none */
Err session_write_start(Session *s) MUST_CHECK;

#ifdef CHAPERONE_TAKEN_OVER
/* taken_over.c, tests only: was it told to do something else? Then it has. */
bool taken_over(Session *s);
#endif

/* greet.c: from sign-in to the first statement, without a connection to the target */
void greet_begin(Session *s);
void greet_known(Session *s); /* what the target tells of itself may be known now */
void greet_step(Session *s);  /* the client may have said something */
/* What its own connection tells otherwise than the greeting did. */
Err greet_correct(Session *s, Bytes parameters, Buf *out) MUST_CHECK;
/* The application_name of its connection. */
Err greet_application(const Session *s, Buf *out) MUST_CHECK;

/* connect.c: from there to the target's ReadyForQuery */
void connect_begin(Session *s);
void connect_step(Session *s);
void connect_again(Session *s); /* the pause after a refused password is over */
bool connect_is_under_way(const Session *s);
bool connect_late(Session *s); /* the deadline is over; true: another address is tried */

/* ports.c: what gate and protocol ask for */
void ports_begin(Session *s);   /* what leaves can be recorded */
void ports_connect(Session *s); /* the road is open */
Err ports_write_record(Session *s, SegmentRecord *record) MUST_CHECK;
Err ports_write_rest(Session *s) MUST_CHECK; /* receipts that no output came with */

/* parse.c: heavy texts, on libuv's threads */
extern const Lang PARSE_SQL;
Err parse_begin(Worker *w) MUST_CHECK; /* starts the threads, before the sandbox closes */
void parse_start(Session *s);          /* for s->ruler.parse_text */
void parse_forget(Session *s);         /* it ends, or waited long enough */

/* hold.c */
Err hold_ask(Session *s, const Command *command, const GateRuling *ruling) MUST_CHECK;
void hold_answered(Session *s, const HoldAnswer *a);
void hold_withdraw(Session *s, const char *why);
void hold_refuse_long(Session *s);
void hold_renew(Session *s); /* withdrawn and judged again: the rules changed */
/* How many times somebody who has waited so long should have been told again: at 1, 5 and 9 min. */
unsigned hold_notices_due(uint64_t waited_ms);
void holds_tick(Worker *w);
void hold_cancel(Worker *w, const Cancel *cancel);
void hold_cancel_target(Session *s); /* what runs there */

/* idle.c: buffers and key schedules of a session that has nothing to do; whoever needs them again
 * has them made again. */
void session_rest(Session *s);
void idle_tick(Worker *w);

/* budget.c */
Err budget_open(Session *s) MUST_CHECK;             /* it is known who it is */
Err budget_move(Session *s, Target *to) MUST_CHECK; /* what it has recorded counts there now */
void budget_close(Session *s);
void budget_wrote(Session *s, uint64_t bytes);
void budget_answered(Session *s); /* the target is ready again */
/* Refused, whatever is allowed? Lives until the next call. */
const Fault *budget_refusal(Session *s);
/* At the end of a turn: stops what streams and may not, reports what is worth it. */
void budget_check(Session *s);
void budget_report(Session *s);
void budget_tick(Worker *w);
void budget_say_again(Worker *w); /* there is a new keeper */
void budget_told(Worker *w, const Budget *m);

/* tally.c: numbers for /metrics */
void tally_command(Session *s, Ruling ruling);
void tally_receipt(Session *s, const Receipt *receipt);
void tally_bytes(Session *s, uint64_t bytes);
void tally_tick(Worker *w);

/* cancel.c: takes `fd`, a fresh connection to the session's own server */
void cancel_upstream(const Session *s, int fd);

/* explain.c: questions of the keeper about statements that nobody runs */
void explain_asked(Worker *w, const ChannelMessage *m);
void explains_known(const Target *t);   /* its catalogue was read */
void explains_give_up(const Target *t); /* it cannot be read */
void explains_tick(Worker *w);
void explains_forget(Worker *w); /* the keeper that asked is gone */

/* keeper_link.c */
Err link_begin(Worker *w) MUST_CHECK;
void link_tick(Worker *w);
bool link_is_lost(const Worker *w); /* for longer than a keeper's restart takes */
/* target.c */
void targets_tick(Worker *w);
Target *target_of(Worker *w, Bytes resource); /* NULL: no such resource */
bool target_may_try_again(Target *t);         /* its password was refused; true once in a while */
const Resource *target_resource(const Target *t);
uint32_t target_index(const Target *t);
/* target_tls.c. Must it be reached over TLS? Then SSLRequest, and steps until OK: *tls is made on
 * the way. `address`: which of the resource's it is, for the name in the certificate. ERR_MORE:
 * wait for leg_handshake_events(); else *ret_why, a static text. */
bool target_is_secured(const Target *t);
Err target_secure_begin(int fd) MUST_CHECK;
Err target_secure(const Target *t, uint32_t address, int fd, Tls **tls,
                  const char **ret_why) MUST_CHECK;
/* Read the catalogue again; sessions that wait are resumed when it is there. */
void target_refresh(Target *t);
bool target_is_known(const Target *t);
Parameters *target_parameters(const Target *t); /* NULL: nobody was there yet */
void parameters_drop(Parameters *p);
bool target_is_fresh(const Target *t); /* compared with the target's within the last seconds */
/* The current view for a profile, one reference for the caller. */
Err target_view(Target *t, const MaskingProfile *profile, ProfileView **ret) MUST_CHECK;
void view_drop(ProfileView *v);

#endif
