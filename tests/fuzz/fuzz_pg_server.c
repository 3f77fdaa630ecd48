/* Any bytes as a server's, behind one of a few pipelines: whole messages of known kinds only reach
 * the client, in any cut the same ones, and after an error nothing more does. */
#include "base/text.h"
#include "pg_kit.h"
#include "proto/pg/pg_frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NEVER_WAIT = 4 }; /* the first ones are sent whole, whatever is answered when */

static const char *const PIPELINES[] = {
    "Q select id",
    "Q rows ssn; insert a|Q deny|Q begin",
    "P ,select ssn|B ,|DP|E|S|Q select id",
    "P ,select id|B ,|E|P ,deny|B ,|S|P ,local|B ,|DP|E|S|Q local",
    "P a,rows id,ssn|B p,a|E p,1|DP p|E p|CP p|CS a|S",
    "Q prepare a as select ssn|Q execute a",
    "Q begin|Q declare c for rows ssn|E c,2|S",
};

static void stop_if(bool broken)
{
    if (broken)
        abort();
}

static void check_client(const Buf *b)
{
    static const char KNOWN[] = "ACDEINSTZtns123";
    Bytes rest = buf_view(b);
    PgFrame frame;

    while (rest.len > 0) {
        stop_if(pg_frame_next(rest, PG_TAGGED, 64 << 20, &frame) != OK);
        stop_if(strchr(KNOWN, frame.tag) == NULL || frame.tag == 0);
        rest = bytes_from(rest, frame.size);
    }
}

static Err run(Kit *k, const char *pipeline, Bytes bytes, size_t piece)
{
    kit_init(k);
    k->scripted = true;
    stop_if(kit_script(k, pipeline) != OK);
    k->piece = piece;
    return kit_server(k, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Kit whole, cut;

    if (size < 1 || size > 8192)
        return 0;
    const char *pipeline = PIPELINES[data[0] % COUNT_OF(PIPELINES)];
    const Bytes bytes = { data + 1, size - 1 };
    const Err err = run(&whole, pipeline, bytes, 0);
    const Err cut_err = run(&cut, pipeline, bytes, 3);

    stop_if(data[0] % COUNT_OF(PIPELINES) < NEVER_WAIT && err != cut_err);
    const bool same = err == OK && data[0] % COUNT_OF(PIPELINES) < NEVER_WAIT;
    stop_if(same && !text_eq(buf_view(&whole.client), buf_view(&cut.client)));
    stop_if(same && !text_eq(buf_view(&whole.target), buf_view(&cut.target)));
    check_client(&whole.client);
    if (err != OK) {
        const size_t client = buf_len(&whole.client), target = buf_len(&whole.target);

        stop_if(kit_server(&whole, LIT("Z\0\0\0\005I")) != OK);
        stop_if(kit_script(&whole, "Q select id|S") != OK);
        stop_if(client != buf_len(&whole.client) || target != buf_len(&whole.target));
    }
    kit_done(&whole);
    kit_done(&cut);
    return 0;
}
