/* The ledger's tables, log and seals, made again from the sealed segments.
 *
 * They repeat what the segments hold, in the order that the store remembers. What comes out has to
 * have the root that was signed: a table can be lost, but not changed by losing it. */
#ifndef KEEPER_LEDGER_REBUILD_H
#define KEEPER_LEDGER_REBUILD_H

#include "keeper/ledger.h"

/* Replaces both files. ERR_REFUSED: the segments do not give what was signed; nothing was
 * replaced. */
Err ledger_rebuild(const Ledger *l) MUST_CHECK;

#endif
