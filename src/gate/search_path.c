#include "gate/ruling.h"

#include "base/reader.h"
#include "base/text.h"

#include <stdlib.h>
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

enum { SCHEMA_NAME_MAX = 64, TEXT_MAX = 512 };

struct SearchPath {
    size_t refs, count;
    uint16_t ends[RULER_PATH_MAX]; /* of each name in text; the next begins there */
    char text[];
};

void search_path_set(SearchPath **to, SearchPath *p)
{
    SearchPath *old = *to;

    if (p != NULL)
        p->refs++;
    *to = p;
    if (old != NULL && --old->refs == 0)
        free(old);
}

size_t search_path_names(const SearchPath *p, Bytes ret_names[RULER_PATH_MAX])
{
    const size_t count = p != NULL ? p->count : 0;
    size_t start = 0;

    for (size_t i = 0; i < count; i++) {
        ret_names[i] = (Bytes){ (const uint8_t *)p->text + start, p->ends[i] - start };
        start = p->ends[i];
    }
    return count;
}

/* What has been read so far. */
typedef struct Found {
    Buf text;
    uint16_t ends[RULER_PATH_MAX];
    size_t count;
} Found;

static Err add_name(Found *f, Bytes name)
{
    if (f->count == RULER_PATH_MAX)
        return ERR_LIMIT;
    TRY(buf_append(&f->text, name));
    f->ends[f->count++] = (uint16_t)buf_len(&f->text);
    return OK;
}

static void skip_blanks(Reader *r)
{
    r->rest = text_trim(r->rest);
}

static Err read_names(Bytes value, Bytes user, Found *f)
{
    Reader r = reader_of(value);
    uint8_t comma;

    skip_blanks(&r);
    while (!reader_at_end(&r)) {
        CLEANUP(buf_done) Buf name = { 0 };

        buf_init(&name, SCHEMA_NAME_MAX);
        TRY(read_name(&r, &name));
        if (buf_len(&name) > 0)
            TRY(add_name(f, text_eq(buf_view(&name), LIT("$user")) ? user : buf_view(&name)));
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

/* NULL: there are none, or no memory. */
static SearchPath *keep(const Found *f)
{
    const Bytes text = buf_view(&f->text);
    SearchPath *made = f->count > 0 ? calloc(1, sizeof *made + text.len) : NULL;

    if (made == NULL)
        return NULL;
    made->count = f->count;
    memcpy(made->ends, f->ends, sizeof made->ends);
    memcpy(made->text, text.ptr, text.len);
    return made;
}

void search_path_read(Bytes value, Bytes user, SearchPath **path)
{
    Found found = { .count = 0 };

    buf_init(&found.text, TEXT_MAX);
    const bool read = read_names(value, user, &found) == OK;
    search_path_set(path, read ? keep(&found) : NULL);
    buf_done(&found.text);
}

static bool same(const SearchPath *a, const SearchPath *b)
{
    return a->count == b->count && memcmp(a->ends, b->ends, sizeof a->ends) == 0 &&
           memcmp(a->text, b->text, a->ends[a->count - 1]) == 0;
}

void search_path_share(SearchPath **path, SearchPath **known)
{
    if (*path == NULL)
        return;
    if (*known != NULL && same(*path, *known))
        search_path_set(path, *known);
    else
        search_path_set(known, *path);
}
