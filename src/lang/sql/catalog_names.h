/* What pg_catalog of PostgreSQL has by name, and what that does. Constant tables. */
#ifndef LANG_SQL_CATALOG_NAMES_H
#define LANG_SQL_CATALOG_NAMES_H

#include "base/base.h"

bool catalog_function_harmless(Bytes name);
/* EFFECT_READ for harmless ones; 0: not known by name, so anything. */
unsigned catalog_function_effects(Bytes name);
/* As an item of FROM: false, its columns depend on its arguments; true, they are the names in
 * *ret_columns, separated by commas; empty: one, called after the function or its alias. */
bool catalog_function_shape(Bytes name, Bytes *ret_columns);
bool catalog_operator(Bytes name);
uint32_t catalog_type_oid(Bytes name); /* 0: none */
bool catalog_relation_sensitive(Bytes name);

#endif
