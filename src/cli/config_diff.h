/* Two configurations side by side: what differs, whom it touches, which sessions it ends.
 *
 *     Side ──▶ diff_settings()   paths with old and new value, from `config show` of both
 *         ├──▶ diff_people()     for each identity and resource, what becomes another
 *         └──▶ diff_sessions()   cut, or judged by other rules from the next statement on
 *
 * Secrets are references in both, so none can be shown. What files hold that a configuration names
 * is not compared. */
#ifndef CLI_CONFIG_DIFF_H
#define CLI_CONFIG_DIFF_H

#include "config/config.h"
#include "crypto/hash.h"

#include <jansson.h>

typedef struct Side {
    Arena arena;
    Config config;
    json_t *shown; /* config_show() */
    Hash hash;     /* of it */
} Side;

typedef struct Sides {
    const Side *old, *new;
} Sides;

/* Of a configuration that was loaded into side->config. */
Err side_show(Side *side) MUST_CHECK;
void side_done(Side *side);

/* Array of {path, old, new}; a side without it has no such member. */
json_t *diff_settings(const Sides *sides);
/* `users`: rows of user.ls and agent.ls. Array of {identity, kind, resource, effects: […]}. */
json_t *diff_people(const Sides *sides, const json_t *users);
/* `sessions`: rows of session.ls. Array of {id, user, resource, outcome, why}. */
json_t *diff_sessions(const Sides *sides, const json_t *users, const json_t *sessions);

#endif
