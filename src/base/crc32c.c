#include "base/crc32c.h"

#include "base/crc32c_table.h"

#include <string.h>

#if defined(__x86_64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <nmmintrin.h>

/* The CPU's own CRC-32C: ten times faster, and every record is summed twice in its life. */
__attribute__((target("sse4.2"))) static uint32_t by_instruction(Bytes data)
{
    uint64_t crc = 0xffffffffu;
    size_t at = 0;

    for (; data.len - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, data.ptr + at, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    uint32_t last = (uint32_t)crc;
    for (; at < data.len; at++)
        last = _mm_crc32_u8(last, data.ptr[at]);
    return ~last;
}

static bool has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}
#else
static uint32_t by_instruction(Bytes data)
{
    return crc32c_by_table(data);
}

static bool has_instruction(void)
{
    return false;
}
#endif

/* Eight bytes a step: without special instructions, so that the same code runs everywhere. */
uint32_t crc32c_by_table(Bytes data)
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

uint32_t crc32c(Bytes data)
{
    return has_instruction() ? by_instruction(data) : crc32c_by_table(data);
}
