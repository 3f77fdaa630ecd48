#include "proto/pg/pg_write.h"

#include "base/text.h"

#include <string.h>

enum { TYPE_TEXT = 25, PRIMARY_MAX = 64 << 10 };

Err pg_open(Buf *out, uint8_t tag, size_t *ret_mark)
{
    const size_t mark = buf_len(out);

    if (tag != 0)
        TRY(buf_byte(out, tag));
    TRY(buf_u32(out, 0));
    *ret_mark = mark + (tag != 0);
    return OK;
}

void pg_close(Buf *out, size_t mark)
{
    const uint32_t len = (uint32_t)(buf_len(out) - mark);
    const uint8_t raw[] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                            (uint8_t)len };

    buf_patch(out, mark, VIEW(raw));
}

Err pg_message(Buf *out, uint8_t tag, Bytes body)
{
    size_t mark;

    TRY(pg_open(out, tag, &mark));
    TRY(buf_append(out, body));
    pg_close(out, mark);
    return OK;
}

Err pg_string(Buf *out, Bytes text)
{
    if (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL)
        return ERR_MALFORMED;
    TRY(buf_append(out, text));
    return buf_byte(out, 0);
}

static Err field(Buf *out, uint8_t code, Bytes text)
{
    if (text.len == 0)
        return OK;
    TRY(buf_byte(out, code));
    return pg_string(out, text);
}

static const char *severity_name(Severity severity)
{
    switch (severity) {
    case SEVERITY_NOTICE:
        return "NOTICE";
    case SEVERITY_ERROR:
        return "ERROR";
    case SEVERITY_FATAL:
        break;
    }
    return "FATAL";
}

static Err put_primary(Buf *out, const Fault *fault, Bytes id)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, PRIMARY_MAX);
    TRY(message_primary(fault, id, &text));
    TRY(buf_byte(out, 'M'));
    return pg_string(out, buf_view(&text));
}

/* Error and Notice Message Fields, protocol-error-fields.html. */
static Err put_fault(Buf *out, const Fault *fault, Bytes id)
{
    const MessageEntry *entry = message_entry(fault->code);
    const Bytes severity = text_of(severity_name(entry->severity));
    size_t mark;

    TRY(pg_open(out, entry->severity == SEVERITY_NOTICE ? 'N' : 'E', &mark));
    TRY(field(out, 'S', severity));
    TRY(field(out, 'V', severity));
    TRY(field(out, 'C', text_of(entry->sqlstate)));
    TRY(put_primary(out, fault, id));
    TRY(field(out, 'D', fault->detail));
    TRY(field(out, 'H', fault->hint));
    if (fault->position > 0) {
        TRY(buf_byte(out, 'P'));
        TRY(text_format(out, "%u", fault->position));
        TRY(buf_byte(out, 0));
    }
    TRY(field(out, 'n', fault->rule));
    TRY(field(out, 'F', id));
    TRY(buf_byte(out, 'R'));
    TRY(text_format(out, "CHP-%d", (int)fault->code));
    TRY(buf_byte(out, 0));
    TRY(buf_byte(out, 0));
    pg_close(out, mark);
    return OK;
}

Err pg_fault(Buf *out, const Fault *fault, Bytes id)
{
    Fault said = *fault;

    if (message_entry(said.code) == NULL)
        said.code = CHP_3101; /* a zeroed Verdict denies, and says so */
    return put_fault(out, &said, id);
}

Err pg_fault_before_3(Buf *out, const Fault *fault)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, PRIMARY_MAX);
    TRY(buf_append(&text, LIT("FATAL:  ")));
    TRY(message_primary(fault, (Bytes){ 0 }, &text));
    TRY(buf_byte(&text, '\n'));
    TRY(buf_byte(out, 'E'));
    return pg_string(out, buf_view(&text));
}

Err pg_ready(Buf *out, uint8_t status)
{
    return pg_message(out, 'Z', (Bytes){ &status, 1 });
}

Err pg_parameter(Buf *out, Bytes name, Bytes value)
{
    size_t mark;

    TRY(pg_open(out, 'S', &mark));
    TRY(pg_string(out, name));
    TRY(pg_string(out, value));
    pg_close(out, mark);
    return OK;
}

Err pg_text_columns(Buf *out, const Bytes *names, size_t count)
{
    size_t mark;

    TRY(pg_open(out, 'T', &mark));
    TRY(buf_u16(out, (uint16_t)count));
    for (size_t i = 0; i < count; i++) {
        TRY(pg_string(out, names[i]));
        TRY(buf_u32(out, 0)); /* no table */
        TRY(buf_u16(out, 0));
        TRY(buf_u32(out, TYPE_TEXT));
        TRY(buf_u16(out, UINT16_MAX)); /* typlen: varying */
        TRY(buf_u32(out, UINT32_MAX)); /* no typmod */
        TRY(buf_u16(out, 0));          /* text format */
    }
    pg_close(out, mark);
    return OK;
}

Err pg_text_row(Buf *out, const Bytes *values, size_t count)
{
    size_t mark;

    TRY(pg_open(out, 'D', &mark));
    TRY(buf_u16(out, (uint16_t)count));
    for (size_t i = 0; i < count; i++) {
        TRY(buf_u32(out, (uint32_t)values[i].len));
        TRY(buf_append(out, values[i]));
    }
    pg_close(out, mark);
    return OK;
}

static Err message_of_string(Buf *out, uint8_t tag, Bytes text)
{
    size_t mark;

    TRY(pg_open(out, tag, &mark));
    TRY(pg_string(out, text));
    pg_close(out, mark);
    return OK;
}

Err pg_complete(Buf *out, Bytes tag)
{
    return message_of_string(out, 'C', tag);
}

Err pg_query(Buf *out, Bytes text)
{
    return message_of_string(out, 'Q', text);
}

Err pg_parse(Buf *out, Bytes name, Bytes text)
{
    size_t mark;

    TRY(pg_open(out, 'P', &mark));
    TRY(pg_string(out, name));
    TRY(pg_string(out, text));
    TRY(buf_u16(out, 0));
    pg_close(out, mark);
    return OK;
}

Err pg_describe_portal(Buf *out, Bytes portal)
{
    size_t mark;

    TRY(pg_open(out, 'D', &mark));
    TRY(buf_byte(out, 'P'));
    TRY(pg_string(out, portal));
    pg_close(out, mark);
    return OK;
}

Err pg_bind(Buf *out, Bytes portal, Bytes statement, Bytes parameters, bool binary)
{
    size_t mark;

    TRY(pg_open(out, 'B', &mark));
    TRY(pg_string(out, portal));
    TRY(pg_string(out, statement));
    TRY(buf_append(out, parameters));
    TRY(buf_u16(out, 1));
    TRY(buf_u16(out, binary));
    pg_close(out, mark);
    return OK;
}

Err pg_execute(Buf *out, Bytes portal)
{
    size_t mark;

    TRY(pg_open(out, 'E', &mark));
    TRY(pg_string(out, portal));
    TRY(buf_u32(out, 0));
    pg_close(out, mark);
    return OK;
}
