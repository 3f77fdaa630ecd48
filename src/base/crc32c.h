/* CRC-32C (Castagnoli; RFC 3720 appendix B.4), against accidents only: an attacker fixes it up. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/base.h"

uint32_t crc32c(Bytes data);
/* The same sum on a machine without an instruction for it; the test compares the two. */
uint32_t crc32c_by_table(Bytes data);

#endif
