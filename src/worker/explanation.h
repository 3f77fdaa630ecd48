/* The answer of `explain`: one JSON document about one text and one identity.
 *
 *     schema_version, resource, identity, kind, role   who asks for what; role null: none
 *     verdict      "allow", "deny", "hold"
 *     code, rule   what spoke; code null when allowed
 *     message, next, detail, position                  as a client would be told; position is a
 *                                                      1-based character of the text, 0: none
 *     statements   [{kind, effects}]
 *     relations    [{schema, name, effects}]
 *     outputs      [{statement, name, from, leaves, unclassified}]   none when refused
 *     omitted      how many of the three lists' entries were left off
 *     approval     {group, count, hold_ms, valid_ms, ticket}, or null
 *     order        [{step, outcome}]: "passed", "refused", "holds", "not reached", "follows"
 *
 * Names of the catalogue and the caller's own text; never a value of the data. */
#ifndef WORKER_EXPLANATION_H
#define WORKER_EXPLANATION_H

#include "base/buf.h"
#include "gate/ruling.h"

Err explanation_write(const Ruler *r, const GateRuling *ruling, Buf *out) MUST_CHECK;

#endif
