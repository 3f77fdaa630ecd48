/* The shared vector byte for byte, and every bit of it flipped. */
#include "journal/checkpoint.h"
#include "vectors.h"

static const char *vkey, *note, *cosigned;
static SignKey signer;
static NoteKey key;

static CheckpointTrust trust_in(Bytes text, const NoteKey *k, uint64_t *ret_seconds)
{
    Checkpoint c;
    CheckpointTrust trust;

    EXPECT(checkpoint_parse(text, &c) == OK);
    EXPECT(checkpoint_trust(&c, k, &trust, ret_seconds) == OK);
    return trust;
}

static void keys_are_written_one_way(void)
{
    static const char *const WRONG[] = {
        "",
        "name",
        "name+30c62ebb",
        "name+30c62ebb+",
        "name+30c62ebb+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "gw.example.com/audit/t1+30C62EBB+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "gw.example.com/audit/t1+30c62ebb+AgOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "gw.example.com/audit/t1 30c62ebb+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
    };
    Buf out;

    buf_init(&out, 512);
    EXPECT(note_key_parse(text_of(vkey), &key) == OK && key.algorithm == NOTE_ED25519);
    EXPECT(text_eq(VIEW(key.public_key), VIEW(signer.public_key)));
    EXPECT(note_key_write(&key, &out) == OK && text_eq(buf_view(&out), text_of(vkey)));
    for (size_t i = 0; i < COUNT_OF(WRONG); i++)
        EXPECT(note_key_parse(text_of(WRONG[i]), &key) == ERR_MALFORMED);
    buf_done(&out);
}

static void the_vector_is_signed_byte_for_byte(void)
{
    Checkpoint c;
    uint64_t seconds;
    Buf out;

    buf_init(&out, 4096);
    EXPECT(checkpoint_parse(text_of(note), &c) == OK);
    EXPECT(c.head.size == 8 && text_eq(c.origin, LIT("gw.example.com/audit/t1")));
    EXPECT(checkpoint_sign(c.origin, &c.head, &signer, &out) == OK);
    EXPECT(text_eq(buf_view(&out), text_of(note)));
    EXPECT(trust_in(text_of(note), &key, &seconds) == CHECKPOINT_SIGNED && seconds == 0);
    EXPECT(checkpoint_sign(LIT("two words"), &c.head, &signer, &out) == ERR_MALFORMED);
    buf_done(&out);
}

static void the_witness_signs_byte_for_byte(void)
{
    const NoteKey witness =
        note_key_of(LIT("witness.example.org/w1"), NOTE_COSIGNATURE_V1, signer.public_key);
    Checkpoint c;
    uint64_t seconds;
    Buf out;

    buf_init(&out, 4096);
    EXPECT(trust_in(text_of(cosigned), &witness, &seconds) == CHECKPOINT_SIGNED);
    EXPECT(seconds == 0x6b03f995);
    EXPECT(checkpoint_parse(text_of(note), &c) == OK);
    EXPECT(buf_append(&out, text_of(note)) == OK);
    EXPECT(checkpoint_cosign(&c, witness.name, &signer, seconds, &out) == OK);
    EXPECT(text_eq(buf_view(&out), text_of(cosigned)));
    EXPECT(trust_in(text_of(note), &witness, &seconds) == CHECKPOINT_UNSIGNED);
    EXPECT(trust_in(text_of(cosigned), &key, &seconds) == CHECKPOINT_SIGNED && seconds == 0);
    buf_done(&out);
}

static void every_flipped_bit_loses_its_trust(void)
{
    const Bytes good = text_of(note);
    uint8_t bad[1024];

    for (size_t bit = 0; bit < good.len * 8; bit++) {
        Checkpoint c;
        CheckpointTrust trust;
        uint64_t seconds;
        memcpy(bad, good.ptr, good.len);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (checkpoint_parse((Bytes){ bad, good.len }, &c) != OK)
            continue;
        EXPECT(checkpoint_trust(&c, &key, &trust, &seconds) == OK);
        EXPECT(trust != CHECKPOINT_SIGNED);
    }
    for (size_t len = 0; len < good.len; len++) {
        Checkpoint c;
        EXPECT(checkpoint_parse(bytes_upto(good, len), &c) == ERR_MALFORMED);
    }
}

#define ROOT "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
#define LINE "\xe2\x80\x94 o MMYuu2g5OTHI\n"

static void anything_but_the_format_is_refused(void)
{
    static const char *const WRONG[] = {
        "o\n8\n" ROOT,
        "o\n8\n" ROOT "\n",
        "o\n08\n" ROOT "\n" LINE,
        "o\n-8\n" ROOT "\n" LINE,
        "o\n\n" ROOT "\n" LINE,
        "o\n18446744073709551616\n" ROOT "\n" LINE,
        "\n8\n" ROOT "\n" LINE,
        "o\n8\nXcna\n\n" LINE,
        "o\n8\n" ROOT LINE,
        "o\n8\n" ROOT "\n- o MMYuu2g5OTHI\n",
        "o\n8\n" ROOT "\n\xe2\x80\x94 o  MMYuu2g5OTHI\n",
        "o\n8\n" ROOT "\n\xe2\x80\x94 o MMYuug==\n",
        "o\n8\n" ROOT "\n\xe2\x80\x94 o MMYuu2g5OTHI",
        "o\n8\n" ROOT "\n\xe2\x80\x94 o+p MMYuu2g5OTHI\n",
        "o\n8\r\n" ROOT "\n" LINE,
        "o\n8\n" ROOT "\n" LINE "\n",
    };
    Checkpoint c;

    EXPECT(checkpoint_parse(LIT("o\n8\n" ROOT "\n" LINE), &c) == OK);
    EXPECT(checkpoint_parse(LIT("o\n0\n" ROOT "extension\n\n" LINE LINE), &c) == OK);
    EXPECT(text_eq(c.text, LIT("o\n0\n" ROOT "extension\n")));
    for (size_t i = 0; i < COUNT_OF(WRONG); i++)
        EXPECT(checkpoint_parse(text_of(WRONG[i]), &c) == ERR_MALFORMED);
    static const uint8_t LONG[CHECKPOINT_MAX + 1] = { 0 };
    EXPECT(checkpoint_parse(VIEW(LONG), &c) == ERR_LIMIT);
}

static const char *text_in(const json_t *all, const char *name)
{
    return json_string_value(json_object_get(all, name));
}

int main(void)
{
    json_t *all = vectors("tlog/checkpoint_vector.json");
    const Hash seed = hash_from_hex(text_in(all, "seed_hex"));

    vkey = text_in(all, "vkey");
    note = text_in(all, "checkpoint");
    cosigned = text_in(all, "with_cosignature_v1");
    EXPECT(sign_key_init(&signer, seed.bytes) == OK);
    TEST(keys_are_written_one_way);
    EXPECT(note_key_parse(text_of(vkey), &key) == OK);
    TEST(the_vector_is_signed_byte_for_byte);
    TEST(the_witness_signs_byte_for_byte);
    TEST(every_flipped_bit_loses_its_trust);
    TEST(anything_but_the_format_is_refused);
    sign_key_done(&signer);
    json_decref(all);
    return 0;
}
