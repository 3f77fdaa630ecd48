/* The workers' segments: handed out, sealed when they are finished. */
#ifndef KEEPER_SEGMENTS_H
#define KEEPER_SEGMENTS_H

#include "keeper/keeper_state.h"

/* One being written, one ahead, and some slack for seals that are under way. */
enum { SEGMENTS_OPEN_MAX = 6 };

/* ret->ok says; then *ret_fd is the caller's to send and close. */
Err segments_give(Keeper *k, const Id *writer, SegmentAnswer *ret, int *ret_fd) MUST_CHECK;
/* Reads the segment again off the loop, then merges it. ERR_MALFORMED: not this writer's. */
Err segments_seal(KeeperPeer *peer, Bytes body) MUST_CHECK;

#endif
