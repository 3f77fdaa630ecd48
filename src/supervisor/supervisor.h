/* `chaperone serve`: reads the configuration, opens listeners, starts and restarts the others.
 *
 *     supervisor ── keeper          secrets, store, signing key
 *       │  │  └──── console         admin socket
 *       │  └─────── worker × n      one road for each session
 *       └────────── dialer          short-lived: resolves, connects, hands the descriptor over
 *
 * Parses no traffic and holds no secret. When it dies its children die with it. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "base/base.h"

/* Keeper, worker and console are this account and the next two when started as root. */
enum { SUPERVISOR_FIRST_UID = 61841 };

/* Returns the exit status of the process. */
int supervisor_serve(const char *config_path);

#endif
