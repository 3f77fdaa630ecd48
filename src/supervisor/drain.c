/* No new sessions: workers say so to whoever comes, those who are here go on. Kept here, so that a
 * worker that is started meanwhile, or a new keeper, changes nothing of it. */
#include "supervisor/children.h"

#include "sys/log.h"

void drain_tell(Child *worker)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Drain drain = { .on = worker->supervisor->draining };

    buf_init(&body, 16);
    if (worker->channel != NULL && pack_drain(&body, &drain) == OK)
        (void)!channel_tell(worker->channel, ASK_DRAIN, buf_view(&body), -1);
}

void drain_on_call(Supervisor *s, const ChannelMessage *m)
{
    CLEANUP(buf_done) Buf body = { 0 };
    DrainAll ask;

    if (unpack_drain_all(m->body, &ask) != OK)
        return;
    const bool on = ask.wish == DRAIN_ASK ? s->draining : ask.wish == DRAIN_BEGIN;
    if (on != s->draining)
        log_line(LOG_INFO, "drain", on ? "no new sessions are taken" : "sessions are taken again");
    s->draining = on;
    for (size_t i = 0; ask.wish != DRAIN_ASK && i < s->worker_count; i++)
        drain_tell(&s->workers[i]);
    buf_init(&body, 16);
    if (pack_drain(&body, &(Drain){ .on = on }) == OK)
        (void)!channel_reply(s->keeper.channel, m, buf_view(&body), -1);
}
