/* SET, RESET, SHOW, DISCARD: an allow-list, because a setting can undo what was judged
 * (search_path, role, client_encoding) or carry a value out (custom settings). */
#include "base/text.h"
#include "policy/judge_parts.h"

typedef enum SettingRule {
    SETTING_REFUSED = 0,
    SETTING_FREE,
    SETTING_UTF8, /* only to UTF8 */
    SETTING_ON,   /* only to on */
    SETTING_PATH, /* search_path: alone, outside a transaction, a literal */
    SETTING_OURS, /* chaperone.*: alone; the gateway answers */
} SettingRule;

static const struct {
    Bytes name;
    SettingRule rule;
} SETTINGS[] = {
    { LIT_INIT("search_path"), SETTING_PATH },
    { LIT_INIT("client_encoding"), SETTING_UTF8 },
    { LIT_INIT("names"), SETTING_UTF8 },
    { LIT_INIT("standard_conforming_strings"), SETTING_ON },
    { LIT_INIT("application_name"), SETTING_FREE },
    { LIT_INIT("bytea_output"), SETTING_FREE },
    { LIT_INIT("client_min_messages"), SETTING_FREE },
    { LIT_INIT("datestyle"), SETTING_FREE },
    { LIT_INIT("default_transaction_deferrable"), SETTING_FREE },
    { LIT_INIT("default_transaction_isolation"), SETTING_FREE },
    { LIT_INIT("default_transaction_read_only"), SETTING_FREE },
    { LIT_INIT("extra_float_digits"), SETTING_FREE },
    { LIT_INIT("geqo"), SETTING_FREE },
    { LIT_INIT("idle_in_transaction_session_timeout"), SETTING_FREE },
    { LIT_INIT("intervalstyle"), SETTING_FREE },
    { LIT_INIT("jit"), SETTING_FREE },
    { LIT_INIT("lock_timeout"), SETTING_FREE },
    { LIT_INIT("plan_cache_mode"), SETTING_FREE },
    { LIT_INIT("session characteristics"), SETTING_FREE },
    { LIT_INIT("statement_timeout"), SETTING_FREE },
    { LIT_INIT("timezone"), SETTING_FREE },
    { LIT_INIT("transaction"), SETTING_FREE },
    { LIT_INIT("transaction_deferrable"), SETTING_FREE },
    { LIT_INIT("transaction_isolation"), SETTING_FREE },
    { LIT_INIT("transaction_read_only"), SETTING_FREE },
};

/* SHOW of these names the server's files, or the password of a replica's connection. */
static const Bytes UNSEEN[] = {
    LIT_INIT("all"),
    LIT_INIT("config_file"),
    LIT_INIT("data_directory"),
    LIT_INIT("external_pid_file"),
    LIT_INIT("hba_file"),
    LIT_INIT("ident_file"),
    LIT_INIT("krb_server_keyfile"),
    LIT_INIT("primary_conninfo"),
    LIT_INIT("restore_command"),
    LIT_INIT("archive_command"),
    LIT_INIT("ssl_passphrase_command"),
};

static SettingRule rule_of(Bytes name)
{
    if (text_starts(name, LIT("chaperone.")))
        return SETTING_OURS;
    if (text_starts(name, LIT("enable_")))
        return SETTING_FREE;
    for (size_t i = 0; i < COUNT_OF(SETTINGS); i++)
        if (text_eq_nocase(SETTINGS[i].name, name))
            return SETTINGS[i].rule;
    return SETTING_REFUSED;
}

static bool is_utf8(const Statement *s)
{
    return s->value_known &&
           (text_eq_nocase(s->value, LIT("utf8")) || text_eq_nocase(s->value, LIT("utf-8")) ||
            text_eq_nocase(s->value, LIT("unicode")));
}

static bool is_on(const Statement *s)
{
    return s->value_known &&
           (text_eq_nocase(s->value, LIT("on")) || text_eq_nocase(s->value, LIT("true")) ||
            text_eq_nocase(s->value, LIT("yes")) || text_eq(s->value, LIT("1")));
}

static Verdict setting(const Judgement *in, const Statement *s, const char *why, const char *next)
{
    Verdict v = refusal(in, CHP_3104, LIT("settings"), s->start,
                        words(in, "%s %.*s: %s", statement_kind_name(s->kind), SHOW(s->name), why));

    v.fault.next = text_of(next);
    return v;
}

static bool path_refuses(const Judgement *in, const Statement *s, Verdict *ret)
{
    const char *why = NULL;

    if (in->meaning->statement_count > 1)
        why = "only as the one statement of its message";
    else if (s->set_local || in->in_transaction)
        why = "not inside a transaction, and not LOCAL";
    else if (s->kind == STATEMENT_SET && !s->value_known)
        why = "only to plain names";
    if (why != NULL)
        *ret = setting(in, s, why, NULL);
    return why != NULL;
}

static bool change_refuses(const Judgement *in, const Statement *s, Verdict *ret)
{
    const bool set = s->kind == STATEMENT_SET;

    switch (rule_of(s->name)) {
    case SETTING_FREE:
        return false;
    case SETTING_UTF8:
        if (set && is_utf8(s))
            return false;
        *ret = setting(in, s, "the gateway speaks UTF8 only", "set client_encoding = 'UTF8'");
        return true;
    case SETTING_ON:
        if (set && is_on(s))
            return false;
        *ret = setting(in, s, "the gateway reads strings as the standard does",
                       "leave standard_conforming_strings on");
        return true;
    case SETTING_PATH:
        return path_refuses(in, s, ret);
    case SETTING_OURS:
        if (in->meaning->statement_count == 1)
            return false;
        *ret = setting(in, s, "only as the one statement of its message", NULL);
        return true;
    case SETTING_REFUSED:
        break;
    }
    *ret = setting(in, s, "this setting may not be changed through the gateway",
                   "leave it as the server has it");
    return true;
}

static bool show_refuses(const Judgement *in, const Statement *s, Verdict *ret)
{
    const bool ours = text_starts(s->name, LIT("chaperone."));
    const bool custom = !ours && text_find(s->name, LIT(".")) < s->name.len;
    bool unseen = custom;

    if (ours && in->meaning->statement_count > 1) {
        *ret = setting(in, s, "only as the one statement of its message", NULL);
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(UNSEEN); i++)
        unseen = unseen || text_eq_nocase(UNSEEN[i], s->name);
    if (unseen)
        *ret = setting(in, s, "this setting is not shown through the gateway",
                       "show one ordinary setting by its name");
    return unseen;
}

static bool transaction_is_open(const Judgement *in, const Statement *before)
{
    bool open = in->in_transaction;

    for (const Statement *s = in->meaning->statements; s < before; s++) {
        if (s->kind == STATEMENT_BEGIN)
            open = true;
        if (s->kind == STATEMENT_COMMIT || s->kind == STATEMENT_ROLLBACK)
            open = s->chain;
    }
    return open;
}

/* RESET ALL and DISCARD ALL, as pools send them: what the gateway forces is in the startup
 * message, so it stays. search_path goes back, so nothing may be understood behind it. */
static bool all_refuses(const Judgement *in, const Statement *s, Verdict *ret)
{
    const Statement *last = &in->meaning->statements[in->meaning->statement_count - 1];
    const char *why = NULL;

    if (s != last)
        why = "only as the last statement of its message";
    else if (transaction_is_open(in, s))
        why = "not inside a transaction";
    if (why != NULL)
        *ret = setting(in, s, why, "send it by itself, outside a transaction");
    return why != NULL;
}

static bool discard_refuses(const Judgement *in, const Statement *s, Verdict *ret)
{
    static const Bytes HARMLESS[] = {
        LIT_INIT("plans"),
        LIT_INIT("sequences"),
        LIT_INIT("temp"),
        LIT_INIT("temporary"),
    };

    for (size_t i = 0; i < COUNT_OF(HARMLESS); i++)
        if (text_eq_nocase(HARMLESS[i], s->name))
            return false;
    return all_refuses(in, s, ret);
}

static bool reset_refuses(const Judgement *in, const Statement *s, Verdict *ret)
{
    if (!text_eq_nocase(s->name, LIT("all")))
        return change_refuses(in, s, ret);
    return all_refuses(in, s, ret);
}

/* set_config('name', …): may run or not, once or for every row, so what it leaves is not known.
 * Only for settings that change no meaning. */
static bool call_refuses(const Judgement *in, const Statement *s, Verdict *ret)
{
    const SettingRule rule = rule_of(s->name);

    if (rule != SETTING_PATH && rule != SETTING_OURS)
        return change_refuses(in, s, ret);
    *ret = setting(in, s, "not by set_config", "use SET, as the one statement of its message");
    return true;
}

bool setting_refuses(const Judgement *in, Verdict *ret)
{
    for (size_t i = 0; i < in->meaning->statement_count; i++) {
        const Statement *s = &in->meaning->statements[i];

        if (s->kind == STATEMENT_SET && change_refuses(in, s, ret))
            return true;
        if (s->kind == STATEMENT_SELECT && s->name.len > 0 && call_refuses(in, s, ret))
            return true;
        if (s->kind == STATEMENT_RESET && reset_refuses(in, s, ret))
            return true;
        if (s->kind == STATEMENT_SHOW && show_refuses(in, s, ret))
            return true;
        if (s->kind == STATEMENT_DISCARD && discard_refuses(in, s, ret))
            return true;
    }
    return false;
}
