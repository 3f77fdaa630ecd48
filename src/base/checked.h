/* Arithmetic on sizes that came from outside. The only place where it may happen. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include "base/base.h"

static inline MUST_CHECK Err size_add(size_t a, size_t b, size_t *ret)
{
    return __builtin_add_overflow(a, b, ret) ? ERR_LIMIT : OK;
}

static inline MUST_CHECK Err size_mul(size_t a, size_t b, size_t *ret)
{
    return __builtin_mul_overflow(a, b, ret) ? ERR_LIMIT : OK;
}

#endif
