/* Texts that differ only in plain literals: `aid = 7` and `aid = 12` are parsed once.
 *
 * A plain literal is an integer of at most nine digits (always int4) or a '…' without prefix and
 * without continuation. Everything else of two texts of one shape is the same, byte for byte, so
 * their trees are the same but for these constants and the places of what stands behind them.
 * The walk says where a constant's value decided something (Meaning.depends_on_literals): such a
 * meaning speaks for its own text only. See lang.h for what the three functions promise. */
#ifndef LANG_SQL_SQL_SHAPE_H
#define LANG_SQL_SQL_SHAPE_H

#include "lang/lang.h"

Err sql_shape(Bytes text, Buf *key, LangShape *ret) MUST_CHECK;
bool sql_shape_speaks(const Meaning *meaning, Bytes text, const LangShape *shape);
Err sql_shape_remake(const LangModel *other, Bytes text, const LangShape *shape, Arena *arena,
                     const Meaning **ret) MUST_CHECK;

#endif
