#include "proto/pg/pg_startup.h"

#include "base/reader.h"
#include "base/text.h"

#include <string.h>

enum {
    VERSION_3 = 3 << 16,
    CODE_CANCEL = 1234 << 16 | 5678,
    CODE_TLS = 1234 << 16 | 5679,
    CODE_GSS = 1234 << 16 | 5680,
    LIST_FIRST = 4,
};

/* Settings a client may bring along. `only`: the one value (any case) it may have. */
static const struct {
    Bytes name;
    const char *only;
} ALLOWED[] = {
    { LIT_INIT("application_name"), NULL },
    { LIT_INIT("client_encoding"), "utf8" },
    { LIT_INIT("datestyle"), NULL },
    { LIT_INIT("intervalstyle"), NULL },
    { LIT_INIT("timezone"), NULL },
    { LIT_INIT("extra_float_digits"), NULL },
    { LIT_INIT("bytea_output"), NULL },
    { LIT_INIT("statement_timeout"), NULL },
    { LIT_INIT("lock_timeout"), NULL },
    { LIT_INIT("idle_in_transaction_session_timeout"), NULL },
    { LIT_INIT("client_min_messages"), NULL },
    { LIT_INIT("geqo"), NULL },
    { LIT_INIT("jit"), NULL },
    { LIT_INIT("standard_conforming_strings"), "on" },
};

static Err refuse(Fault *fault, Arena *arena, const char *before, Bytes name)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, 1024);
    TRY(text_format(&text, "%s %.*s", before, SHOW(utf8_upto(name, 100))));
    *fault = (Fault){ .code = CHP_5401 };
    TRY(arena_copy(arena, buf_view(&text), &fault->fact));
    return ERR_REFUSED;
}

static bool value_allowed(const char *only, Bytes value)
{
    if (only == NULL)
        return true;
    return text_eq_nocase(value, text_of(only)) ||
           (text_eq(text_of(only), LIT("utf8")) &&
            (text_eq_nocase(value, LIT("utf-8")) || text_eq_nocase(value, LIT("unicode")) ||
             text_eq_nocase(value, LIT("'utf-8'")) || text_eq_nocase(value, LIT("'utf8'")) ||
             text_eq_nocase(value, LIT("auto"))));
}

/* Room for one more: lists are short, and stay as long as the session does. */
static Err grow(Arena *arena, void **list, size_t count, size_t size)
{
    void *mem;

    if (count == PG_SETTINGS_MAX)
        return ERR_LIMIT;
    if (count > 0 && (count < LIST_FIRST || (count & (count - 1)) != 0))
        return OK; /* it was doubled at the last power of two */
    TRY(arena_array(arena, count < LIST_FIRST ? LIST_FIRST : 2 * count, size, &mem));
    if (count > 0)
        memcpy(mem, *list, count * size);
    *list = mem;
    return OK;
}

static Err add(Arena *arena, PgSetting **settings, size_t *count, PgSetting setting)
{
    void *list = *settings;

    TRY(grow(arena, &list, *count, sizeof setting));
    *settings = list;
    (*settings)[(*count)++] = setting;
    return OK;
}

static const Bytes OURS = LIT_INIT("chaperone.");

bool pg_is_own_setting(Bytes name)
{
    return name.len > OURS.len && text_eq_nocase(bytes_upto(name, OURS.len), OURS);
}

static Err take_setting(PgStartup *s, Arena *arena, PgSetting setting, Fault *fault)
{
    if (!utf8_valid(setting.name) || !utf8_valid(setting.value))
        return refuse(fault, arena, "a startup parameter is not UTF-8", (Bytes){ 0 });
    if (pg_is_own_setting(setting.name)) {
        setting.name = bytes_from(setting.name, OURS.len);
        return add(arena, &s->own, &s->own_count, setting);
    }
    for (size_t i = 0; i < COUNT_OF(ALLOWED); i++) {
        if (!text_eq_nocase(ALLOWED[i].name, setting.name))
            continue;
        if (!value_allowed(ALLOWED[i].only, setting.value))
            return refuse(fault, arena, "this value is not available through the gateway for",
                          setting.name);
        if (text_eq(ALLOWED[i].name, LIT("client_encoding")) ||
            text_eq(ALLOWED[i].name, LIT("standard_conforming_strings")))
            return OK; /* forced anyway */
        return add(arena, &s->settings, &s->setting_count, setting);
    }
    return refuse(fault, arena,
                  "this startup parameter is not available through the gateway:", setting.name);
}

/* One word of `options`: blanks separate, a backslash keeps the next byte (process-startup's
 * pg_split_opts). */
static Err next_word(Reader *r, Arena *arena, Bytes *ret)
{
    CLEANUP(buf_done) Buf word = { 0 };
    uint8_t c = 0;

    buf_init(&word, r->rest.len + 1);
    while (!reader_at_end(r)) {
        TRY(reader_u8(r, &c));
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            if (buf_len(&word) > 0)
                break;
            continue;
        }
        if (c == '\\' && !reader_at_end(r))
            TRY(reader_u8(r, &c));
        TRY(buf_byte(&word, c));
    }
    return arena_copy(arena, buf_view(&word), ret);
}

/* `-c name=value`, `-cname=value` or `--name=value`; `-` in a `--name` stands for `_`. */
static Err take_option(PgStartup *s, Arena *arena, Bytes word, Fault *fault)
{
    const size_t equals = text_find(word, LIT("="));

    if (equals == word.len)
        return refuse(fault, arena, "this option is not available through the gateway:", word);
    CLEANUP(buf_done) Buf name = { 0 };
    buf_init(&name, word.len + 1);
    for (size_t i = 0; i < equals; i++)
        TRY(buf_byte(&name, word.ptr[i] == '-' ? '_' : word.ptr[i]));
    PgSetting setting = { .value = bytes_from(word, equals + 1) };
    TRY(arena_copy(arena, buf_view(&name), &setting.name));
    return take_setting(s, arena, setting, fault);
}

static Err take_options(PgStartup *s, Arena *arena, Bytes options, Fault *fault)
{
    Reader r = reader_of(options);

    while (!reader_at_end(&r)) {
        Bytes word;

        TRY(next_word(&r, arena, &word));
        if (word.len == 0)
            continue;
        if (text_eq(word, LIT("-c")))
            TRY(next_word(&r, arena, &word));
        else if (text_starts(word, LIT("-c")) || text_starts(word, LIT("--")))
            word = bytes_from(word, 2);
        else
            return refuse(fault, arena, "this option is not available through the gateway:", word);
        TRY(take_option(s, arena, word, fault));
    }
    return OK;
}

static Err take_parameter(PgStartup *s, Arena *arena, PgSetting p, Fault *fault)
{
    if (text_eq(p.name, LIT("user"))) {
        s->user = p.value;
        return OK;
    }
    if (text_eq(p.name, LIT("database"))) {
        s->database = p.value;
        return OK;
    }
    if (text_eq(p.name, LIT("options")))
        return take_options(s, arena, p.value, fault);
    if (text_eq(p.name, LIT("replication"))) {
        *fault = (Fault){ .code = CHP_5501,
                          .fact = LIT("replication is not available through the gateway") };
        return ERR_REFUSED;
    }
    if (text_starts(p.name, LIT("_pq_."))) {
        s->negotiate = true;
        void *list = s->unknown_options;
        TRY(grow(arena, &list, s->unknown_option_count, sizeof p.name));
        s->unknown_options = list;
        s->unknown_options[s->unknown_option_count++] = p.name;
        return OK;
    }
    return take_setting(s, arena, p, fault);
}

static Err read_parameters(Reader *r, Arena *arena, PgStartup *s, Fault *fault)
{
    for (;;) {
        PgSetting p;

        TRY(reader_string(r, &p.name));
        if (p.name.len == 0)
            break;
        TRY(reader_string(r, &p.value));
        TRY(take_parameter(s, arena, p, fault));
    }
    if (!reader_at_end(r) || s->user.len == 0)
        return ERR_MALFORMED;
    if (!utf8_valid(s->user) || !utf8_valid(s->database))
        return ERR_MALFORMED;
    if (s->database.len == 0)
        s->database = s->user;
    return OK;
}

/* The major version as it is or not at all; of the minors the highest that both know. */
static Err take_version(PgStartup *s, Arena *arena, uint32_t code, Fault *fault)
{
    const unsigned major = code >> 16, minor = code & 0xFFFF;
    CLEANUP(buf_done) Buf text = { 0 };

    s->minor = minor >= PG_MINOR_2 ? PG_MINOR_2 : PG_MINOR_0;
    s->negotiate = minor != s->minor;
    if (major == VERSION_3 >> 16)
        return OK;
    s->before_3 = major < VERSION_3 >> 16;
    buf_init(&text, 256);
    TRY(text_format(&text, "protocol %u.%u is not spoken here, only 3.0 and 3.2", major, minor));
    *fault = (Fault){ .code = CHP_5401 };
    TRY(arena_copy(arena, buf_view(&text), &fault->fact));
    return ERR_REFUSED;
}

Err pg_startup_read(Bytes body, Arena *arena, PgStartup *ret, Fault *ret_fault)
{
    Reader r = reader_of(body);
    uint32_t code;

    *ret = (PgStartup){ 0 };
    TRY(reader_u32(&r, &code));
    switch (code) {
    case CODE_TLS:
        ret->kind = PG_FIRST_TLS;
        return reader_at_end(&r) ? OK : ERR_MALFORMED;
    case CODE_GSS:
        ret->kind = PG_FIRST_GSS;
        return reader_at_end(&r) ? OK : ERR_MALFORMED;
    case CODE_CANCEL:
        ret->kind = PG_FIRST_CANCEL;
        TRY(reader_u32(&r, &ret->cancel_pid));
        ret->cancel_key = r.rest;
        return r.rest.len >= PG_CANCEL_KEY_3_0 && r.rest.len <= PG_CANCEL_KEY_MAX ? OK
                                                                                  : ERR_MALFORMED;
    default:
        break;
    }
    TRY(take_version(ret, arena, code, ret_fault));
    return read_parameters(&r, arena, ret, ret_fault);
}
