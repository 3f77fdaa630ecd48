/* The steps of policy_judge() and the words they share. Private to policy/. */
#ifndef POLICY_JUDGE_PARTS_H
#define POLICY_JUDGE_PARTS_H

#include "policy/judge.h"

/* A step of the order of evaluation: true when it refuses, and then *ret says so. */
typedef bool (*JudgeStep)(const Judgement *in, Verdict *ret);

bool setting_refuses(const Judgement *in, Verdict *ret);
bool access_refuses(const Judgement *in, Verdict *ret);
bool guardrail_refuses(const Judgement *in, Verdict *ret);
bool column_refuses(const Judgement *in, Verdict *ret);
bool value_refuses(const Judgement *in, Verdict *ret);
/* Does the command write a column that `writes: hold` wants a person's answer for? */
bool columns_want_hold(const Judgement *in, ColumnRef *ret_column);

/* Anything but reads of the system's own relations and of no relation at all. */
bool touches_data(const Meaning *m);
bool mask_may_be_written(MaskMethod method);

#define NOWHERE UINT32_MAX

/* Formatted text of at most 1 KiB without control characters; empty without memory. */
Bytes words(const Judgement *in, const char *format, ...) PRINTF_LIKE(2, 3);
/* "UPDATE on patient, column phone"; "DELETE without WHERE on encounter". */
Bytes words_statement(const Judgement *in, size_t statement, bool say_where);
/* "patient.ssn"; "the row of patient" for attnum 0. */
Bytes words_column(const Judgement *in, ColumnRef column);
/* `at`: byte offset in the command's text, or NOWHERE. */
Verdict refusal(const Judgement *in, MessageCode code, Bytes rule, uint32_t at, Bytes fact);
/* Whose rule speaks about columns: the masking profile, or the role when it has none. */
Bytes masking_rule(const Judgement *in);

#endif
