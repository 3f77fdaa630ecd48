/* One command, one verdict. Total: every command gets a ruling, and what is missing denies.
 *
 * Order of evaluation, printed by `explain`: identity → role → understood → role allow →
 * supported → guardrail → settings → columns → purpose → approval → allow. Everything that
 * refuses by itself comes before the question to a person, so that nobody is asked for what
 * would be refused anyway, and no refusal offers a request that would be refused. */
#ifndef POLICY_JUDGE_H
#define POLICY_JUDGE_H

#include "base/arena.h"
#include "model/command.h"
#include "model/meaning.h"
#include "model/verdict.h"
#include "policy/policy.h"
#include "policy/protection.h"

typedef struct Judgement {
    const Policy *policy;
    const Role *role; /* from policy_role(), once per session; NULL: none */
    const Identity *identity;
    const Resource *resource;
    const Command *command;
    const Meaning *meaning;
    const Schema *schema;
    const Protection *protection;
    const bool *approvers_exist; /* one for each of policy->approvals; NULL: not known, so yes */
    Arena *arena;                /* of the decision: the words of the verdict live here */
    bool purpose_set;
    bool in_transaction; /* the client has opened a transaction block */
    bool approved;       /* an approval for exactly this unit was consumed: no second hold */
} Judgement;

/* Views in the verdict borrow from `in->arena` and the policy. Without memory for words it
 * still rules; the catalogue's title stands in for the fact. */
Verdict policy_judge(const Judgement *in);

/* Does the text hold one of our masks: the placeholder, or "PREFIX-" and at least 16 characters
 * of Crockford's base32? */
bool policy_is_artefact(Bytes value);
/* The same of a value in its format: binary numbers and dates hold such bytes by chance. */
bool policy_value_is_artefact(const Value *value);
/* Offset of the first artefact, or value.len. */
size_t policy_find_artefact(Bytes value);

#endif
