/* A target's connection for the catalogue, and what was read over it. See target.c. */
#ifndef WORKER_TARGET_H
#define WORKER_TARGET_H

#include "worker/catalogue.h"
#include "worker/worker.h"

typedef enum TargetPhase {
    TARGET_NOTHING,
    TARGET_DIALING,
    TARGET_SECURING,
    TARGET_SIGNIN,
    TARGET_READING,
    TARGET_IDLE,
} TargetPhase;

enum { TARGET_ROW_MAX = 16 << 20 }; /* a view's definition comes as one row */

struct Target {
    Worker *worker;
    /* Of the newest edition that has it: edition.c. */
    const Resource *resource; /* NULL: of an edition that is not in force yet */
    uint32_t index;
    TlsContext *tls_context; /* for sessions too; NULL: no TLS */
    const char **hosts;      /* whose certificate it must be, by address */
    Tally tally;             /* what the keeper was not told yet; without the name */
    uint64_t tried_again_ms; /* after its password was refused; 0: never */
    bool refused, tried;     /* of its own connection: the password was; once more already */
    bool retired;            /* no edition in force has it */
    Target *next_retired;
    TargetPhase phase;
    uint64_t phase_ms, checked_ms;
    bool wanted;  /* somebody waits for a fresh reading */
    bool started; /* the reading under way began after the last wish */
    int fd;
    uv_poll_t *poll;
    Route route;
    Tls *tls; /* of this connection; NULL: plain, or not yet */
    Wire wire;
    Arena arena; /* of this connection */
    PgUpstream upstream;
    int query; /* QUERY_SETTINGS … CATALOGUE_COUNT - 1 */
    bool failed, drifted;
    CatalogueRows rows;
    Buf fingerprint, last_fingerprint;
    Knowledge *knowledge;
    Parameters *parameters; /* as this connection was told, or the last one */
    ProfileView *views;
};

/* target_sessions.c. A new reading is there; or nobody could read, and whoever waits is told so. */
void target_tell_sessions(Target *t);
void target_give_up(Target *t);
/* The pooler before it changed the connection underneath: no session there is one. */
void target_drifted(Target *t);
/* tally.c: tells the keeper what was counted. */
void tally_tell(Target *t);
/* target_life.c */
Err target_new(Worker *w, Target **ret) MUST_CHECK;
/* No session and no edition names it any more. */
void target_free(Target *t);
/* It is in no edition any more: whoever waits for it is told, nothing is asked of it again. */
void target_retire(Target *t);
/* Its own connection; it dials again when it has to. `why` NULL: nothing to log. */
void target_hang_up(Target *t, const char *why);
/* view.c: a policy of other rules starts its views afresh; with the same rules columns that were
 * kept masked stay so. */
void target_new_rules(Target *t, const Policy *policy, bool same_rules);
void target_views_done(Target *t);
/* target_sessions.c: `messages` are what it tells of itself now. */
Err target_take_parameters(Target *t, Bytes messages) MUST_CHECK;
Err target_tells(Target *t, Bytes message) MUST_CHECK; /* a ParameterStatus */
/* view.c: the rows that were read become the target's Knowledge. */
Err target_take_knowledge(Target *t) MUST_CHECK;

#endif
