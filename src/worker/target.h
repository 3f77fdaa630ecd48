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

struct Target {
    Worker *worker;
    uint32_t index;
    TargetPhase phase;
    uint64_t phase_ms, checked_ms;
    bool wanted;  /* somebody waits for a fresh reading */
    bool started; /* the reading under way began after the last wish */
    int fd;
    uv_poll_t *poll;
    TlsContext *tls_context;          /* for sessions too; NULL: no TLS */
    const char *hosts[ADDRESSES_MAX]; /* whose certificate it must be, by address */
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
    ProfileView *views;
};

/* target_sessions.c. A new reading is there; or nobody could read, and whoever waits is told so. */
void target_tell_sessions(Target *t);
void target_give_up(Target *t);
/* The pooler before it changed the connection underneath: no session there is one. */
void target_drifted(Target *t);
/* target_tls.c: whom to believe. */
Err target_tls_begin(Target *t, Bytes public_files) MUST_CHECK;
/* view.c: the rows that were read become the target's Knowledge. */
Err target_take_knowledge(Target *t) MUST_CHECK;

#endif
