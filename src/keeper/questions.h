/* The table of questions: which message goes where. Whatever is not in it, or comes from another
 * kind of process than it says, ends the channel. */
#ifndef KEEPER_QUESTIONS_H
#define KEEPER_QUESTIONS_H

#include "keeper/keeper_state.h"

/* From a worker or the console. Anything but OK ends the peer's channel. */
Err questions_take(KeeperPeer *peer, const ChannelMessage *m) MUST_CHECK;

#endif
