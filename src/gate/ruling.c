#include "gate/ruling.h"

#include "base/text.h"

enum { WORDS_BYTES = 64 << 10, PURPOSE_MAX = 64 };

void ruler_init(Ruler *r, SipKey hash_key)
{
    arena_init(&r->words, WORDS_BYTES);
    buf_init(&r->purpose, PURPOSE_MAX);
    buf_init(&r->purpose_start, PURPOSE_MAX);
    map_init(&r->masked, RULER_MASKED_MAX, hash_key);
    buf_init(&r->masked_text, WORDS_BYTES / 4);
}

void ruler_forget_parsed(Ruler *r)
{
    if (r->parsed != NULL)
        look_drop(r->parsed);
    r->parsed = NULL;
}

void ruler_done(Ruler *r)
{
    ruler_forget_parsed(r);
    arena_done(&r->words);
    buf_done(&r->purpose);
    buf_done(&r->purpose_start);
    map_done(&r->masked);
    buf_done(&r->masked_text);
    search_path_set(&r->path, NULL);
    search_path_set(&r->path_before, NULL);
    search_path_set(&r->path_start, NULL);
}

void ruler_drop(void *ctx, Judged *judged)
{
    (void)ctx;
    look_drop(judged);
}

static Err look(Ruler *r, Bytes text, Judged **ret)
{
    Bytes names[RULER_PATH_MAX];

    const size_t count = search_path_names(r->path, names);
    const LangContext context = { r->schema, names, count };
    if (r->parsed != NULL && r->parsed_generation == r->schema->generation &&
        text_eq(r->parsed->text, text)) {
        look_keep(r->parsed);
        *ret = r->parsed;
        return OK;
    }
    const Err err = look_at(r->cache, &context, text, ret);
    r->parse_wanted = err == ERR_MORE;
    r->parse_text = text;
    return err;
}

static Verdict deny(MessageCode code, Bytes fact)
{
    return (Verdict){ .ruling = RULING_DENY,
                      .rule = LIT("protocol"),
                      .fault = { .code = code, .fact = fact } };
}

static Verdict judge_meaning(Ruler *r, const Command *command, const Meaning *meaning)
{
    const Judgement judgement = {
        .policy = r->policy,
        .role = r->role,
        .identity = r->identity,
        .resource = r->resource,
        .command = command,
        .meaning = meaning,
        .schema = r->schema,
        .protection = r->protection,
        .arena = &r->words,
        .purpose_set = buf_len(&r->purpose) > 0,
        .in_transaction = r->transaction,
        .approved = r->approved,
    };

    return policy_judge(&judgement);
}

/* --- text that was kept under a name: EXECUTE, FETCH ------------------------------------- */

static const Statement *referring(const Meaning *m)
{
    for (size_t i = 0; m->understood && i < m->statement_count; i++) {
        const Statement *s = &m->statements[i];
        const bool makes_or_ends = s->kind == STATEMENT_PREPARE || s->kind == STATEMENT_DECLARE ||
                                   s->kind == STATEMENT_DEALLOCATE || s->kind == STATEMENT_CLOSE;

        if (s->refers != REFER_NOTHING && !makes_or_ends)
            return s;
    }
    return NULL;
}

static bool copies(const Meaning *m)
{
    for (size_t i = 0; m->understood && i < m->statement_count; i++)
        if (m->statements[i].copy != NULL)
            return true;
    return false;
}

/* What EXECUTE runs is judged like what it names, and its rows are planned from that. */
static Err judge_kept(Ruler *r, const Command *command, const Statement *s, GateRuling *ret)
{
    const bool simple = s->kind == STATEMENT_EXECUTE || s->kind == STATEMENT_FETCH;
    Judged *inner;
    Bytes text;

    if (ret->judged->meaning->statement_count > 1 || (!simple && s->kind != STATEMENT_EXPLAIN)) {
        ret->verdict = deny(CHP_3103, LIT("EXECUTE and FETCH have to be the one statement of "
                                          "their message"));
        return OK;
    }
    /* Only what the target has confirmed: until then, it may hold another text by this name. */
    ret->needs_quiet = true;
    if (!r->proto->kept(r->proto_state, s->refers, s->name, &text)) {
        ret->verdict = deny(s->refers == REFER_CURSOR ? CHP_5502 : CHP_5503,
                            LIT("nothing of this name was prepared or declared through the "
                                "gateway in this session"));
        return OK;
    }
    TRY(look(r, text, &inner));
    if (inner->meaning->unknown_count > 0 && !r->read_again) {
        look_drop(inner);
        return ERR_MORE;
    }
    if (copies(inner->meaning)) {
        look_drop(inner);
        ret->verdict = deny(CHP_5501, LIT("COPY cannot be run by EXECUTE"));
        return OK;
    }
    Command running = *command;
    running.text = text;
    const Verdict inside = judge_meaning(r, &running, inner->meaning);
    if (inside.ruling < ret->verdict.ruling) /* EXECUTE's own arguments may be what is held */
        ret->verdict = inside;
    if (!simple) {
        look_drop(inner);
        return OK;
    }
    look_drop(ret->judged);
    ret->judged = inner;
    return OK;
}

/* --- chaperone.* --------------------------------------------------------------------------- */

static const Bytes OURS = LIT_INIT("chaperone.");

static Bytes notices_name(Notices notices)
{
    switch (notices) {
    case NOTICES_ALL:
        return LIT("all");
    case NOTICES_OFF:
        return LIT("off");
    case NOTICES_FIRST:
        break;
    }
    return LIT("first");
}

static Err show_ours(Ruler *r, Bytes name, GateRuling *ret)
{
    CLEANUP(buf_done) Buf value = { 0 };

    buf_init(&value, WORDS_BYTES / 2);
    if (text_eq(name, LIT("masked")))
        TRY(buf_append(&value, buf_view(&r->masked_text)));
    else if (text_eq(name, LIT("purpose")))
        TRY(buf_append(&value, buf_view(&r->purpose)));
    else if (text_eq(name, LIT("notices")))
        TRY(buf_append(&value, notices_name(r->notices)));
    else if (text_eq(name, LIT("session")))
        TRY(buf_append(&value, text_of(id_text('s', r->session).text)));
    else if (text_eq(name, LIT("role")))
        TRY(buf_append(&value, r->role->name));
    else
        ret->verdict = deny(CHP_3104, LIT("there is no such setting of chaperone; known are "
                                          "masked, notices, purpose, role, session"));
    r->local = (LocalAnswer){ .tag = LIT("SHOW"), .has_row = true };
    TRY(arena_copy(&r->words, name, &r->local.column));
    return arena_copy(&r->words, buf_view(&value), &r->local.value);
}

static bool purpose_is_plain(Bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        const uint8_t c = value.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return value.len <= PURPOSE_MAX;
}

/* `apply` false: it is only being prepared. */
static Err set_ours(Ruler *r, const Statement *s, Bytes name, bool apply, GateRuling *ret)
{
    const Bytes value = s->kind == STATEMENT_SET ? s->value : (Bytes){ 0 };
    const bool known = s->kind == STATEMENT_RESET || s->value_known;
    const bool purpose = text_eq(name, LIT("purpose")) && known && purpose_is_plain(value);
    const bool all = text_eq_nocase(value, LIT("all")), off = text_eq_nocase(value, LIT("off"));
    const bool first = value.len == 0 || text_eq_nocase(value, LIT("first"));
    const bool notices = text_eq(name, LIT("notices")) && known && (all || off || first);

    if (!purpose && !notices)
        ret->verdict = deny(CHP_3104, LIT("chaperone.purpose takes letters, digits, - and _; "
                                          "chaperone.notices takes all, first or off; nothing "
                                          "else of chaperone can be set"));
    if (purpose && apply) {
        buf_truncate(&r->purpose, 0);
        TRY(buf_append(&r->purpose, value));
    }
    if (notices && apply)
        r->notices = all ? NOTICES_ALL : off ? NOTICES_OFF : NOTICES_FIRST;
    r->local = (LocalAnswer){ .tag = s->kind == STATEMENT_SET ? LIT("SET") : LIT("RESET") };
    return OK;
}

static Err answer_ours(Ruler *r, const Command *command, GateRuling *ret)
{
    const Meaning *m = ret->judged->meaning;
    const Statement *s = m->statement_count == 1 ? &m->statements[0] : NULL;

    if (s == NULL || !text_starts(s->name, OURS))
        return OK;
    const Bytes name = bytes_from(s->name, OURS.len);
    if (s->kind == STATEMENT_SHOW)
        TRY(show_ours(r, name, ret));
    else if (s->kind == STATEMENT_SET || s->kind == STATEMENT_RESET)
        TRY(set_ours(r, s, name, command->kind != COMMAND_PREPARE, ret));
    else
        return OK;
    ret->local = &r->local;
    return OK;
}

/* --- the ruling --------------------------------------------------------------------------- */

static bool changes_path(const Meaning *m)
{
    for (size_t i = 0; i < m->statement_count; i++)
        if (statement_changes_path(&m->statements[i]))
            return true;
    return false;
}

/* COPY FROM the client: what follows is data, unless what was sent before it fails it. */
static bool takes_data(const Meaning *m)
{
    for (size_t i = 0; i < m->statement_count; i++)
        if (m->statements[i].kind == STATEMENT_COPY_FROM)
            return true;
    return false;
}

/* DDL may redefine what the statement behind it reads. */
static bool mixes_ddl(const Meaning *m)
{
    return m->understood && m->statement_count > 1 && m->relation_count > 0 &&
           (m->effects & (EFFECT_DDL | EFFECT_OPAQUE)) != 0;
}

/* What was begun may end: a transaction, and what a person was asked about and approved. */
static bool ends_something(const Ruler *r, const Command *command, const Meaning *m)
{
    const StatementKind kind = m->statement_count == 1 ? m->statements[0].kind : STATEMENT_OTHER;

    return kind == STATEMENT_COMMIT || kind == STATEMENT_ROLLBACK ||
           (r->approved && command->kind != COMMAND_PREPARE);
}

static Verdict refuse(const Fault *fault)
{
    return (Verdict){
        .ruling = RULING_DENY, .rule = fault->rule, .fault = *fault, .step = EVALUATION_RECORD
    };
}

static Err judge_text(Ruler *r, const Command *command, GateRuling *ret)
{
    if (!r->started) {
        search_path_set(&r->path_before, r->path);
        search_path_set(&r->path_start, r->path);
        TRY(buf_append(&r->purpose_start, buf_view(&r->purpose)));
        r->started = true;
    }
    TRY(look(r, command->text, &ret->judged));
    const Meaning *m = ret->judged->meaning;

    if (m->unknown_count > 0 && !r->read_again)
        return ERR_MORE;
    if (r->catalogue_stale && m->relation_count > 0) {
        if (!r->transaction)
            return ERR_MORE;
        ret->verdict = deny(CHP_3103, LIT("the schema changed in this transaction, and what it is "
                                          "now cannot be known before the transaction ends"));
        return OK;
    }
    if (mixes_ddl(m)) {
        ret->verdict = deny(CHP_3103, LIT("a statement that changes the schema has to be the one "
                                          "statement of its message"));
        return OK;
    }
    ret->verdict = judge_meaning(r, command, m);
    if (ret->verdict.ruling == RULING_DENY)
        return OK;
    const Statement *refers = referring(m);
    if (refers != NULL && command->kind != COMMAND_PREPARE)
        return judge_kept(r, command, refers, ret);
    ret->needs_quiet = changes_path(m) || takes_data(m);
    return answer_ours(r, command, ret);
}

Err ruler_judge(void *ctx, const Command *command, GateRuling *ret)
{
    Ruler *r = ctx;
    Err err = OK;

    arena_done(&r->words);
    if (command->unsupported != NULL)
        ret->verdict = deny(command->code != CHP_NONE ? command->code
                            : command->text.len > 0   ? CHP_3103
                                                      : CHP_5501,
                            text_of(command->unsupported));
    else
        err = judge_text(r, command, ret);
    if (err == OK && r->refusal != NULL && ret->verdict.ruling != RULING_DENY &&
        !ends_something(r, command, ret->judged->meaning))
        ret->verdict = refuse(r->refusal);
    if (err != OK) {
        if (ret->judged != NULL)
            look_drop(ret->judged);
        ret->judged = NULL;
        return err;
    }
    /* Nothing runs at Parse: whoever must be asked is asked at Bind, with the values. */
    if (command->kind == COMMAND_PREPARE && ret->verdict.ruling == RULING_HOLD)
        ret->verdict.ruling = RULING_ALLOW;
    r->decision = id_decision(r->session, ++r->decisions);
    ret->decision = text_of(r->decision.text);
    return OK;
}

Err ruler_look_again(Ruler *r, Bytes text, Judged **ret)
{
    const Command command = { .kind = COMMAND_RESUME, .text = text };

    TRY(look(r, text, ret));
    if ((*ret)->meaning->unknown_count == 0 &&
        judge_meaning(r, &command, (*ret)->meaning).ruling != RULING_DENY)
        return OK;
    look_drop(*ret);
    return ERR_REFUSED;
}

/* --- what the answers tell ------------------------------------------------------------------ */

/* The next borrower of a pool's connection has not said what for. */
static void reset_ours(Ruler *r)
{
    r->notices = NOTICES_FIRST;
    buf_truncate(&r->purpose, 0);
    if (buf_append(&r->purpose, buf_view(&r->purpose_start)) != OK)
        buf_truncate(&r->purpose, 0);
}

void ruler_completed(void *ctx, const RowSource *source)
{
    Ruler *r = ctx;
    const Statement *s = &source->judged->meaning->statements[source->statement];

    if (s->kind == STATEMENT_BEGIN)
        r->transaction = true;
    if ((s->effects & (EFFECT_DDL | EFFECT_OPAQUE)) != 0)
        r->catalogue_stale = true;
    if (s->kind != STATEMENT_SET && statement_changes_path(s))
        search_path_set(&r->path, r->path_start);
    if (statement_resets_all(s))
        reset_ours(r);
    if (s->kind != STATEMENT_SET || !text_eq_nocase(s->name, LIT("search_path")))
        return;
    /* Judged before it was sent: a list of plain names. If it were not, nothing is known. */
    search_path_read(s->value, r->resource->credentials.user, &r->path);
}

void ruler_ready(void *ctx, bool in_transaction, bool failed)
{
    Ruler *r = ctx;

    r->transaction = in_transaction;
    if (failed)
        search_path_set(&r->path, r->path_before);
    else
        search_path_set(&r->path_before, r->path);
}
