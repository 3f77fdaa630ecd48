/* How long something took, many times: what Prometheus calls a histogram. */
#ifndef MODEL_TALLY_H
#define MODEL_TALLY_H

#include "base/buf.h"

enum { HISTOGRAM_BOUNDS = 9 };

typedef struct Histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* up to that bound and above the one before; beyond */
    uint64_t sum_ns;
} Histogram;

extern const uint64_t HISTOGRAM_BOUNDS_NS[HISTOGRAM_BOUNDS]; /* ascending */

void histogram_add(Histogram *h, uint64_t ns);
void histogram_merge(Histogram *into, const Histogram *from);
uint64_t histogram_count(const Histogram *h);
Err histogram_pack(const Histogram *h, Buf *out) MUST_CHECK;
/* ERR_MALFORMED: not the bytes of one. */
Err histogram_unpack(Bytes packed, Histogram *ret) MUST_CHECK;

#endif
