/* Masking, guardrails, approvals. */
#include "config/fields_parts.h"

#include "policy/column_class.h"

static const Choice EFFECT_NAMES[] = {
#define EFFECT_CHOICE(name, bit, text) { text, 1u << bit, false },
    EFFECTS(EFFECT_CHOICE)
#undef EFFECT_CHOICE
};
static const Choice METHODS[] = {
#define METHOD_CHOICE(name, text) { text, MASK_##name, false },
    MASK_METHODS(METHOD_CHOICE)
#undef METHOD_CHOICE
        { "scrub", 0, true },
    { "token", 0, true },
    { "keep_last", 0, true },
    { "age90", 0, true },
    { "date_shift", 0, true },
    { "fpe", 0, true },
};
static const Choice CLASS_NAMES[] = {
#define CLASS_CHOICE(name, bit, text, prefix, repeats) { text, 1u << bit, false },
    COLUMN_CLASSES(CLASS_CHOICE)
#undef CLASS_CHOICE
};
static const Choice UNCLASSIFIED_NAMES[] = { { "mask", UNCLASSIFIED_MASK, false },
                                             { "scan", 0, true } };
static const Choice KINDS[] = {
    { "select", STATEMENT_SELECT, false },   { "insert", STATEMENT_INSERT, false },
    { "update", STATEMENT_UPDATE, false },   { "delete", STATEMENT_DELETE, false },
    { "merge", STATEMENT_MERGE, false },     { "truncate", STATEMENT_TRUNCATE, false },
    { "explain", STATEMENT_EXPLAIN, false }, { "prepare", STATEMENT_PREPARE, false },
    { "execute", STATEMENT_EXECUTE, false }, { "declare", STATEMENT_DECLARE, false },
    { "fetch", STATEMENT_FETCH, false },     { "call", STATEMENT_CALL, false },
    { "do", STATEMENT_DO, false },           { "listen", STATEMENT_LISTEN, false },
    { "discard", STATEMENT_DISCARD, false }, { "other", STATEMENT_OTHER, false },
};
static const Choice WHERES[] = {
    { "either", WHERE_EITHER, false },
    { "absent", WHERE_ABSENT, false },
    { "present", WHERE_PRESENT, false },
};
static const Choice SUGGESTS[] = { { "nothing", SUGGEST_NOTHING, false },
                                   { "add-where", SUGGEST_ADD_WHERE, false } };
static const Choice SCOPES[] = { { "statement", GRANT_STATEMENT, false }, { "session", 0, true } };
static const Choice WAITS[] = {
    { "hold-then-ticket", WAIT_HOLD_THEN_TICKET, false },
    { "hold", WAIT_HOLD, false },
    { "ticket", WAIT_TICKET, false },
};
static const Choices EFFECT_CHOICES = CHOICES(EFFECT_NAMES);
static const Choices METHOD_CHOICES = CHOICES(METHODS);
static const Choices CLASS_CHOICES = CHOICES(CLASS_NAMES);
static const Choices UNCLASSIFIED_CHOICES = CHOICES(UNCLASSIFIED_NAMES);
static const Choices KIND_CHOICES = CHOICES(KINDS);
static const Choices WHERE_CHOICES = CHOICES(WHERES);
static const Choices SUGGEST_CHOICES = CHOICES(SUGGESTS);
static const Choices SCOPE_CHOICES = CHOICES(SCOPES);
static const Choices WAIT_CHOICES = CHOICES(WAITS);

static const Field RULE_FIELDS[] = {
    { .key = "resource",
      .type = FIELD_TEXT,
      AT(MaskingRule, resource),
      .form = FORM_NAME_OR_ALL,
      .doc = "Only there; everywhere when left out." },
    { .key = "columns",
      .type = FIELD_COLUMNS,
      AT(MaskingRule, columns),
      .doc = "`table.column` (any schema) or `schema.table.column`, `*` for a whole part." },
    { .key = "classes",
      .type = FIELD_FLAGS,
      AT(MaskingRule, classes),
      .choices = &CLASS_CHOICES,
      .doc = "Columns whose name says that they hold this." },
    { .key = "method",
      .type = FIELD_CHOICE,
      .required = true,
      AT(MaskingRule, method),
      .choices = &METHOD_CHOICES,
      .doc = "How the value leaves. A method that the column's type cannot carry becomes `null`. "
             "`year` keeps the year; years that imply an age over 89 leave as one: the year 90 "
             "years ago in a date column, `90+` in a text column." },
    { .key = "scope",
      .type = FIELD_TEXT,
      AT(MaskingRule, scope),
      .form = FORM_NAME,
      .doc = "Pseudonyms: `resource`, or a name that resources share so that pseudonyms join." },
    { .key = "prefix",
      .type = FIELD_TEXT,
      AT(MaskingRule, prefix),
      .form = FORM_PREFIX,
      .doc = "Pseudonyms: what they begin with; the class's own when left out." },
};
static const Record RULE = RECORD(RULE_FIELDS, MaskingRule, "masking.profiles[].rules[]",
                                  "The first rule that names a column decides.");

static const Field PROFILE_FIELDS[] = {
    { .key = "name",
      .type = FIELD_TEXT,
      .required = true,
      AT(MaskingProfile, name),
      .form = FORM_NAME,
      .doc = "What roles call it." },
    { .key = "unclassified",
      .type = FIELD_CHOICE,
      AT(MaskingProfile, unclassified),
      .choices = &UNCLASSIFIED_CHOICES,
      .standard = "mask",
      .doc = "Columns of PHI resources that no rule names: numbers and booleans pass, the rest is "
             "null." },
    { .key = "rules",
      .type = FIELD_OBJECTS,
      AT(MaskingProfile, rules),
      .record = &RULE,
      .doc = "In order." },
    LATER("mode", "safe_harbor or minimum_necessary."),
};
static const Record PROFILE =
    RECORD(PROFILE_FIELDS, MaskingProfile, "masking.profiles[]", "How columns leave.");

static const Field MASKING_FIELDS[] = {
    { .key = "profiles",
      .type = FIELD_OBJECTS,
      .offset = 0,
      .record = &PROFILE,
      .doc = "Masking profiles." },
};
const Record MASKING_RECORD =
    RECORD(MASKING_FIELDS, MaskingProfiles, "masking", "Masking profiles.");

static const Field MATCH_FIELDS[] = {
    { .key = "statement",
      .type = FIELD_KINDS,
      AT(GuardrailMatch, statements),
      .choices = &KIND_CHOICES,
      .doc = "Kinds of statement; any when left out." },
    { .key = "where",
      .type = FIELD_CHOICE,
      AT(GuardrailMatch, where),
      .choices = &WHERE_CHOICES,
      .standard = "either",
      .doc = "UPDATE and DELETE: with or without WHERE." },
    { .key = "effect",
      .type = FIELD_FLAGS,
      AT(GuardrailMatch, effects),
      .choices = &EFFECT_CHOICES,
      .doc = "Any of these effects." },
    { .key = "tables",
      .type = FIELD_TABLES,
      AT(GuardrailMatch, tables),
      .doc = "Any of these tables." },
};
static const Record MATCH = RECORD(MATCH_FIELDS, GuardrailMatch, "guardrails[].match",
                                   "All that is given must hold for one statement.");

static const Field GUARDRAIL_FIELDS[] = {
    { .key = "name",
      .type = FIELD_TEXT,
      .required = true,
      AT(Guardrail, name),
      .form = FORM_NAME,
      .doc = "As refusals show it." },
    { .key = "resources",
      .type = FIELD_TEXTS,
      AT(Guardrail, resources),
      .form = FORM_NAME_OR_ALL,
      .doc = "Where; everywhere when left out." },
    { .key = "match",
      .type = FIELD_OBJECT,
      .required = true,
      AT(Guardrail, match),
      .record = &MATCH,
      .doc = "What it is about." },
    { .key = "message",
      .type = FIELD_TEXT,
      AT(Guardrail, message),
      .doc = "Words for the caller." },
    { .key = "suggest",
      .type = FIELD_CHOICE,
      AT(Guardrail, suggest),
      .choices = &SUGGEST_CHOICES,
      .standard = "nothing",
      .doc = "What the refusal offers." },
};
const Record GUARDRAIL_RECORD =
    RECORD(GUARDRAIL_FIELDS, Guardrail, "guardrails[]", "Refused outright, whoever asks.");

static const Field WHEN_FIELDS[] = {
    { .key = "labels",
      .type = FIELD_LABELS,
      AT(ApprovalWhen, labels),
      .doc = "All of these on the resource." },
    { .key = "resources",
      .type = FIELD_TEXTS,
      AT(ApprovalWhen, resources),
      .form = FORM_NAME_OR_ALL,
      .doc = "Any of these." },
    { .key = "effects",
      .type = FIELD_FLAGS,
      AT(ApprovalWhen, effects),
      .choices = &EFFECT_CHOICES,
      .doc = "Any of these; code the gateway cannot see into counts as `write`." },
    { .key = "tables", .type = FIELD_TABLES, AT(ApprovalWhen, tables), .doc = "Any of these." },
    LATER("requested", "Emergency access."),
};
static const Record WHEN =
    RECORD(WHEN_FIELDS, ApprovalWhen, "approvals[].when", "All that is given must hold.");

static const Field ASK_FIELDS[] = {
    { .key = "group",
      .type = FIELD_TEXT,
      .required = true,
      AT(ApprovalAsk, group),
      .form = FORM_GROUP,
      .doc = "Whose people may answer: a role's name, or `local/GROUP`." },
    { .key = "count",
      .type = FIELD_COUNT,
      AT(ApprovalAsk, count),
      .standard = "1",
      .min = 1,
      .max = 5,
      .doc = "How many distinct people." },
    { .key = "not_self",
      .type = FIELD_BOOL,
      AT(ApprovalAsk, not_self),
      .standard = "true",
      .doc = "Always another person than the caller." },
};
static const Record ASK = RECORD(ASK_FIELDS, ApprovalAsk, "approvals[].ask", "Who is asked.");

static const Field APPROVAL_GRANT_FIELDS[] = {
    { .key = "scope",
      .type = FIELD_CHOICE,
      AT(ApprovalGrant, scope),
      .choices = &SCOPE_CHOICES,
      .standard = "statement",
      .doc = "An approval is for these exact bytes." },
    { .key = "valid",
      .type = FIELD_DURATION,
      AT(ApprovalGrant, valid_ms),
      .standard = "15m",
      .min = MS_SECOND,
      .max = MS_DAY,
      .doc = "How long it may be used once given." },
};
static const Record APPROVAL_GRANT =
    RECORD(APPROVAL_GRANT_FIELDS, ApprovalGrant, "approvals[].grant", "What an approval gives.");

static const Field APPROVAL_FIELDS[] = {
    { .key = "name",
      .type = FIELD_TEXT,
      .required = true,
      AT(Approval, name),
      .form = FORM_NAME,
      .doc = "As requests show it." },
    { .key = "when",
      .type = FIELD_OBJECT,
      .required = true,
      AT(Approval, when),
      .record = &WHEN,
      .doc = "What needs it. The first rule that matches asks." },
    { .key = "ask",
      .type = FIELD_OBJECT,
      .required = true,
      AT(Approval, ask),
      .record = &ASK,
      .doc = "Who is asked." },
    { .key = "grant",
      .type = FIELD_OBJECT,
      AT(Approval, grant),
      .record = &APPROVAL_GRANT,
      .doc = "What an approval gives." },
    { .key = "wait",
      .type = FIELD_CHOICE,
      AT(Approval, wait),
      .choices = &WAIT_CHOICES,
      .standard = "hold-then-ticket",
      .doc = "`hold`: the session waits. `ticket`: it gets a request id at once. "
             "`hold-then-ticket`: people wait; agents and services wait for `ticket_after`, then "
             "get the id, and the request stays open." },
    { .key = "hold",
      .type = FIELD_DURATION,
      AT(Approval, hold_ms),
      .min = MS_SECOND,
      .max = MS_DAY,
      .doc = "How long a session waits; `gateway.hold_default` when left out." },
    { .key = "ticket_after",
      .type = FIELD_DURATION,
      AT(Approval, ticket_after_ms),
      .standard = "45s",
      .max = MS_HOUR,
      .doc = "How long agents and services wait for an answer before they get the request's id; "
             "`0s`: not at all." },
    LATER("notify", "Messages to chat and pagers."),
    LATER("who", "Emergency access."),
    LATER("after", "Review after emergency access."),
};
const Record APPROVAL_RECORD = RECORD(APPROVAL_FIELDS, Approval, "approvals[]",
                                      "What another person has to answer for first.");
