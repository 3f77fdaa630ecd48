/* HTTP as the console reads it, and the numbers as Prometheus does. */
#include "../test.h"

#include "base/text.h"
#include "console/exposition.h"
#include "console/http.h"
#include "model/tally.h"

#include <string.h>

static unsigned status_of(const char *text, HttpAsk *ret)
{
    unsigned status = 0;

    EXPECT(http_read(text_of(text), ret, &status) == OK);
    return status;
}

static void requests_are_read(void)
{
    static const char WHOLE[] = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n";
    HttpAsk ask;
    unsigned status;

    EXPECT(status_of(WHOLE, &ask) == 200 && text_eq(ask.path, LIT("/metrics")) && !ask.is_head);
    EXPECT(status_of("HEAD / HTTP/1.0\n\n", &ask) == 200 && ask.is_head);
    /* Any cut is "more", never an answer. */
    for (size_t len = 0; len < sizeof WHOLE - 1; len++)
        EXPECT(http_read((Bytes){ (const uint8_t *)WHOLE, len }, &ask, &status) == ERR_MORE);
}

static void nonsense_is_told(void)
{
    static const struct {
        const char *text;
        unsigned status;
    } CASES[] = {
        { "POST /metrics HTTP/1.1\r\n\r\n", 405 }, { "GET /metrics HTTP/2.0\r\n\r\n", 505 },
        { "GET metrics HTTP/1.1\r\n\r\n", 400 },   { "GET /metrics\r\n\r\n", 400 },
        { "GET  /metrics HTTP/1.1\r\n\r\n", 400 }, { "\r\n\r\n", 400 },
        { "GET /a\tb HTTP/1.1\r\n\r\n", 400 },     { "GET /a b HTTP/1.1\r\n\r\n", 400 },
        { "GET /\x7f HTTP/1.1\r\n\r\n", 400 },     { "\x16\x03\x01\n\n", 400 },
    };
    HttpAsk ask;

    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        EXPECT(status_of(CASES[i].text, &ask) == CASES[i].status);
}

static void a_head_has_a_bound(void)
{
    static uint8_t large[HTTP_HEAD_MAX];
    unsigned status;
    HttpAsk ask;

    memset(large, 'a', sizeof large);
    EXPECT(http_read((Bytes){ large, sizeof large - 1 }, &ask, &status) == ERR_MORE);
    EXPECT(http_read((Bytes){ large, sizeof large }, &ask, &status) == OK && status == 431);
}

static void answers_say_their_length(void)
{
    CLEANUP(buf_done) Buf out = { 0 };

    buf_init(&out, 4096);
    EXPECT(http_answer(&out, 200, false, LIT("abc\n")) == OK);
    EXPECT(text_starts(buf_view(&out), LIT("HTTP/1.1 200 OK\r\n")));
    EXPECT(text_find(buf_view(&out), LIT("\r\nContent-Length: 4\r\n")) < buf_len(&out));
    EXPECT(text_find(buf_view(&out), LIT("\r\n\r\nabc\n")) == buf_len(&out) - 8);
    buf_truncate(&out, 0);
    EXPECT(http_answer(&out, 405, true, LIT("abc\n")) == OK);
    EXPECT(text_find(buf_view(&out), LIT("\r\nAllow: GET, HEAD\r\n")) < buf_len(&out));
    EXPECT(text_find(buf_view(&out), LIT("abc")) == buf_len(&out));
}

/* --- numbers ------------------------------------------------------------------------------ */

static bool holds(const Buf *page, const char *line)
{
    return text_find(buf_view(page), text_of(line)) < buf_len(page);
}

static void numbers_are_exposed(void)
{
    CLEANUP(buf_done) Buf page = { 0 };
    CLEANUP(buf_done) Buf syncs = { 0 };
    CLEANUP(buf_done) Buf list = { 0 };
    CLEANUP(buf_done) Buf tally = { 0 };
    const Tally counted = {
        .resource = LIT("ehr"), .allowed = 7, .held = 2, .denied = 3, .masked = 40, .recorded = 9000
    };
    Histogram h = { 0 };

    histogram_add(&h, 100000);        /* at the first bound */
    histogram_add(&h, 100001);        /* above it */
    histogram_add(&h, 6000000000ull); /* beyond the last */
    buf_init(&page, 1 << 20);
    buf_init(&syncs, 4096);
    buf_init(&list, 4096);
    buf_init(&tally, 4096);
    EXPECT(histogram_pack(&h, &syncs) == OK && pack_tally(&tally, &counted) == OK);
    EXPECT(pack_item(&list, buf_view(&tally)) == OK);
    const Metrics m = { .sessions = 5,
                        .started_ns = 1700000000000000001ull,
                        .recording = 1,
                        .disk_percent = 7,
                        .syncs = buf_view(&syncs),
                        .resources = { buf_view(&list) },
                        .processes = LIT("[{\"name\":\"keeper\",\"slot\":0,\"ready\":true,"
                                         "\"restarts\":4}]") };
    EXPECT(exposition_write(&m, &page) == OK);
    EXPECT(holds(&page, "chaperone_statements_total{resource=\"ehr\",decision=\"allow\"} 7\n"));
    EXPECT(holds(&page, "chaperone_statements_total{resource=\"ehr\",decision=\"deny\"} 3\n"));
    EXPECT(holds(&page, "chaperone_masked_values_total{resource=\"ehr\"} 40\n"));
    EXPECT(holds(&page, "chaperone_journal_sync_seconds_bucket{le=\"0.0001\"} 1\n"));
    EXPECT(holds(&page, "chaperone_journal_sync_seconds_bucket{le=\"5\"} 2\n"));
    EXPECT(holds(&page, "chaperone_journal_sync_seconds_bucket{le=\"+Inf\"} 3\n"));
    EXPECT(holds(&page, "chaperone_journal_sync_seconds_sum 6.000200001\n"));
    EXPECT(holds(&page, "chaperone_start_time_seconds 1700000000.000000001\n"));
    EXPECT(holds(&page, "chaperone_journal_volume_used_ratio 0.07\n"));
    EXPECT(holds(&page, "chaperone_process_restarts_total{process=\"keeper\",slot=\"0\"} 4\n"));
    EXPECT(!holds(&page, "certificate"));
}

static void histograms_travel(void)
{
    CLEANUP(buf_done) Buf packed = { 0 };
    Histogram h = { 0 }, back;

    for (uint64_t ns = 1; ns < 20000000000ull; ns *= 3)
        histogram_add(&h, ns);
    buf_init(&packed, 4096);
    EXPECT(histogram_pack(&h, &packed) == OK);
    EXPECT(histogram_unpack(buf_view(&packed), &back) == OK && memcmp(&h, &back, sizeof h) == 0);
    for (size_t len = 0; len < buf_len(&packed); len++)
        EXPECT(histogram_unpack(bytes_upto(buf_view(&packed), len), &back) != OK);
    histogram_merge(&back, &h);
    EXPECT(buf_byte(&packed, 0) == OK && histogram_unpack(buf_view(&packed), &back) != OK);
}

static void ready_says_why_not(void)
{
    CLEANUP(buf_done) Buf why = { 0 };
    Metrics m = { .recording = 1,
                  .processes = LIT("[{\"name\":\"worker\",\"slot\":1,\"ready\":true}]") };

    buf_init(&why, 4096);
    EXPECT(exposition_ready(&m, &why) && buf_len(&why) == 0);
    m.processes = LIT("[{\"name\":\"worker\",\"slot\":1,\"ready\":false}]");
    EXPECT(!exposition_ready(&m, &why) && holds(&why, "worker 1 is not ready\n"));
    m.recording = 0;
    EXPECT(!exposition_ready(&m, &why) && holds(&why, "recording"));
    m.processes = LIT("");
    EXPECT(!exposition_ready(&m, &why));
}

int main(void)
{
    TEST(requests_are_read);
    TEST(nonsense_is_told);
    TEST(a_head_has_a_bound);
    TEST(answers_say_their_length);
    TEST(numbers_are_exposed);
    TEST(histograms_travel);
    TEST(ready_says_why_not);
    return 0;
}
