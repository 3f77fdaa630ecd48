/* Our token boundaries against pg_query_scan's. */
#ifndef TESTS_SCAN_COMPARE_H
#define TESTS_SCAN_COMPARE_H

#include "base/base.h"

/* NULL: they agree, or both refuse, or only PostgreSQL's does. `text` ends with a NUL that is
 * not counted and has none inside; it is valid UTF-8. */
const char *scan_difference(Bytes text);
/* Has PostgreSQL the same kinds of tokens in both, or refuses both? Texts as above. */
bool scan_same_tokens(Bytes a, Bytes b);

#endif
