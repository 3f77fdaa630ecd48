#include "console/exposition.h"

#include "base/text.h"
#include "model/tally.h"

#include <jansson.h>

/* Label values are names of the configuration (letters, digits, - _ .) or words of our own, so
 * none needs an escape. */

static Err put_head(Buf *out, const char *name, const char *type, const char *help)
{
    return text_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static Err put_one(Buf *out, const char *name, const char *help, uint64_t value)
{
    TRY(put_head(out, name, "gauge", help));
    return text_format(out, "%s %llu\n", name, (unsigned long long)value);
}

/* A decimal number of seconds, exact: printf's %g would round. */
static Err put_seconds(Buf *out, uint64_t ns)
{
    return text_format(out, "%llu.%09llu", (unsigned long long)(ns / 1000000000),
                       (unsigned long long)(ns % 1000000000));
}

/* --- by resource -------------------------------------------------------------------------- */

typedef Err EachResource(Buf *out, const Tally *t);

static Err each_resource(const Metrics *m, EachResource *put, Buf *out)
{
    PackList at = m->resources;
    Bytes packed;
    Tally t;

    while (pack_next(&at, &packed)) {
        TRY(unpack_tally(packed, &t));
        TRY(put(out, &t));
    }
    return OK;
}

static Err put_statements(Buf *out, const Tally *t)
{
    const struct {
        const char *decision;
        uint64_t count;
    } LINES[] = { { "allow", t->allowed }, { "hold", t->held }, { "deny", t->denied } };

    for (size_t i = 0; i < COUNT_OF(LINES); i++)
        TRY(text_format(out, "chaperone_statements_total{resource=\"%.*s\",decision=\"%s\"} %llu\n",
                        SHOW(t->resource), LINES[i].decision, (unsigned long long)LINES[i].count));
    return OK;
}

static Err put_masked(Buf *out, const Tally *t)
{
    return text_format(out, "chaperone_masked_values_total{resource=\"%.*s\"} %llu\n",
                       SHOW(t->resource), (unsigned long long)t->masked);
}

static Err put_recorded(Buf *out, const Tally *t)
{
    return text_format(out, "chaperone_recorded_bytes_total{resource=\"%.*s\"} %llu\n",
                       SHOW(t->resource), (unsigned long long)t->recorded);
}

static Err put_resources(const Metrics *m, Buf *out)
{
    TRY(put_head(out, "chaperone_statements_total", "counter", "Statements by verdict."));
    TRY(each_resource(m, put_statements, out));
    TRY(put_head(out, "chaperone_masked_values_total", "counter", "Values that left masked."));
    TRY(each_resource(m, put_masked, out));
    TRY(put_head(out, "chaperone_recorded_bytes_total", "counter",
                 "Bytes that sessions put into the journal."));
    return each_resource(m, put_recorded, out);
}

/* --- syncs -------------------------------------------------------------------------------- */

static Err put_syncs(const Metrics *m, Buf *out)
{
    static const char NAME[] = "chaperone_journal_sync_seconds";
    uint64_t count = 0;
    Histogram h;

    TRY(histogram_unpack(m->syncs, &h));
    TRY(put_head(out, NAME, "histogram", "How long a sync of the journal took."));
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += h.counts[i];
        TRY(text_format(out, "%s_bucket{le=\"%g\"} %llu\n", NAME,
                        (double)HISTOGRAM_BOUNDS_NS[i] / 1e9, (unsigned long long)count));
    }
    count = histogram_count(&h);
    TRY(text_format(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", NAME, (unsigned long long)count,
                    NAME));
    TRY(put_seconds(out, h.sum_ns));
    return text_format(out, "\n%s_count %llu\n", NAME, (unsigned long long)count);
}

/* --- processes ---------------------------------------------------------------------------- */

static const char *word_of(const json_t *process)
{
    const char *name = json_string_value(json_object_get(process, "name"));

    return name != NULL ? name : "";
}

static Err put_each(const json_t *list, const char *metric, const char *member, Buf *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *process = json_array_get(list, i), *value = json_object_get(process, member);
        const long long n =
            json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);

        TRY(text_format(out, "%s{process=\"%s\",slot=\"%lld\"} %lld\n", metric, word_of(process),
                        (long long)json_integer_value(json_object_get(process, "slot")), n));
    }
    return OK;
}

static json_t *processes_of(const Metrics *m)
{
    return json_loadb((const char *)m->processes.ptr, m->processes.len, 0, NULL);
}

static Err put_lists(const json_t *list, Buf *out)
{
    TRY(put_head(out, "chaperone_process_ready", "gauge", "Is the process ready to serve?"));
    TRY(put_each(list, "chaperone_process_ready", "ready", out));
    TRY(put_head(out, "chaperone_process_restarts_total", "counter",
                 "Times the process ended and was started again."));
    return put_each(list, "chaperone_process_restarts_total", "restarts", out);
}

static Err put_processes(const Metrics *m, Buf *out)
{
    json_t *list = processes_of(m);
    const Err err = list != NULL ? put_lists(list, out) : ERR_MALFORMED;

    json_decref(list);
    return err;
}

/* --- all of it ---------------------------------------------------------------------------- */

Err exposition_write(const Metrics *m, Buf *out)
{
    TRY(put_head(out, "chaperone_build_info", "gauge", "Which version runs; always 1."));
    TRY(text_format(out, "chaperone_build_info{version=\"" CHAPERONE_VERSION "\"} 1\n"));
    TRY(put_head(out, "chaperone_start_time_seconds", "gauge",
                 "When the keeper started, seconds since 1970; counters begin then."));
    TRY(buf_append(out, LIT("chaperone_start_time_seconds ")));
    TRY(put_seconds(out, m->started_ns));
    TRY(buf_byte(out, '\n'));
    TRY(put_head(out, "chaperone_sessions_active", "gauge", "Sessions that are open."));
    TRY(text_format(out, "chaperone_sessions_active{protocol=\"postgres\"} %llu\n",
                    (unsigned long long)m->sessions));
    TRY(put_one(out, "chaperone_approvals_pending", "Requests that wait for a person.",
                m->requests_open));
    TRY(put_resources(m, out));
    TRY(put_one(out, "chaperone_recording", "1: what happens can be written down; 0: nothing runs.",
                m->recording));
    TRY(put_head(out, "chaperone_journal_volume_used_ratio", "gauge",
                 "How full the journal's volume is."));
    TRY(text_format(out, "chaperone_journal_volume_used_ratio %u.%02u\n", m->disk_percent / 100,
                    m->disk_percent % 100));
    TRY(put_one(out, "chaperone_journal_segments", "Segments of the journal.", m->segments));
    TRY(put_one(out, "chaperone_ledger_signed_records", "Records under the latest checkpoint.",
                m->signed_records));
    TRY(put_syncs(m, out));
    if (m->not_after_s != 0)
        TRY(put_one(out, "chaperone_certificate_not_after_seconds",
                    "When the gateway's certificate ends, seconds since 1970.", m->not_after_s));
    return put_processes(m, out);
}

bool exposition_ready(const Metrics *m, Buf *out)
{
    json_t *list = processes_of(m);
    bool ready = list != NULL && m->recording != 0;

    if (m->recording == 0)
        (void)!buf_append(out, LIT("recording is not possible\n"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *process = json_array_get(list, i);

        if (json_is_true(json_object_get(process, "ready")))
            continue;
        ready = false;
        (void)!text_format(out, "%s %lld is not ready\n", word_of(process),
                           (long long)json_integer_value(json_object_get(process, "slot")));
    }
    json_decref(list);
    return ready;
}
