#include "gate/ruling.h"

#include "base/reader.h"
#include "base/text.h"

#include <string.h>

/* SplitIdentifierString() of varlena.c: blanks around names, "" inside quotes is one quote. */
static Err read_name(Reader *r, Buf *out)
{
    uint8_t c;
    const bool quoted = r->rest.len > 0 && r->rest.ptr[0] == '"';

    if (quoted)
        TRY(reader_u8(r, &c));
    while (!reader_at_end(r)) {
        const uint8_t next = r->rest.ptr[0];

        if (!quoted && (next == ',' || next == ' ' || next == '\t' || next == '\n'))
            return OK;
        TRY(reader_u8(r, &c));
        if (quoted && c == '"') {
            if (reader_at_end(r) || r->rest.ptr[0] != '"')
                return OK;
            TRY(reader_u8(r, &c));
        }
        if (!quoted && c >= 'A' && c <= 'Z')
            c = (uint8_t)(c + 'a' - 'A');
        TRY(buf_byte(out, c));
    }
    return quoted ? ERR_MALFORMED : OK;
}

static Err add_name(SearchPath *p, Bytes name)
{
    const size_t used = p->count == 0 ? 0 : p->ends[p->count - 1];

    if (p->count == RULER_PATH_MAX || name.len > sizeof p->text - used)
        return ERR_LIMIT;
    memcpy(p->text + used, name.ptr, name.len);
    p->ends[p->count++] = (uint16_t)(used + name.len);
    return OK;
}

void search_path_names(const SearchPath *p, Bytes ret_names[RULER_PATH_MAX])
{
    size_t start = 0;

    for (size_t i = 0; i < p->count; i++) {
        ret_names[i] = (Bytes){ (const uint8_t *)p->text + start, p->ends[i] - start };
        start = p->ends[i];
    }
}

static void skip_blanks(Reader *r)
{
    r->rest = text_trim(r->rest);
}

Err search_path_read(Bytes value, Bytes user, SearchPath *ret)
{
    Reader r = reader_of(value);
    uint8_t comma;

    *ret = (SearchPath){ .count = 0 };
    skip_blanks(&r);
    while (!reader_at_end(&r)) {
        CLEANUP(buf_done) Buf name = { 0 };

        buf_init(&name, 64);
        TRY(read_name(&r, &name));
        if (buf_len(&name) > 0)
            TRY(add_name(ret, text_eq(buf_view(&name), LIT("$user")) ? user : buf_view(&name)));
        skip_blanks(&r);
        if (reader_at_end(&r))
            break;
        TRY(reader_u8(&r, &comma));
        if (comma != ',')
            return ERR_MALFORMED;
        skip_blanks(&r);
    }
    return OK;
}
