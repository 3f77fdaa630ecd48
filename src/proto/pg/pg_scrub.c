#include "proto/pg/pg_scrub.h"

#include "base/reader.h"
#include "base/text.h"
#include "proto/pg/pg_write.h"

typedef struct Fields {
    Bytes by_code[128];
} Fields;

/* Classes whose texts name what the caller wrote, not what the tables hold. */
static const char SAFE_CLASSES[][3] = {
    "0A", "25", "26", "2D", "34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57", "00",
};

static const char *const SEVERITIES[] = { "ERROR",  "FATAL", "PANIC", "WARNING",
                                          "NOTICE", "DEBUG", "INFO",  "LOG" };

static const struct {
    const char *class, *name;
} CONDITIONS[] = {
    { "01", "warning" },
    { "21", "cardinality violation" },
    { "22", "data exception" },
    { "23", "integrity constraint violation" },
    { "27", "triggered data change violation" },
    { "2F", "function exception" },
    { "38", "external routine exception" },
    { "39", "external routine invocation exception" },
    { "44", "WITH CHECK OPTION violation" },
    { "58", "system error" },
    { "HV", "foreign data wrapper error" },
    { "P0", "raised by a function" },
    { "XX", "internal error" },
};

static const struct {
    const char *state, *name;
} STATES[] = {
    { "22001", "value too long for its type" },
    { "22003", "number out of range" },
    { "22007", "invalid date or time format" },
    { "22008", "date or time out of range" },
    { "22012", "division by zero" },
    { "22021", "character not in repertoire" },
    { "22P02", "invalid input syntax for the type" },
    { "22P03", "invalid binary representation" },
    { "23502", "NULL in a column that must not be NULL" },
    { "23503", "foreign key violation" },
    { "23505", "unique key violation" },
    { "23514", "check constraint violation" },
    { "23P01", "exclusion constraint violation" },
};

static bool is_state(Bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return text.len == 5;
}

static Err read_fields(Bytes body, Fields *ret)
{
    Reader r = reader_of(body);

    *ret = (Fields){ 0 };
    for (;;) {
        uint8_t code;
        Bytes text;

        TRY(reader_u8(&r, &code));
        if (code == 0)
            break;
        TRY(reader_string(&r, &text));
        if (code < 128)
            ret->by_code[code] = text;
    }
    return reader_at_end(&r) && is_state(ret->by_code['C']) ? OK : ERR_MALFORMED;
}

static bool class_is_safe(Bytes state)
{
    for (size_t i = 0; i < COUNT_OF(SAFE_CLASSES); i++)
        if (text_starts(state, text_of(SAFE_CLASSES[i])))
            return true;
    return false;
}

/* RAISE can give any SQLSTATE to any text: its file is pl_exec.c, and it has a context. */
static bool text_is_safe(const Fields *f)
{
    return class_is_safe(f->by_code['C']) && f->by_code['W'].len == 0 && f->by_code['q'].len == 0 &&
           !text_eq(f->by_code['F'], LIT("pl_exec.c"));
}

static const char *condition(Bytes state)
{
    for (size_t i = 0; i < COUNT_OF(STATES); i++)
        if (text_eq(state, text_of(STATES[i].state)))
            return STATES[i].name;
    for (size_t i = 0; i < COUNT_OF(CONDITIONS); i++)
        if (text_starts(state, text_of(CONDITIONS[i].class)))
            return CONDITIONS[i].name;
    return "error";
}

static Err put(Buf *out, uint8_t code, Bytes text)
{
    if (text.len == 0)
        return OK;
    TRY(buf_byte(out, code));
    return pg_string(out, text);
}

/* What a target says in our name is said to be its own. */
static bool names_us(Bytes text)
{
    return text_has_nocase(text, LIT("chaperone"));
}

static Err put_primary(uint8_t tag, const Fields *f, bool safe, Buf *out)
{
    TRY(buf_byte(out, 'M'));
    if (tag == 'N' || (safe && names_us(f->by_code['M'])))
        TRY(buf_append(out, LIT("server: ")));
    if (safe)
        TRY(buf_append(out, f->by_code['M']));
    else
        TRY(text_format(out, "%s (server's text withheld, it may carry protected values)",
                        condition(f->by_code['C'])));
    return buf_byte(out, 0);
}

/* In the server's own language where its texts pass; else V, which is never translated. */
static Err put_severity(uint8_t tag, const Fields *f, bool phi, Buf *out)
{
    const Bytes said = f->by_code['V'].len > 0 ? f->by_code['V'] : f->by_code['S'];
    Bytes known = tag == 'E' ? LIT("ERROR") : LIT("NOTICE");

    for (size_t i = 0; i < COUNT_OF(SEVERITIES); i++)
        if (text_eq(said, text_of(SEVERITIES[i])))
            known = said;
    TRY(put(out, 'S', phi ? known : f->by_code['S']));
    return put(out, 'V', phi && f->by_code['V'].len > 0 ? known : f->by_code['V']);
}

static bool is_number(Bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len < 10;
}

Err pg_scrub(uint8_t tag, Bytes body, bool phi, Buf *out, Bytes *ret_state)
{
    Fields f;
    size_t mark;

    TRY(read_fields(body, &f));
    const bool safe = !phi || text_is_safe(&f);
    *ret_state = f.by_code['C'];

    TRY(pg_open(out, tag, &mark));
    TRY(put_severity(tag, &f, phi, out));
    TRY(put(out, 'C', f.by_code['C']));
    TRY(put_primary(tag, &f, safe, out));
    if (!phi)
        TRY(put(out, 'D', f.by_code['D']));
    if (safe && tag == 'E' && !names_us(f.by_code['H']))
        TRY(put(out, 'H', f.by_code['H']));
    if (is_number(f.by_code['P']))
        TRY(put(out, 'P', f.by_code['P']));
    TRY(buf_byte(out, 0));
    pg_close(out, mark);
    return OK;
}
