/* An accepted leaf has exactly one encoding. */
#include "base/text.h"
#include "journal/leaf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const Bytes in = { data, size };
    uint8_t again[LEAF_BYTES];
    Leaf leaf;

    if (leaf_decode(in, &leaf) != OK)
        return 0;
    leaf_encode(&leaf, again);
    if (!text_eq(in, VIEW(again)))
        abort();
    return 0;
}
