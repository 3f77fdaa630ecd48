/* CRC-32C (Castagnoli; RFC 3720 appendix B.4), against accidents only: an attacker fixes it up. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/base.h"

uint32_t crc32c(Bytes data);

#endif
