/* What dead writers left: torn tails are cut, segments sealed and merged, sessions ended. Each
 * of these is a record in the keeper's own segment. */
#ifndef KEEPER_RECOVERY_H
#define KEEPER_RECOVERY_H

#include "keeper/keeper_state.h"

Err recovery_of_writer(Keeper *k, const Id *writer) MUST_CHECK;
/* Of everybody who is not among the living peers; at start. */
Err recovery_of_the_dead(Keeper *k) MUST_CHECK;

#endif
