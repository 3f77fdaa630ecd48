/* A new configuration in two phases, or not at all.
 *
 *     file ──▶ PREPARING: keeper and workers load the same bytes ── all yes, one hash ──▶
 *              RECORDING: config.change on the keeper's disk ──▶ COMMITTING: from now on
 *
 * A no, an end or silence before the record is there: nothing changes anywhere, and the log and
 * whoever asked are told why. Afterwards there is no way back: who does not take it is killed, and
 * starts again with it. */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include "supervisor/loaded.h"
#include "sys/channel.h"
#include "sys/loop.h"

typedef enum ReloadPhase {
    RELOAD_NOTHING = 0,
    RELOAD_PREPARING,
    RELOAD_RECORDING,
    RELOAD_COMMITTING,
} ReloadPhase;

typedef struct Reload {
    ReloadPhase phase;
    Loaded *next;        /* until it is in force */
    uint64_t last_epoch; /* that was tried */
    uv_timer_t patience;
    bool called; /* by an administrator: the keeper's question waits */
    uint64_t question;
    char asked_by[128];
    Buf words; /* warnings of the file */
    bool hashed;
    uint8_t hash[32]; /* that the first process said */
    bool again;       /* SIGHUP came meanwhile */
} Reload;

struct Supervisor;
struct Child;

void reload_init(struct Supervisor *s);
void reload_on_signal(struct Supervisor *s);
/* The keeper's question is answered when it is over. */
void reload_on_call(struct Supervisor *s, const ChannelMessage *m);
void reload_prepared(struct Child *c, Bytes body);
void reload_child_ended(struct Supervisor *s, const struct Child *c);
/* Nobody is started between the record and the commit. */
bool reload_holds_starts(const struct Supervisor *s);

#endif
