#include "model/tally.h"

#include "base/reader.h"

#define US 1000ull
#define MS (1000 * US)

const uint64_t HISTOGRAM_BOUNDS_NS[HISTOGRAM_BOUNDS] = { 100 * US, 500 * US,  MS,
                                                         5 * MS,   20 * MS,   50 * MS,
                                                         200 * MS, 1000 * MS, 5000 * MS };

void histogram_add(Histogram *h, uint64_t ns)
{
    size_t at = 0;

    while (at < HISTOGRAM_BOUNDS && ns > HISTOGRAM_BOUNDS_NS[at])
        at++;
    h->counts[at]++;
    h->sum_ns += ns;
}

void histogram_merge(Histogram *into, const Histogram *from)
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        into->counts[i] += from->counts[i];
    into->sum_ns += from->sum_ns;
}

uint64_t histogram_count(const Histogram *h)
{
    uint64_t sum = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        sum += h->counts[i];
    return sum;
}

Err histogram_pack(const Histogram *h, Buf *out)
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        TRY(buf_u64(out, h->counts[i]));
    return buf_u64(out, h->sum_ns);
}

Err histogram_unpack(Bytes packed, Histogram *ret)
{
    Reader r = reader_of(packed);

    *ret = (Histogram){ 0 };
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        TRY(reader_u64(&r, &ret->counts[i]));
    TRY(reader_u64(&r, &ret->sum_ns));
    return reader_at_end(&r) ? OK : ERR_MALFORMED;
}
