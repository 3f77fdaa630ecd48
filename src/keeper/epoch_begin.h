/* A restored ledger goes on under another name and key: journal/epoch.h. */
#ifndef KEEPER_EPOCH_BEGIN_H
#define KEEPER_EPOCH_BEGIN_H

#include "keeper/keys.h"
#include "store/store.h"
#include "sys/clock.h"

#define EPOCH_META "restored" /* the note, until the keeper's next start has recorded it */

/* Of a store and a journal's folder that no keeper uses: writes the next epoch-N, gives the store
 * another origin and signing seed, signs a first checkpoint with it, and moves the number of
 * starts beyond any that the lost store may have come to (nonces never repeat under a session's
 * key). *ret_size: leaves that are there. */
Err epoch_begin(Store *store, const char *journal, Keys *keys, Clock now,
                uint64_t *ret_size) MUST_CHECK;

#endif
