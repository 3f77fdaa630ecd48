#include "evidence/screen.h"

#include "base/text.h"

/* Length of the character at the front; 0: not UTF-8. */
static size_t character(Bytes text, uint32_t *ret)
{
    const uint8_t first = text.ptr[0];
    const size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (len > text.len || !utf8_valid(bytes_upto(text, len)))
        return 0;
    *ret = len == 1 ? first : first & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++)
        *ret = *ret << 6 | (text.ptr[i] & 0x3fU);
    return len;
}

static bool is_harmless(uint32_t c)
{
    return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0x61c && c != 0x200e && c != 0x200f &&
           !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff;
}

static Err show(Bytes text, bool lines, Buf *out)
{
    while (text.len > 0) {
        uint32_t c = 0;
        const size_t len = character(text, &c);

        if (len == 0)
            TRY(text_format(out, "\\x%02x", text.ptr[0]));
        else if (is_harmless(c) || (lines && c == '\n'))
            TRY(buf_append(out, bytes_upto(text, len)));
        else
            TRY(text_format(out, "\\u{%x}", c));
        text = bytes_from(text, len > 0 ? len : 1);
    }
    return OK;
}

Err screen_text(Bytes text, Buf *out)
{
    return show(text, false, out);
}

Err screen_lines(Bytes text, Buf *out)
{
    return show(text, true, out);
}

size_t screen_width(Bytes text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.len; i++)
        width += (text.ptr[i] & 0xc0) != 0x80;
    return width;
}
