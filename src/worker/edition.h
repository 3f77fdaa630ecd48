/* One edition of the configuration as this worker goes by it, and how sessions go over to the
 * next one.
 *
 *     PREPARE ──▶ prepared: loaded, contexts and new targets made ── COMMIT ──▶ edition
 *                                                                      every session: judged by
 *                                                                      it from now on, or cut
 *
 * A session may borrow from every edition that was in force while it lived, so one is freed when
 * nobody is left of those who were there before the next came. */
#ifndef WORKER_EDITION_H
#define WORKER_EDITION_H

#include "config/edition.h"
#include "worker/worker.h"

struct WorkerEdition {
    WorkerEdition *older;
    uint64_t epoch;
    Arena arena;
    Buf bytes;
    Bytes public_files; /* in `bytes` */
    Config config;
    Hash policy_hash;
    Bytes policy_hash_hex;
    TlsContext *tls; /* towards clients; NULL: none */
    /* One for each resource, in its order. */
    Target **targets;
    TlsContext **target_tls; /* NULL: plain */
    const char ***hosts;     /* whose certificate it must be, by address */
    Target *retired;         /* what the next edition has no use for; freed with this one */
};

/* For a start: what goes wrong is logged. */
Err worker_edition_begin(Worker *w, int fd) MUST_CHECK;
/* From the supervisor; `fd` is borrowed. */
Err worker_edition_prepare(Worker *w, const ChannelMessage *m) MUST_CHECK;
Err worker_edition_commit(Worker *w, const ChannelMessage *m) MUST_CHECK;
Err worker_edition_abandon(Worker *w, const ChannelMessage *m) MUST_CHECK;
/* Frees what nobody borrows from any more. */
void editions_tick(Worker *w);

#endif
