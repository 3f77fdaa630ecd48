#include "base/mdoc.h"

#include "base/text.h"

enum { LINE_MAX_CHARS = 78 };

/* The code point at text[*at], which is moved on. Text of our own: valid UTF-8. */
static unsigned next_point(Bytes text, size_t *at)
{
    const uint8_t first = text.ptr[(*at)++];
    const size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    unsigned point = more == 0 ? first : first & (0x3fu >> more);

    for (size_t i = 0; i < more && *at < text.len; i++)
        point = point << 6 | (text.ptr[(*at)++] & 0x3fu);
    return point;
}

/* A hyphen is written as minus: options must survive being copied from the page. */
static Err put_point(Buf *out, unsigned point)
{
    switch (point) {
    case '\\':
        return buf_append(out, LIT("\\e"));
    case '-':
        return buf_append(out, LIT("\\-"));
    case '"':
        return buf_append(out, LIT("\\(dq"));
    case 0x2026:
        return buf_append(out, LIT("..."));
    default:
        if (point < 0x80)
            return buf_byte(out, (uint8_t)point);
        return text_format(out, "\\[u%04X]", point);
    }
}

/* `code` in bold; whether it is open goes from word to word. */
static Err put_word(Buf *out, Bytes word, bool *bold)
{
    for (size_t at = 0; at < word.len;) {
        const unsigned point = next_point(word, &at);

        if (point != '`') {
            TRY(put_point(out, point));
            continue;
        }
        *bold = !*bold;
        TRY(buf_append(out, *bold ? LIT("\\fB") : LIT("\\fR")));
    }
    return OK;
}

static bool ends_sentence(Bytes word)
{
    const uint8_t last = word.ptr[word.len - 1];

    return last == '.' || last == '?' || last == '!';
}

static Bytes next_word(Bytes words, size_t *at)
{
    while (*at < words.len && (words.ptr[*at] == ' ' || words.ptr[*at] == '\n'))
        (*at)++;
    const size_t from = *at;
    while (*at < words.len && words.ptr[*at] != ' ' && words.ptr[*at] != '\n')
        (*at)++;
    return (Bytes){ words.ptr + from, *at - from };
}

Err mdoc_text(Buf *out, Bytes words)
{
    size_t at = 0, column = 0;
    bool bold = false;

    for (Bytes word = next_word(words, &at); word.len > 0; word = next_word(words, &at)) {
        if (column > 0 && column + 1 + word.len > LINE_MAX_CHARS) {
            TRY(buf_byte(out, '\n'));
            column = 0;
        }
        if (column > 0)
            TRY(buf_byte(out, ' '));
        else if (word.ptr[0] == '.' || word.ptr[0] == '\'')
            TRY(buf_append(out, LIT("\\&")));
        const size_t before = buf_len(out);
        TRY(put_word(out, word, &bold));
        column += buf_len(out) - before + 1;
        if (ends_sentence(word) && at < words.len) {
            TRY(buf_byte(out, '\n'));
            column = 0;
        }
    }
    return column > 0 ? buf_byte(out, '\n') : OK;
}

Err mdoc_argument(Buf *out, Bytes words)
{
    bool bold = false;

    TRY(buf_append(out, LIT(" \"")));
    TRY(put_word(out, words, &bold));
    return buf_byte(out, '"');
}
