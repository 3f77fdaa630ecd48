/* Any bytes as a segment file: the reader always moves on or ends, the verifier always answers.
 *
 * A CRC would stop the fuzzer at the first frame, so the input is a recipe: a header of ours, then
 * for each chunk of it a frame whose length, CRC and marker are made true, or left as they are. */
#include "base/crc32c.h"
#include "base/reader.h"
#include "journal/audit_verify.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *ctx, const AuditFinding *finding)
{
    uint64_t *count = ctx;

    if (audit_kind_name(finding->kind).len == 0)
        abort();
    (*count)++;
}

static void walk(Bytes file)
{
    SegmentReader r;
    SegmentFrame f;
    SegmentSurvey survey;
    SegmentStep step;
    size_t before = 0;

    segment_survey_init(&survey, file);
    do
        step = segment_survey_next(&survey, &f);
    while (step == SEGMENT_RECORD);
    if (step == SEGMENT_END && survey.seal.length != file.len)
        abort();
    if (segment_reader_init(&r, file) != OK)
        return;
    for (;;) {
        step = segment_next(&r, &f);
        if (step == SEGMENT_END || step == SEGMENT_TORN)
            break;
        if (r.at <= before || r.at > file.len)
            abort();
        before = r.at;
        if (step == SEGMENT_RECORD)
            (void)segment_payload_holds(&f);
    }
}

static void verify(Bytes file, uint64_t logged)
{
    CLEANUP(audit_verify_done) AuditVerify v = { 0 };
    const NoteKey key = { .name = LIT("o") };
    const Hash hash = { { 1 } };
    uint64_t findings = 0;
    Err err = audit_verify_init(&v, &key, ignore, &findings, 1 << 20);

    for (uint64_t i = 0; err == OK && i < logged; i++)
        err = audit_verify_log(&v, 1, &hash);
    if (err == OK)
        err = audit_verify_segment(&v, 1, file);
    if (err != OK)
        return;
    const AuditVerdict verdict = audit_verify_finish(&v);
    if ((findings == 0) != (verdict.intact && verdict.complete) || findings != verdict.findings)
        abort();
}

static Err append_frame(Bytes body, bool whole, Buf *out)
{
    if (!whole)
        return buf_append(out, body);
    TRY(buf_u32(out, (uint32_t)body.len));
    TRY(buf_u32(out, crc32c(body)));
    TRY(buf_append(out, body));
    return buf_append(out, LIT("\xc3MIT"));
}

static Err cook(Bytes recipe, Buf *out)
{
    static const uint8_t WRITER[LEAF_ID] = { 0 };
    Reader r = reader_of(recipe);
    SegmentWriter w;

    segment_writer_init(&w, WRITER);
    TRY(segment_begin(&w, 1, 0, out));
    while (!reader_at_end(&r)) {
        uint16_t len;
        uint8_t whole;
        Bytes body;
        TRY(reader_u8(&r, &whole));
        TRY(reader_u16(&r, &len));
        len &= 0x3ff;
        TRY(reader_bytes(&r, len < r.rest.len ? len : r.rest.len, &body));
        TRY(append_frame(body, whole % 4 != 0, out));
    }
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_done) Buf file = { 0 };
    const Bytes in = { data, size };

    walk(in);
    verify(in, 0);
    buf_init(&file, 1 << 20);
    (void)(cook(in, &file) == OK); /* half a recipe is a file too */
    walk(buf_view(&file));
    verify(buf_view(&file), size % 4);
    return 0;
}
