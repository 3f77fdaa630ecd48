/* Dates made coarse: the first of January of the same year. Proleptic Gregorian, leap-safe. */
#ifndef PHI_CALENDAR_H
#define PHI_CALENDAR_H

#include "base/buf.h"

/* Days and microseconds since 2000-01-01, PostgreSQL's binary formats. False: infinity. */
bool calendar_year_start_days(int32_t days, int32_t *ret);
bool calendar_year_start_micros(int64_t micros, int64_t *ret);

/* Text of any DateStyle whose parts are digits: 2026-03-04, 03/04/2026, 04.03.2026, with BC.
 * ERR_MALFORMED: anything else; `out` may have grown. */
Err calendar_date_text(Bytes date, Buf *out) MUST_CHECK;
/* ISO style only: "2026-03-04 05:06:07.8+02" gives "2026-01-01 00:00:00+00". */
Err calendar_stamp_text(Bytes stamp, bool zone, Buf *out) MUST_CHECK;

#endif
