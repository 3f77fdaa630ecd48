#include "config/scalar.h"

#include "base/text.h"

enum { NAME_MAX_CHARS = 63, HOST_MAX_CHARS = 255, PREFIX_MAX_CHARS = 8, PATH_MAX_CHARS = 1024 };

typedef struct Unit {
    Bytes name;
    uint64_t factor;
} Unit;

static const Unit DURATIONS[] = {
    { LIT_INIT("ms"), 1 },      { LIT_INIT("s"), 1000 },     { LIT_INIT("m"), 60000 },
    { LIT_INIT("h"), 3600000 }, { LIT_INIT("d"), 86400000 }, { LIT_INIT("y"), 31536000000 },
};

static const Unit SIZES[] = {
    { LIT_INIT("B"), 1 },
    { LIT_INIT("KiB"), 1u << 10 },
    { LIT_INIT("MiB"), 1u << 20 },
    { LIT_INIT("GiB"), 1u << 30 },
};

Err scalar_bool(Bytes text, bool *ret)
{
    const bool yes = text_eq(text, LIT("true"));

    if (!yes && !text_eq(text, LIT("false")))
        return ERR_MALFORMED;
    *ret = yes;
    return OK;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static Err with_unit(Bytes text, const Unit *units, size_t count, uint64_t *ret)
{
    size_t digits = 0;

    while (digits < text.len && is_digit(text.ptr[digits]))
        digits++;
    for (size_t i = 0; i < count; i++) {
        uint64_t number;

        if (!text_eq(units[i].name, bytes_from(text, digits)))
            continue;
        TRY(text_u64(bytes_upto(text, digits), UINT64_MAX / units[i].factor, &number));
        *ret = number * units[i].factor;
        return OK;
    }
    return ERR_MALFORMED;
}

Err scalar_duration(Bytes text, uint64_t *ret_ms)
{
    return with_unit(text, DURATIONS, COUNT_OF(DURATIONS), ret_ms);
}

Err scalar_size(Bytes text, uint64_t *ret_bytes)
{
    return with_unit(text, SIZES, COUNT_OF(SIZES), ret_bytes);
}

static bool is_host(Bytes host)
{
    for (size_t i = 0; i < host.len; i++) {
        const uint8_t c = host.ptr[i];

        if (!is_letter(c) && !is_digit(c) && c != '.' && c != '-' && c != '_')
            return false;
    }
    return host.len <= HOST_MAX_CHARS;
}

static bool is_ipv6(Bytes host)
{
    for (size_t i = 0; i < host.len; i++) {
        const uint8_t c = host.ptr[i];
        const bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

        if (!hex && c != ':' && c != '.')
            return false;
    }
    return host.len >= 2 && host.len <= HOST_MAX_CHARS;
}

Err scalar_address(Bytes text, Address *ret)
{
    const bool bracket = text_starts(text, LIT("["));
    const size_t close = bracket ? text_find(text, LIT("]:")) : text_find(text, LIT(":"));
    uint64_t port;

    if (close == text.len)
        return ERR_MALFORMED;
    const Bytes host = bracket ? bytes_from(bytes_upto(text, close), 1) : bytes_upto(text, close);

    if (bracket ? !is_ipv6(host) : !is_host(host))
        return ERR_MALFORMED;
    if (text_u64(bytes_from(text, close + (bracket ? 2 : 1)), UINT16_MAX, &port) != OK || port == 0)
        return ERR_MALFORMED;
    *ret = (Address){ host, (uint16_t)port };
    return OK;
}

bool address_is_loopback(const Address *a)
{
    if (text_eq_nocase(a->host, LIT("localhost")) || text_eq(a->host, LIT("::1")))
        return true;
    /* Digits and dots only: "127.evil.example" is a name like any other. */
    for (size_t i = 0; i < a->host.len; i++)
        if (!is_digit(a->host.ptr[i]) && a->host.ptr[i] != '.')
            return false;
    return text_starts(a->host, LIT("127."));
}

static bool is_name(Bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_' && (c != '.' || i == 0))
            return false;
    }
    return text.len > 0 && text.len <= NAME_MAX_CHARS;
}

/* People sign in as dana@mercy.example, too. */
static bool is_person(Bytes text)
{
    const size_t at = text_find(text, LIT("@"));

    if (at == text.len)
        return is_name(text);
    return is_name(bytes_upto(text, at)) && is_name(bytes_from(text, at + 1));
}

static const char *path_wrong(Bytes text)
{
    if (!text_starts(text, LIT("/")))
        return "must be an absolute path";
    if (text.len > PATH_MAX_CHARS)
        return "is too long for a path";
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20)
            return "must not hold control characters";
    return NULL;
}

static const char *member_wrong(Bytes text)
{
    static const Bytes PREFIXES[] = { LIT_INIT("user:"), LIT_INIT("agent:"), LIT_INIT("service:"),
                                      LIT_INIT("group:local/") };

    for (size_t i = 0; i < COUNT_OF(PREFIXES); i++)
        if (text_starts(text, PREFIXES[i]))
            return is_person(bytes_from(text, PREFIXES[i].len)) ? NULL : "does not name anybody";
    if (text_starts(text, LIT("group:")) && text_find(text, LIT("/")) < text.len)
        return "names a group of an identity provider, which is not available in this version; "
               "use `group:local/NAME`";
    return "must be `user:NAME`, `agent:NAME`, `service:NAME` or `group:local/NAME`";
}

static const char *exempt_wrong(Bytes text)
{
    static const Bytes KINDS[] = { LIT_INIT("human"), LIT_INIT("agent"), LIT_INIT("service") };

    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (text_eq(text, KINDS[i]))
            return NULL;
    if (text_find(text, LIT(":")) == text.len)
        return "must be `human`, `agent`, `service`, or name one as `user:NAME` or "
               "`group:local/NAME` do";
    return member_wrong(text);
}

static const char *group_wrong(Bytes text)
{
    if (text_find(text, LIT("/")) == text.len)
        return is_name(text) ? NULL : "must be a role's name or `local/GROUP`";
    if (!text_starts(text, LIT("local/")))
        return "names a group of an identity provider, which is not available in this version; "
               "use `local/GROUP`";
    return is_name(bytes_from(text, LIT("local/").len)) ? NULL : "does not name a group";
}

static bool is_variable(Bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        if (!is_letter(c) && c != '_' && (i == 0 || !is_digit(c)))
            return false;
    }
    return text.len > 0;
}

/* What is no reference may be the secret itself: it is never repeated in the message. */
static const char *secret_wrong(Bytes text, bool env)
{
    if (text_starts(text, LIT("file:")))
        return path_wrong(bytes_from(text, LIT("file:").len)) == NULL
                   ? NULL
                   : "must name an absolute path: `file:/PATH`";
    if (env && text_starts(text, LIT("env:")))
        return is_variable(bytes_from(text, LIT("env:").len)) ? NULL
                                                              : "must name a variable: `env:NAME`";
    if (text_starts(text, LIT("systemd-cred:")) || text_starts(text, LIT("vault:")))
        return "uses a kind of reference that is not available in this version; use `file:/PATH`";
    return env ? "must be a reference, never the secret itself: `file:/PATH` or `env:NAME`"
               : "must be a reference, never the key itself: `auto` or `file:/PATH`";
}

static const char *file_wrong(Bytes text)
{
    const Bytes prefix = LIT("file:");

    return text_starts(text, prefix) && path_wrong(bytes_from(text, prefix.len)) == NULL
               ? NULL
               : "must name a file by its absolute path: `file:/PATH`";
}

static const char *state_wrong(Bytes text)
{
    if (text_starts(text, LIT("postgres:")) || text_starts(text, LIT("postgresql:")))
        return "names a PostgreSQL store, which is not available in this version; use "
               "`sqlite:/PATH`";
    if (!text_starts(text, LIT("sqlite:")) ||
        path_wrong(bytes_from(text, LIT("sqlite:").len)) != NULL)
        return "must be `sqlite:/PATH`";
    return NULL;
}

static const char *url_wrong(Bytes text)
{
    const bool http = text_starts(text, LIT("http://")) || text_starts(text, LIT("https://"));

    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] == '"' || text.ptr[i] == '<' || text.ptr[i] == '>')
            return "must be a URL without spaces or quotes";
    return http && text.len > LIT("https://").len ? NULL
                                                  : "must begin with `https://` or `http://`";
}

static const char *prefix_wrong(Bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.ptr[i] < 'A' || text.ptr[i] > 'Z') && (i == 0 || !is_digit(text.ptr[i])))
            return "must be upper-case letters and digits";
    return text.len <= PREFIX_MAX_CHARS ? NULL : "must be at most 8 characters";
}

static const char *recovery_key_wrong(Bytes text)
{
    static const Bytes PREFIX = LIT_INIT("x25519:");
    enum { DIGITS = 64 };
    static const char WRONG[] =
        "must be `x25519:` and 64 digits of 0-9 a-f, as `chaperone recovery-key new` prints it";

    if (!text_starts(text, PREFIX) || text.len != PREFIX.len + DIGITS)
        return WRONG;
    for (size_t i = PREFIX.len; i < text.len; i++)
        if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') ||
              (text.ptr[i] >= 'a' && text.ptr[i] <= 'f')))
            return WRONG;
    return NULL;
}

const char *text_form_wrong(TextForm form, Bytes text)
{
    static const char *const NAME_WRONG = "must be a name: letters, digits, `-`, `_`, `.`; at most "
                                          "63 characters";

    if (text.len == 0)
        return "has no value";
    switch (form) {
    case FORM_TEXT:
        return NULL;
    case FORM_NAME:
        return is_name(text) ? NULL : NAME_WRONG;
    case FORM_NAME_OR_ALL:
        return is_name(text) || text_eq(text, LIT("*")) ? NULL : NAME_WRONG;
    case FORM_MEMBER:
        return member_wrong(text);
    case FORM_EXEMPT:
        return exempt_wrong(text);
    case FORM_GROUP:
        return group_wrong(text);
    case FORM_SECRET:
        return secret_wrong(text, true);
    case FORM_FILE:
        return file_wrong(text);
    case FORM_ROOT_KEY:
        return text_eq(text, LIT("auto")) ? NULL : secret_wrong(text, false);
    case FORM_STATE:
        return state_wrong(text);
    case FORM_PATH:
        return path_wrong(text);
    case FORM_URL:
        return url_wrong(text);
    case FORM_RECOVERY_KEY:
        return recovery_key_wrong(text);
    case FORM_PREFIX:
        return prefix_wrong(text);
    }
    return "cannot be read";
}
