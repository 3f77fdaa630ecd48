/* Published vectors, and: what was altered does not open. */
#include "base/crc32c.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "crypto/md5_password.h"
#include "crypto/sign.h"
#include "crypto/siv.h"
#include "hex.h"

#include <string.h>

static bool both_say(Bytes data, uint32_t crc)
{
    return crc32c(data) == crc && crc32c_by_table(data) == crc;
}

static void crc32c_of_rfc_3720(void)
{
    uint8_t block[32] = { 0 };

    EXPECT(both_say(LIT("123456789"), 0xe3069283u));
    EXPECT(both_say(VIEW(block), 0x8a9136aau));
    memset(block, 0xff, sizeof block);
    EXPECT(both_say(VIEW(block), 0x62a8ab43u));
    for (uint8_t i = 0; i < 32; i++)
        block[i] = i;
    EXPECT(both_say(VIEW(block), 0x46dd794eu));
}

/* The defining bitwise loop against the tables: every entry of all eight is met. */
static void crc32c_agrees_with_its_definition(void)
{
    uint8_t text[19];

    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t len = 0; len <= sizeof text; len++) {
            memset(text, (int)byte, sizeof text);
            text[len / 2] ^= 0x5a;
            uint32_t crc = 0xffffffffu;
            for (size_t i = 0; i < len; i++) {
                crc ^= text[i];
                for (int bit = 0; bit < 8; bit++)
                    crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
            }
            EXPECT(both_say((Bytes){ text, len }, ~crc));
        }
    }
}

static void sha256_of_fips_180(void)
{
    const Hash empty = hash_of((Bytes){ 0 });
    const Hash abc = hash_of(LIT("abc"));
    Hasher h;

    EXPECT(is_hex(VIEW(empty), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    EXPECT(is_hex(VIEW(abc), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    hash_begin(&h);
    hash_add(&h, LIT("a"));
    hash_add(&h, LIT("bc"));
    const Hash pieces = hash_end(&h);
    EXPECT(hash_eq(&pieces, &abc) && !hash_eq(&pieces, &empty));
}

static void hmac_of_rfc_4231(void)
{
    Raw key;
    uint8_t long_key[131];

    const Hash one = hmac_once(LIT("Jefe"), LIT("what do ya want for nothing?"));
    EXPECT(is_hex(VIEW(one), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    const Hash two =
        hmac_once(unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", &key), LIT("Hi There"));
    EXPECT(is_hex(VIEW(two), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    memset(long_key, 0xaa, sizeof long_key);
    const Hash three =
        hmac_once(VIEW(long_key), LIT("Test Using Larger Than Block-Size Key - Hash Key First"));
    EXPECT(is_hex(VIEW(three), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

static void hkdf_of_rfc_5869(void)
{
    Raw secret, salt, purpose;
    uint8_t out[42];

    EXPECT(hkdf(unhex("000102030405060708090a0b0c", &salt),
                unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", &secret),
                unhex("f0f1f2f3f4f5f6f7f8f9", &purpose), out, sizeof out) == OK);
    EXPECT(is_hex(VIEW(out),
                  "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208"
                  "d5b887185865"));
    EXPECT(hkdf((Bytes){ 0 }, secret.bytes, (Bytes){ 0 }, out, sizeof out) == OK);
    EXPECT(is_hex(VIEW(out),
                  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395"
                  "faa4b61a96c8"));
    EXPECT(hkdf(salt.bytes, secret.bytes, purpose.bytes, out, HKDF_MAX + 1) == ERR_LIMIT);

    HmacKey k;
    Raw prk;
    hmac_key_init(&k,
                  unhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", &prk));
    const Hash key = hkdf_key(&k, purpose.bytes);
    EXPECT(is_hex(VIEW(key), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
    hmac_key_done(&k);
}

static void pbkdf2_of_rfc_7914(void)
{
    const Hash one = pbkdf2(LIT("passwd"), LIT("salt"), 1);
    EXPECT(is_hex(VIEW(one), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"));
    const Hash many = pbkdf2(LIT("Password"), LIT("NaCl"), 80000);
    EXPECT(is_hex(VIEW(many), "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"));
}

/* Test case 16 of the GCM submission. */
static void gcm_of_its_submission(void)
{
    Raw key, nonce, aad, plain;
    uint8_t text[64], tag[AEAD_TAG];
    Aead a;
    AeadMessage m = { 0 };

    unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", &key);
    memcpy(m.nonce, unhex("cafebabefacedbaddecaf888", &nonce).ptr, AEAD_NONCE);
    m.aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", &aad);
    m.text =
        unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c9595680953"
              "2fcf0e2449a6b525b16aedf5aa0de657ba637b39",
              &plain);
    EXPECT(aead_init(&a, key.mem) == OK);
    EXPECT(aead_seal(&a, &m, text, tag) == OK);
    EXPECT(
        is_hex((Bytes){ text, 60 },
               "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7"
               "b08b1056828838c5f61e6393ba7a0abcc9f662"));
    EXPECT(is_hex(VIEW(tag), "76fc6ece0f4e1768cddf8853bb2d551b"));

    m.text = (Bytes){ text, 60 };
    uint8_t back[64];
    EXPECT(aead_open(&a, &m, tag, back) == OK && memcmp(back, plain.mem, 60) == 0);
    aead_rest(&a);
    EXPECT(a.ctx == NULL);
    aead_rest(&a);
    EXPECT(aead_open(&a, &m, tag, back) == OK && memcmp(back, plain.mem, 60) == 0);
    aead_rest(&a);
    for (size_t bit = 0; bit < 60 * 8; bit++) {
        text[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT(aead_open(&a, &m, tag, back) == ERR_MALFORMED && back[0] == 0 && back[59] == 0);
        text[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    tag[15] ^= 1;
    EXPECT(aead_open(&a, &m, tag, back) == ERR_MALFORMED);
    tag[15] ^= 1;
    EXPECT(aead_seal(&a, &(AeadMessage){ .text = { plain.mem, 60 } }, back, tag) == OK);
    aead_done(&a);
    EXPECT(aead_seal(&a, &m, text, tag) == ERR_LIMIT);
    aead_rest(&a); /* no key, nothing to wake with */
    EXPECT(aead_seal(&a, &m, text, tag) == ERR_LIMIT);
    aead_done(&a);
}

static void expect_siv(Bytes key, const Bytes *aad, size_t count, Bytes plain, const char *sealed)
{
    Siv s;
    Buf out, back;

    buf_init(&out, 4096);
    buf_init(&back, 4096);
    EXPECT(siv_init(&s, key) == OK);
    siv_rest(&s);
    EXPECT(s.mac == NULL && s.ctr == NULL);
    EXPECT(siv_seal(&s, aad, count, plain, &out) == OK);
    EXPECT(sealed == NULL || is_hex(buf_view(&out), sealed));
    siv_rest(&s);
    EXPECT(siv_open(&s, aad, count, buf_view(&out), &back) == OK);
    EXPECT(text_eq(buf_view(&back), plain));
    for (size_t bit = 0; bit<buf_len(&out) * 8; bit += plain.len> 64 ? 61 : 1) {
        const uint8_t was = buf_view(&out).ptr[bit / 8];
        const uint8_t is = (uint8_t)(was ^ 1u << bit % 8);
        buf_patch(&out, bit / 8, VIEW(is));
        EXPECT(siv_open(&s, aad, count, buf_view(&out), &back) == ERR_MALFORMED);
        buf_patch(&out, bit / 8, VIEW(was));
    }
    EXPECT(buf_len(&back) == plain.len);
    siv_done(&s);
    siv_done(&s);
    EXPECT(siv_seal(&s, aad, count, plain, &out) == ERR_LIMIT);
    buf_done(&out);
    buf_done(&back);
}

static void siv_of_rfc_5297(void)
{
    Raw key, plain, aad[3];

    unhex("101112131415161718191a1b1c1d1e1f2021222324252627", &aad[0]);
    expect_siv(unhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", &key),
               &aad[0].bytes, 1, unhex("112233445566778899aabbccddee", &plain),
               "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c");

    const Bytes three[] = {
        unhex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
              &aad[0]),
        unhex("102030405060708090a0", &aad[1]),
        unhex("09f911029d74e35bd84156c5635688c0", &aad[2]),
    };
    expect_siv(
        unhex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f", &key), three, 3,
        unhex("7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e6720"
              "5349562d414553",
              &plain),
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f7"
        "48ba8af829ea64ad544a272e9c485b62a3fd5c0d");
}

/* AES-256-SIV, and texts below, at and above one block. */
static void siv_takes_every_length(void)
{
    uint8_t key[64], plain[300];
    Siv s;

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    const Bytes aad = LIT("resource/epoch");
    for (size_t len = 0; len <= sizeof plain; len++)
        expect_siv(VIEW(key), &aad, 1, (Bytes){ plain, len }, NULL);
    expect_siv(VIEW(key), NULL, 0, (Bytes){ plain, 20 }, NULL);
    EXPECT(siv_init(&s, bytes_upto(VIEW(key), 48)) == ERR_MALFORMED);
    EXPECT(siv_init(&s, VIEW(key)) == OK);
    Buf out;
    buf_init(&out, 64);
    EXPECT(siv_open(&s, NULL, 0, LIT("short"), &out) == ERR_MALFORMED);
    EXPECT(siv_seal(&s, NULL, SIV_AAD_MAX + 1, LIT("x"), &out) == ERR_LIMIT);
    EXPECT(siv_seal(&s, NULL, 0, VIEW(plain), &out) == ERR_LIMIT && buf_len(&out) == 0);
    buf_done(&out);
    siv_done(&s);
}

static void ed25519_of_rfc_8032(void)
{
    Raw seed;
    SignKey k;
    uint8_t signature[SIGN_BYTES];

    unhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", &seed);
    EXPECT(sign_key_init(&k, seed.mem) == OK);
    EXPECT(is_hex(VIEW(k.public_key),
                  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"));
    EXPECT(sign_message(&k, LIT("\xaf\x82"), signature) == OK);
    EXPECT(is_hex(
        VIEW(signature),
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7"
        "60984dc6594a7c15e9716ed28dc027beceea1ec40a"));
    EXPECT(sign_verify(k.public_key, LIT("\xaf\x82"), signature) == OK);
    EXPECT(sign_verify(k.public_key, LIT("\xaf\x83"), signature) == ERR_REFUSED);
    signature[0] ^= 1;
    EXPECT(sign_verify(k.public_key, LIT("\xaf\x82"), signature) == ERR_REFUSED);
    sign_key_done(&k);
    sign_key_done(&k);
    EXPECT(sign_message(&k, LIT("x"), signature) == ERR_LIMIT);
}

/* Of PostgreSQL's documentation of AuthenticationMD5Password, computed with another library. */
static void md5_answers_of_postgresql(void)
{
    uint8_t answer[MD5_ANSWER_BYTES];

    EXPECT(md5_password_answer(LIT("svc"), LIT("s3cret"), LIT("\001\002\003\377"), answer) == OK);
    EXPECT(text_eq(VIEW(answer), LIT("md5bb35567212ae83e62b6d6c7c03a28c28")));
    EXPECT(md5_password_answer(LIT("svc"), LIT("s3cret"), LIT("\001\002\003"), answer) ==
           ERR_MALFORMED);
}

int main(void)
{
    TEST(crc32c_of_rfc_3720);
    TEST(crc32c_agrees_with_its_definition);
    TEST(sha256_of_fips_180);
    TEST(hmac_of_rfc_4231);
    TEST(hkdf_of_rfc_5869);
    TEST(pbkdf2_of_rfc_7914);
    TEST(gcm_of_its_submission);
    TEST(siv_of_rfc_5297);
    TEST(siv_takes_every_length);
    TEST(ed25519_of_rfc_8032);
    TEST(md5_answers_of_postgresql);
    return 0;
}
