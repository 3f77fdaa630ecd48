/* The keeper's own sandbox: which folders it keeps, and the two steps into it. */
#ifndef KEEPER_ROOM_H
#define KEEPER_ROOM_H

#include "keeper/keeper_state.h"

/* After keeper_open(), before the first thread: only the folders of state and journal, and for
 * reading those where passwords of resources lie (they may be replaced while we run). */
Err room_shut_files(Keeper *k) MUST_CHECK;
/* Starts the pool's threads, then no call but those of the table. */
Err room_shut_calls(Keeper *k) MUST_CHECK;

#endif
