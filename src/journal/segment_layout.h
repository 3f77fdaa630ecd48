/* What the two halves of segment.h share and nobody else needs: the constants of the layout. */
#ifndef JOURNAL_SEGMENT_LAYOUT_H
#define JOURNAL_SEGMENT_LAYOUT_H

#include <stdint.h>

static const uint8_t SEGMENT_MAGIC[4] = { 'C', 'H', 'P', 'S' };
static const uint8_t SEAL_MAGIC[4] = { 'C', 'H', 'P', 'E' };
/* Not text, not zeros, not a plausible length. */
static const uint8_t COMMIT_MARKER[4] = { 0xc3, 0x4d, 0x49, 0x54 };

enum { FRAME_OPENING = 8 }; /* length and CRC */

#endif
