/* One scalar of a file, converted by the type of its field. Nothing is trimmed or guessed. */
#ifndef CONFIG_SCALAR_H
#define CONFIG_SCALAR_H

#include "config/fields.h"
#include "policy/policy.h"

Err scalar_bool(Bytes text, bool *ret) MUST_CHECK; /* true, false */
/* "500ms", "15s", "10m", "24h", "30d", "6y" (365 days). A unit is required. */
Err scalar_duration(Bytes text, uint64_t *ret_ms) MUST_CHECK;
/* "4096B", "64KiB", "16MiB", "1GiB". A unit is required. */
Err scalar_size(Bytes text, uint64_t *ret_bytes) MUST_CHECK;
/* "host:5432", "127.0.0.1:5432", "[::1]:5432", ":5432". */
Err scalar_address(Bytes text, Address *ret) MUST_CHECK;
/* NULL when `text` has the form, else what is wrong: a clause for people. */
const char *text_form_wrong(TextForm form, Bytes text);
bool address_is_loopback(const Address *a);

#endif
