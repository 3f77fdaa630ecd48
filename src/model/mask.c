#include "model/mask.h"

#include "base/text.h"

static const struct {
    MaskMethod method;
    const char *name;
} METHODS[] = {
#define MASK_NAME(name, text) { MASK_##name, text },
    MASK_METHODS(MASK_NAME)
#undef MASK_NAME
};

const char *mask_method_name(MaskMethod method)
{
    for (size_t i = 0; i < COUNT_OF(METHODS); i++)
        if (METHODS[i].method == method)
            return METHODS[i].name;
    return "withhold";
}

MaskMethod mask_method_by_name(Bytes name)
{
    for (size_t i = 0; i < COUNT_OF(METHODS); i++)
        if (text_eq(text_of(METHODS[i].name), name))
            return METHODS[i].method;
    return MASK_WITHHOLD;
}
