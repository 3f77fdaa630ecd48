#include "base/crc32c.h"

#include "base/crc32c_table.h"

/* Eight bytes a step: without special instructions, so that the same code runs everywhere. */
uint32_t crc32c(Bytes data)
{
    uint32_t crc = 0xffffffffu;
    size_t at = 0;

    for (; data.len - at >= 8; at += 8) {
        const uint8_t *p = data.ptr + at;
        crc = CRC_TABLE[7][p[0] ^ (crc & 0xff)] ^ CRC_TABLE[6][p[1] ^ (crc >> 8 & 0xff)] ^
              CRC_TABLE[5][p[2] ^ (crc >> 16 & 0xff)] ^ CRC_TABLE[4][p[3] ^ crc >> 24] ^
              CRC_TABLE[3][p[4]] ^ CRC_TABLE[2][p[5]] ^ CRC_TABLE[1][p[6]] ^ CRC_TABLE[0][p[7]];
    }
    for (; at < data.len; at++)
        crc = crc >> 8 ^ CRC_TABLE[0][(crc ^ data.ptr[at]) & 0xff];
    return ~crc;
}
