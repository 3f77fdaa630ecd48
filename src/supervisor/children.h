/* The supervisor's children: who they are, how they talk, what happens when one ends. */
#ifndef SUPERVISOR_CHILDREN_H
#define SUPERVISOR_CHILDREN_H

#include "base/arena.h"
#include "config/config.h"
#include "model/ask.h"
#include "supervisor/log_pipe.h"
#include "supervisor/reload.h"
#include "sys/channel.h"
#include "sys/child.h"
#include "sys/notify.h"

enum { WORKERS_MAX = 64 };

typedef enum ChildKind { CHILD_KEEPER, CHILD_WORKER, CHILD_CONSOLE, CHILD_KINDS } ChildKind;

struct Supervisor;

typedef struct Child {
    struct Supervisor *supervisor;
    ChildKind kind;
    uint32_t slot;
    pid_t pid; /* 0: not running */
    Channel *channel;
    LogPipe *log;  /* its standard error */
    int listen_fd; /* workers, console: kept over restarts, so that nobody is refused */
    Id writer;     /* workers: a new one at each start */
    bool ready;
    bool prepared, committed; /* in the reload that is under way */
    Ready sandbox;            /* what it said of it when it was ready */
    uint64_t started_ms;
    unsigned restarts, quick_ends;         /* ended within a second of starting, in a row */
    uint32_t channels_given, channel_lost; /* to keepers, after the first one; the last it lost */
    uv_timer_t again;
} Child;

typedef struct Dial {
    struct Dial *next;
    pid_t pid;
    Child *asker;
    pid_t asker_pid;
    uint64_t id;
    int result_fd; /* our end of the pair the dialer answers on */
    uv_poll_t poll;
} Dial;

typedef struct Supervisor {
    Arena arena;
    const char *config_path;
    Loaded *edition; /* in force: who starts is given it */
    Reload reload;
    int binary_fd;
    int metrics_fd;          /* -1: none */
    uid_t uids[CHILD_KINDS]; /* 0: as we are */
    uv_loop_t loop;
    uv_signal_t on_child, on_term, on_int, on_hup, on_usr2;
    Child keeper, console, workers[WORKERS_MAX];
    size_t worker_count;
    Dial *dials;
    bool stopping, failed, announced;
    bool draining;
    bool handing_over; /* once all have ended: to binary_path */
    pid_t trial_pid;   /* of the new binary, being tried; 0: none */
    char binary_path[4096];
    uv_timer_t stop_timer;
    Notify notify; /* the service manager */
    uv_timer_t watchdog;
} Supervisor;

const char *child_name(const Child *c);
bool children_start(Supervisor *s);
void children_reap(Supervisor *s);
/* Graceful: workers end their sessions, the keeper seals, then we end. */
void children_stop(Supervisor *s);

/* drain.c */
void drain_tell(Child *worker);
void drain_on_call(Supervisor *s, const ChannelMessage *m);

/* upgrade.c */
void upgrade_begin(Supervisor *s);
void upgrade_tried(Supervisor *s, int status);
void upgrade_exec(const Supervisor *s); /* comes back only when it cannot */

/* dial.c */
void dial_start(Child *asker, const ChannelMessage *m);

#endif
