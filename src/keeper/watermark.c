#include "keeper/watermark.h"

#include "base/json_write.h"
#include "base/text.h"
#include "keeper/keeper_state.h"
#include "sys/file.h"
#include "sys/log.h"

#include <errno.h>
#include <string.h>

DiskLevel watermark_level(const Watermarks *marks, DiskLevel now, unsigned percent)
{
    const uint64_t back = percent + WATERMARK_BACK;

    if (percent >= marks->reads || (now == DISK_READS && back > marks->reads))
        return DISK_READS;
    if (percent >= marks->sessions || (now != DISK_NORMAL && back > marks->sessions))
        return DISK_SESSIONS;
    return DISK_NORMAL;
}

const char *watermark_name(DiskLevel level)
{
    switch (level) {
    case DISK_NORMAL:
        return "normal";
    case DISK_SESSIONS:
        return "no new sessions of the largest writers";
    case DISK_READS:
        break;
    }
    return "no large answers";
}

/* --- looking ------------------------------------------------------------------------------ */

Err watermark_tell(KeeperPeer *peer)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Watermark *w = &peer->keeper->disk;
    const Disk m = { .level = (uint8_t)w->level, .percent = w->percent };

    if (peer->channel == NULL)
        return OK;
    buf_init(&body, 64);
    TRY(pack_disk(&body, &m));
    return channel_tell(peer->channel, ASK_DISK, buf_view(&body), -1);
}

static void tell_everybody(Keeper *k)
{
    for (KeeperPeer *p = k->peers; p != NULL; p = p->next)
        if (p->party == PARTY_WORKER && !p->gone && watermark_tell(p) != OK)
            log_line(LOG_WARN, "disk", "worker %u could not be told", p->slot);
}

static Err record_change(Keeper *k)
{
    CLEANUP(buf_done) Buf payload = { 0 };

    buf_init(&payload, 1024);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "disk", text_of(watermark_name(k->disk.level)));
    json_write_u64(&j, "percent", k->disk.percent);
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = { .type = LEAF_HEARTBEAT, .payload = buf_view(&payload) };
    return diary_write(&k->diary, &entry, k->now, NULL);
}

static void look(Keeper *k)
{
    Watermark *w = &k->disk;
    unsigned percent;

    if (volume_use(k->journal, &percent) == OK) {
        w->percent = percent;
        w->level = watermark_level(&k->edition->config.recording.watermarks, w->level, percent);
        return;
    }
    if (w->level != DISK_READS || w->percent != 0)
        log_line(LOG_ERROR, "disk", "the journal's volume cannot be asked (%s): %s",
                 strerror(errno), watermark_name(DISK_READS));
    *w = (Watermark){ .level = DISK_READS };
}

void watermark_look(Keeper *k)
{
    const DiskLevel before = k->disk.level;

    look(k);
    if (k->disk.level == before)
        return;
    if (k->disk.percent > 0)
        log_line(LOG_WARN, "disk", "the journal's volume is %u %% full: %s", k->disk.percent,
                 watermark_name(k->disk.level));
    tell_everybody(k);
    if (record_change(k) != OK)
        log_line(LOG_ERROR, "disk", "this could not be recorded");
}

/* --- who wrote the most ------------------------------------------------------------------- */

/* In the set: those above it have not recorded more than half by themselves. */
static bool is_largest(Keeper *k, Bytes user, uint64_t *ret_bytes)
{
    StoreShare share;

    if (budgets_write(k) != OK || store_share(k->store, user, budget_day(k), &share) != OK) {
        *ret_bytes = 0;
        return true; /* not known: nobody new */
    }
    *ret_bytes = share.own;
    return share.own >= WRITER_FLOOR && share.larger <= share.whole / 2;
}

bool watermark_refuses(Keeper *k, Bytes user, Arena *a, Bytes *ret_why)
{
    CLEANUP(buf_done) Buf why = { 0 };
    uint64_t bytes;

    if (k->disk.level == DISK_NORMAL || !is_largest(k, user, &bytes))
        return false;
    buf_init(&why, 1024);
    if (k->disk.percent == 0) {
        *ret_why = LIT("how full the journal's volume is cannot be known");
        return true;
    }
    if (text_format(&why,
                    "the journal's volume is %u %% full and %.*s is among those who recorded the "
                    "most today (%llu MiB), who get no new session until it is at %llu %%",
                    k->disk.percent, SHOW(user), (unsigned long long)(bytes >> 20),
                    (unsigned long long)k->edition->config.recording.watermarks.sessions -
                        WATERMARK_BACK) != OK ||
        arena_copy(a, buf_view(&why), ret_why) != OK)
        *ret_why = LIT("the journal's volume is nearly full");
    return true;
}
