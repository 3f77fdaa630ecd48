/* crypto/box: made here, opened there, and nothing else opens it. */
#include "crypto/box.h"
#include "hex.h"

#include <string.h>

/* An independent implementation of RFC 7748 (checked with §5.2's first vector), RFC 5869 and
 * SP 800-38D made this box: private key 00 01 … 1f, ephemeral key 64 65 … 83. */
static const char PUBLIC[] = "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f";
static const char BOX[] = "7d9c24316539825c1896e57f28197746793ce60cbee3ad47da9d07b85fa55e2a18b5b6db"
                          "975e73c83b54ebfbcfdbbb4f"
                          "a49ae1ba3e27c9eb215157389f01865f5568087286c5bd19ec17d67c229e71ae";
static const char TEXT[] = "the root key goes here, 32 bytes";

static void count_up(uint8_t ret[BOX_KEY], unsigned from)
{
    for (unsigned i = 0; i < BOX_KEY; i++)
        ret[i] = (uint8_t)(from + i);
}

static void box_is_as_specified(void)
{
    CLEANUP(buf_done) Buf box = { 0 };
    CLEANUP(buf_done) Buf text = { 0 };
    uint8_t own[BOX_KEY], ephemeral[BOX_KEY], public_key[BOX_KEY];

    count_up(own, 0);
    count_up(ephemeral, 100);
    buf_init(&box, 4096);
    buf_init(&text, 4096);
    EXPECT(box_public(own, public_key) == OK && is_hex(VIEW(public_key), PUBLIC));
    EXPECT(box_seal(ephemeral, public_key, LIT("aad"), text_of(TEXT), &box) == OK);
    EXPECT(is_hex(buf_view(&box), BOX));
    EXPECT(box_open(own, LIT("aad"), buf_view(&box), &text) == OK);
    EXPECT(text_eq(buf_view(&text), text_of(TEXT)));
}

static void nothing_else_opens_it(void)
{
    CLEANUP(buf_done) Buf text = { 0 };
    uint8_t own[BOX_KEY], other[BOX_KEY];
    Raw box;

    count_up(own, 0);
    count_up(other, 1);
    buf_init(&text, 4096);
    (void)unhex(BOX, &box);
    EXPECT(box_open(other, LIT("aad"), box.bytes, &text) == ERR_MALFORMED);
    EXPECT(box_open(own, LIT("Aad"), box.bytes, &text) == ERR_MALFORMED);
    for (size_t len = 0; len < box.bytes.len; len++)
        EXPECT(box_open(own, LIT("aad"), bytes_upto(box.bytes, len), &text) == ERR_MALFORMED);
    for (size_t bit = 0; bit < 8 * box.bytes.len; bit++) {
        box.mem[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT(box_open(own, LIT("aad"), box.bytes, &text) == ERR_MALFORMED);
        box.mem[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    EXPECT(buf_len(&text) == 0);
}

/* RFC 7748 §6.1: a point of small order would make the secret known to everybody. */
static void no_box_for_a_key_of_small_order(void)
{
    CLEANUP(buf_done) Buf box = { 0 };
    uint8_t ephemeral[BOX_KEY], zero[BOX_KEY] = { 0 };

    count_up(ephemeral, 100);
    buf_init(&box, 4096);
    EXPECT(box_seal(ephemeral, zero, (Bytes){ 0 }, LIT("x"), &box) == ERR_MALFORMED);
    EXPECT(buf_len(&box) == 0);
}

int main(void)
{
    TEST(box_is_as_specified);
    TEST(nothing_else_opens_it);
    TEST(no_box_for_a_key_of_small_order);
    return 0;
}
