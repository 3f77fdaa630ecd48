/* Any bytes as any of the five SCRAM messages: views lie inside, and nothing is believed. */
#include "base/text.h"
#include "crypto/scram.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_inside(Bytes part, Bytes whole)
{
    if (part.ptr < whole.ptr || part.ptr + part.len > whole.ptr + whole.len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const Bytes in = { data, size };
    const Hash salted = { { 1 } };
    const ScramExchange e = { in, in, in };
    ScramClientFirst first;
    ScramClientFinal last;
    ScramServerFirst s;
    Bytes nonce;

    if (scram_client_first_parse(in, &first) == OK) {
        expect_inside(first.bare, in);
        expect_inside(first.nonce, first.bare);
    }
    if (scram_client_first_bare_parse(in, &nonce) == OK)
        expect_inside(nonce, in);
    if (scram_client_final_parse(in, &last) == OK) {
        const ScramVerifier v = scram_verifier_of(&salted);
        expect_inside(last.without_proof, in);
        expect_inside(last.nonce, last.without_proof);
        (void)(scram_binding_check(&last, LIT("n,,"), (Bytes){ 0 }) == OK);
        if (scram_proof_holds(&v, &e, &last.proof))
            abort();
    }
    if (scram_server_first_parse(in, LIT("01234567"), &s) == OK) {
        if (s.rounds < SCRAM_ROUNDS_MIN || s.rounds > SCRAM_ROUNDS_MAX ||
            s.salt_bytes > SCRAM_SALT_MAX || !text_starts(s.nonce, LIT("01234567")))
            abort();
    }
    if (scram_server_final_check(in, &salted, &e) == OK)
        abort();
    return 0;
}
