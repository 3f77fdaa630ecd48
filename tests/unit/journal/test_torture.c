/* Law 7: any allocation of our own may fail. For n = 1, 2, ... the n-th malloc does; the run must
 * end in ERR_LIMIT, without a leak (the sanitizers look), until one run needs fewer than n. */
#include "small_journal.h"

#include "crypto/scram.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static size_t until_failure = SIZE_MAX;

void *__wrap_malloc(size_t size)
{
    if (until_failure == 0)
        return NULL;
    until_failure--;
    return __real_malloc(size);
}

static void torture(Err (*run)(void))
{
    size_t n = 0;

    for (;; n++) {
        until_failure = n;
        const Err err = run();
        until_failure = SIZE_MAX;
        if (err == OK)
            break;
        EXPECT(err == ERR_LIMIT && n < 1000);
    }
    EXPECT(n > 0); /* something was allocated, so the wrap is in place */
}

static Err write_and_verify(void)
{
    CLEANUP(journal_done) SmallJournal j = { 0 };
    Outcome o;

    TRY(write_journal(&j));
    const Show s = show_of(&j);
    TRY(verify_show(&s, &o));
    EXPECT(o.kinds == 0);
    return OK;
}

static Err open_payloads(void)
{
    CLEANUP(journal_done) SmallJournal j = { 0 };
    CLEANUP(buf_done) Buf plain = { 0 };
    SegmentReader r;
    SegmentFrame f;

    TRY(write_journal(&j));
    buf_init(&plain, 4096);
    TRY(segment_reader_init(&r, buf_view(&j.files[2])));
    while (segment_next(&r, &f) == SEGMENT_RECORD) {
        TRY(segment_open(&f, &f.payload, &j.content, &plain));
        buf_release(&plain);
    }
    return OK;
}

static Err sign_and_trust(void)
{
    static const uint8_t SEED[SIGN_SEED] = { 6 };
    CLEANUP(sign_key_done) SignKey signer = { 0 };
    CLEANUP(buf_done) Buf note = { 0 };
    CLEANUP(buf_done) Buf text = { 0 };
    const MerkleHead head = { 3, hash_of(LIT("root")) };
    Checkpoint c;
    CheckpointTrust trust;
    NoteKey key;
    uint64_t seconds;

    buf_init(&note, 4096);
    buf_init(&text, 4096);
    TRY(sign_key_init(&signer, SEED));
    TRY(checkpoint_sign(LIT("o"), &head, &signer, &note));
    TRY(checkpoint_parse(buf_view(&note), &c));
    const NoteKey witness = note_key_of(LIT("w"), NOTE_COSIGNATURE_V1, signer.public_key);
    TRY(checkpoint_cosign(&c, witness.name, &signer, 1, &text));
    c.signatures = buf_view(&text);
    TRY(checkpoint_trust(&c, &witness, &trust, &seconds));
    EXPECT(trust == CHECKPOINT_SIGNED && seconds == 1);
    buf_release(&text);
    TRY(note_key_write(&witness, &text));
    return note_key_parse(buf_view(&text), &key);
}

static Err sign_in(void)
{
    CLEANUP(buf_done) Buf final = { 0 };
    CLEANUP(buf_done) Buf answer = { 0 };
    ScramServerFirst s = { .nonce = LIT("0123456789abcdefgh"), .salt_bytes = 16, .rounds = 4096 };
    ScramClientFinal f;
    const Hash salted = hash_of(LIT("salted"));
    const ScramVerifier v = scram_verifier_of(&salted);

    buf_init(&final, 4096);
    buf_init(&answer, 4096);
    TRY(scram_server_first_write(&s, &answer));
    TRY(scram_server_first_parse(buf_view(&answer), LIT("0123456789"), &s));
    TRY(scram_client_final_begin(LIT("n,,"), (Bytes){ 0 }, LIT("0123456789abcdefgh"), &final));
    const ScramExchange e = { LIT("n=,r=0123456789"), LIT("r=..."), LIT("c=...") };
    TRY(scram_client_final_end(&salted, &e, &final));
    TRY(scram_client_final_parse(buf_view(&final), &f));
    TRY(scram_binding_check(&f, LIT("n,,"), (Bytes){ 0 }));
    EXPECT(scram_proof_holds(&v, &e, &f.proof));
    buf_release(&answer);
    TRY(scram_server_final_write(&v, &e, &answer));
    return scram_server_final_check(buf_view(&answer), &salted, &e);
}

static void journals_survive_no_memory(void)
{
    torture(write_and_verify);
    torture(open_payloads);
}

static void checkpoints_survive_no_memory(void)
{
    torture(sign_and_trust);
}

static void scram_survives_no_memory(void)
{
    torture(sign_in);
}

int main(void)
{
    TEST(journals_survive_no_memory);
    TEST(checkpoints_survive_no_memory);
    TEST(scram_survives_no_memory);
    return 0;
}
