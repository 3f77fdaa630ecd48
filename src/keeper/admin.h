/* Calls of the admin socket: the console parses, the keeper authenticates, authorises, records
 * and does. Administrators configure, they never approve. */
#ifndef KEEPER_ADMIN_H
#define KEEPER_ADMIN_H

#include "keeper/keeper_state.h"

/* Takes one call and answers it by the peer's channel, now or later. */
Err admin_take(KeeperPeer *peer, const ChannelMessage *m) MUST_CHECK;

/* Calls that waited too long for somebody else are told so. */
void admin_tick(Keeper *k);

#endif
