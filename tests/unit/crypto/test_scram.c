/* RFC 7677 §3, both roles against each other, and what a strict parser turns away. */
#include "base/encode.h"
#include "base/text.h"
#include "crypto/scram.h"
#include "test.h"

#include <string.h>

#define BARE         "n=user,r=rOprNGfwEbeRWgbNEkqO"
#define NONCE        "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SERVER_FIRST "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define FINAL        "c=biws,r=" NONCE
#define PROOF        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static const ScramExchange RFC = {
    LIT_INIT(BARE),
    LIT_INIT(SERVER_FIRST),
    LIT_INIT(FINAL),
};

static void the_server_of_rfc_7677(void)
{
    ScramClientFirst first;
    ScramClientFinal last;
    ScramVerifier v;
    ScramServerFirst answer = { .nonce = LIT(NONCE), .rounds = 4096 };
    Buf salt, out;

    buf_init(&salt, 64);
    buf_init(&out, 4096);
    EXPECT(base64_decode(LIT("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt) == OK);
    EXPECT(scram_client_first_parse(LIT("n,," BARE), &first) == OK);
    EXPECT(first.binding == SCRAM_NOT_SUPPORTED && text_eq(first.bare, LIT(BARE)));
    EXPECT(text_eq(first.nonce, LIT("rOprNGfwEbeRWgbNEkqO")));
    memcpy(answer.salt, buf_view(&salt).ptr, 16);
    answer.salt_bytes = 16;
    EXPECT(scram_server_first_write(&answer, &out) == OK);
    EXPECT(text_eq(buf_view(&out), LIT(SERVER_FIRST)));

    EXPECT(scram_client_final_parse(LIT(FINAL ",p=" PROOF), &last) == OK);
    EXPECT(text_eq(last.without_proof, LIT(FINAL)) && text_eq(last.nonce, LIT(NONCE)));
    EXPECT(scram_binding_check(&last, first.gs2_header, (Bytes){ 0 }) == OK);
    EXPECT(scram_binding_check(&last, LIT("y,,"), (Bytes){ 0 }) == ERR_REFUSED);
    EXPECT(scram_verifier_make(LIT("pencil"), buf_view(&salt), 4096, &v) == OK);
    EXPECT(scram_proof_holds(&v, &RFC, &last.proof));
    buf_release(&out);
    EXPECT(scram_server_final_write(&v, &RFC, &out) == OK);
    EXPECT(text_eq(buf_view(&out), LIT(SERVER_FINAL)));

    for (size_t bit = 0; bit < 256; bit++) {
        Hash proof = last.proof;
        proof.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT(!scram_proof_holds(&v, &RFC, &proof));
    }
    EXPECT(scram_verifier_make(LIT("Pencil"), buf_view(&salt), 4096, &v) == OK);
    EXPECT(!scram_proof_holds(&v, &RFC, &last.proof));
    EXPECT(scram_verifier_make(LIT("x"), buf_view(&salt), 4095, &v) == ERR_LIMIT);
    EXPECT(scram_verifier_make(LIT("x"), LIT("salt"), 4096, &v) == ERR_LIMIT);
    buf_done(&salt);
    buf_done(&out);
}

static void the_client_of_rfc_7677(void)
{
    ScramServerFirst s;
    Hash salted;
    Buf out;

    buf_init(&out, 4096);
    EXPECT(scram_server_first_parse(LIT(SERVER_FIRST), LIT("rOprNGfwEbeRWgbNEkqO"), &s) == OK);
    EXPECT(s.rounds == 4096 && s.salt_bytes == 16);
    EXPECT(scram_salt_password(LIT("pencil"), (Bytes){ s.salt, s.salt_bytes }, s.rounds, &salted) ==
           OK);
    EXPECT(scram_client_final_begin(LIT("n,,"), (Bytes){ 0 }, s.nonce, &out) == OK);
    EXPECT(text_eq(buf_view(&out), LIT(FINAL)));
    EXPECT(scram_client_final_end(&salted, &RFC, &out) == OK);
    EXPECT(text_eq(buf_view(&out), LIT(FINAL ",p=" PROOF)));
    EXPECT(scram_server_final_check(LIT(SERVER_FINAL), &salted, &RFC) == OK);
    EXPECT(scram_server_final_check(LIT("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &salted,
                                    &RFC) == ERR_REFUSED);
    EXPECT(scram_server_final_check(LIT("e=invalid-proof"), &salted, &RFC) == ERR_REFUSED);
    EXPECT(scram_server_final_check(LIT("x=1"), &salted, &RFC) == ERR_MALFORMED);
    EXPECT(scram_server_final_check(LIT("v=abc"), &salted, &RFC) == ERR_MALFORMED);
    EXPECT(scram_server_final_check(LIT(SERVER_FINAL ","), &salted, &RFC) == ERR_MALFORMED);
    buf_release(&out);
    EXPECT(scram_client_first_write(LIT("y,,"), LIT("0123456789"), &out) == OK);
    EXPECT(text_eq(buf_view(&out), LIT("y,,n=,r=0123456789")));
    EXPECT(scram_client_first_write(LIT("n,,"), LIT("0123,56789"), &out) == ERR_MALFORMED);
    buf_done(&out);
}

static void both_roles_agree_with_channel_binding(void)
{
    const Bytes header = LIT("p=tls-server-end-point,,"), digest = LIT("\x01\x02\xff certificate");
    const Bytes salt = LIT("0123456789abcdef");
    ScramClientFirst first;
    ScramClientFinal last;
    ScramVerifier v;
    Hash salted;
    Buf one, without, three;

    buf_init(&one, 1024);
    buf_init(&without, 1024);
    buf_init(&three, 1024);
    EXPECT(scram_client_first_write(header, LIT("clientnonce"), &one) == OK);
    EXPECT(scram_client_first_parse(buf_view(&one), &first) == OK && first.binding == SCRAM_BOUND);
    EXPECT(scram_client_final_begin(header, digest, LIT("clientnonceservernonce"), &without) == OK);
    const ScramExchange e = { first.bare, LIT("server-first"), buf_view(&without) };
    EXPECT(scram_salt_password(LIT("p\xc3\xa4ss"), salt, 5000, &salted) == OK);
    EXPECT(buf_append(&three, buf_view(&without)) == OK);
    EXPECT(scram_client_final_end(&salted, &e, &three) == OK);

    EXPECT(scram_client_final_parse(buf_view(&three), &last) == OK);
    EXPECT(scram_binding_check(&last, first.gs2_header, digest) == OK);
    EXPECT(scram_binding_check(&last, first.gs2_header, LIT("other")) == ERR_REFUSED);
    EXPECT(scram_binding_check(&last, LIT("n,,"), (Bytes){ 0 }) == ERR_REFUSED);
    v = scram_verifier_of(&salted);
    EXPECT(scram_proof_holds(&v, &e, &last.proof));
    buf_done(&one);
    buf_done(&without);
    buf_done(&three);
}

static void client_messages_out_of_line_are_refused(void)
{
    static const char *const FIRST[] = {
        "",
        "n",
        "n,,",
        "n,,n=user",
        "n,,r=0123456789,n=user",
        "n,,m=x,n=user,r=0123456789",
        "n,a=admin,n=user,r=0123456789",
        "z,,n=user,r=0123456789",
        "p=tls-unique,,n=,r=0123456789",
        "n,,n=us=er,r=0123456789",
        "n,,n=us=2,r=0123456789",
        "n,,n=user,r=short",
        "n,,n=user,r=0123456789,",
        "n,,n=user,r=0123456789,m=1",
        "n,,n=user,r=0123456789,x",
        "n,,n=user,r=01234\x7f"
        "56789",
        "n,,n=us\xff"
        "er,r=0123456789",
    };
    static const char *const LAST[] = {
        "",
        "c=biws",
        "c=biws,r=0123456789",
        "r=0123456789,c=biws,p=" PROOF,
        "c=biws,r=0123456789,p=AAAA",
        "c=biws,r=0123456789,p=" PROOF ",x=1",
        "c=biws,r=0123456789,p=" PROOF ",",
        "c=biws,r=0123456789,m=1,p=" PROOF,
        "c=biws,r=0123456789,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVR=",
        "m=1,c=biws,r=0123456789,p=" PROOF,
    };
    ScramClientFirst first;
    ScramClientFinal last;

    for (size_t i = 0; i < COUNT_OF(FIRST); i++)
        EXPECT(scram_client_first_parse(text_of(FIRST[i]), &first) == ERR_MALFORMED);
    for (size_t i = 0; i < COUNT_OF(LAST); i++)
        EXPECT(scram_client_final_parse(text_of(LAST[i]), &last) == ERR_MALFORMED);
    EXPECT(scram_client_first_parse(LIT("n,,n=u\0,r=0123456789"), &first) == ERR_MALFORMED);
    EXPECT(scram_client_first_parse(LIT("y,,n=a=2Cb=3D,r=0123456789,x=ignored"), &first) == OK);
    EXPECT(scram_client_final_parse(LIT("c=biws,r=0123456789,x=1,p=" PROOF), &last) == OK);
    EXPECT(text_eq(last.without_proof, LIT("c=biws,r=0123456789,x=1")));

    char long_nonce[SCRAM_MESSAGE_MAX + 64];
    memset(long_nonce, 'a', sizeof long_nonce);
    memcpy(long_nonce, "n,,n=,r=", 8);
    EXPECT(scram_client_first_parse((Bytes){ (uint8_t *)long_nonce, 8 + SCRAM_NONCE_MAX },
                                    &first) == OK);
    EXPECT(scram_client_first_parse((Bytes){ (uint8_t *)long_nonce, 9 + SCRAM_NONCE_MAX },
                                    &first) == ERR_MALFORMED);
    EXPECT(scram_client_first_parse(VIEW(long_nonce), &first) == ERR_MALFORMED);
}

static void a_server_is_not_trusted_with_its_numbers(void)
{
    static const struct {
        const char *message;
        Err err;
    } CASES[] = {
        { "r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", OK },
        { "r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=600000", OK },
        { "r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", ERR_LIMIT },
        { "r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=600001", ERR_LIMIT },
        { "r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=04096", ERR_MALFORMED },
        { "r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1", ERR_MALFORMED },
        { "r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=", ERR_MALFORMED },
        { "r=0123456789abcdefgh,s=AAAA,i=4096", ERR_MALFORMED },
        { "r=0123456789abcdefgh,s=,i=4096", ERR_MALFORMED },
        { "r=0123456789,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ERR_REFUSED },
        { "r=0123456789abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ERR_REFUSED },
        { "r=x123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ERR_REFUSED },
        { "m=1,r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ERR_MALFORMED },
        { "r=0123456789abcdefgh,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,m=1", ERR_MALFORMED },
        { "e=other-error", ERR_MALFORMED },
    };
    ScramServerFirst s;

    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        EXPECT(scram_server_first_parse(text_of(CASES[i].message), LIT("0123456789"), &s) ==
               CASES[i].err);
}

int main(void)
{
    TEST(the_server_of_rfc_7677);
    TEST(the_client_of_rfc_7677);
    TEST(both_roles_agree_with_channel_binding);
    TEST(client_messages_out_of_line_are_refused);
    TEST(a_server_is_not_trusted_with_its_numbers);
    return 0;
}
