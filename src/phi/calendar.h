/* Dates made coarse: the first of January of the same year. Proleptic Gregorian, leap-safe.
 *
 * `oldest` is a year: all that lies in it or before becomes its first day (45 CFR
 * 164.514(b)(2)(i)(C): years that imply an age over 89 are one category). */
#ifndef PHI_CALENDAR_H
#define PHI_CALENDAR_H

#include "base/buf.h"

/* Days and microseconds since 2000-01-01, PostgreSQL's binary formats. False: infinity. */
bool calendar_year_start_days(int32_t days, int64_t oldest, int32_t *ret);
bool calendar_year_start_micros(int64_t micros, int64_t oldest, int64_t *ret);
int64_t calendar_year(uint64_t unix_ns); /* UTC */

/* Text of any DateStyle whose parts are digits: 2026-03-04, 03/04/2026, 04.03.2026, with BC.
 * *ret_oldest: it became `oldest`. ERR_MALFORMED: anything else; `out` may have grown. */
Err calendar_date_text(Bytes date, int64_t oldest, Buf *out, bool *ret_oldest) MUST_CHECK;
/* ISO style only: "2026-03-04 05:06:07.8+02" gives "2026-01-01 00:00:00+00". */
Err calendar_stamp_text(Bytes stamp, bool zone, int64_t oldest, Buf *out) MUST_CHECK;

#endif
