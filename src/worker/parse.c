/* Heavy texts are understood off the loop, so that one long statement is one session's business.
 *
 * libpg_query needs a deep stack for deep texts; sql_bounds() keeps them within 8 MiB, and the
 * threads get more where the system lets them. One job a session. A job outlives its session:
 * then nobody takes what it found. */
#include "worker/worker.h"

#include "lang/sql/sql_bounds.h"
#include "lang/sql/sql_look.h"
#include "lang/sql/sql_shape.h"
#include "model/limits.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { DEADLINE_MS = 2000, STACK_BYTES = 32 << 20 };

typedef struct ParseJob {
    uv_work_t work;
    Session *session;  /* NULL: gone */
    ProfileView *view; /* kept: the catalogue it is understood under */
    SearchPath *path;
    Buf text;
    Judged *judged;
    Err err;
} ParseJob;

static Err look(const LangContext *ctx, Bytes text, Arena *arena, const Meaning **ret)
{
    const SqlContext sql = { ctx->schema, ctx->search_path, ctx->search_path_count };

    return sql_look(&sql, text, arena, ret);
}

/* What is out of bounds is refused by sql_look() without parsing: no reason to move it. */
static bool is_heavy(Bytes text)
{
    SqlBounds bounds;

    return text.len > 64 && sql_bounds(text, &bounds) == OK && !bounds.on_loop;
}

const Lang PARSE_SQL = { .look = look,
                         .heavy = is_heavy,
                         .shape = sql_shape,
                         .speaks = sql_shape_speaks,
                         .remake = sql_shape_remake };

static void run_job(uv_work_t *work)
{
    ParseJob *job = work->data;
    Bytes names[RULER_PATH_MAX];

    const size_t count = search_path_names(job->path, names);
    const LangContext context = { job->view->knowledge->schema, names, count };
    job->err = look_make(&PARSE_SQL, &context, buf_view(&job->text), &job->judged);
}

static void give(Session *s, ParseJob *job)
{
    s->parse_job = NULL;
    session_mark(s);
    if (job->err != OK) {
        session_farewell(s, &(Fault){ .code = CHP_5301 });
        return;
    }
    ruler_forget_parsed(&s->ruler);
    s->ruler.parsed = job->judged;
    s->ruler.parsed_generation = job->view->knowledge->schema->generation;
    job->judged = NULL;
    if (s->gate.wait == GATE_WAITS_CATALOGUE && gate_resume(&s->gate) != OK)
        session_farewell(s, &(Fault){ .code = CHP_5401 });
}

static void on_job_done(uv_work_t *work, int status)
{
    ParseJob *job = work->data;

    (void)status;
    if (job->session != NULL)
        give(job->session, job);
    if (job->judged != NULL)
        look_drop(job->judged);
    view_drop(job->view);
    search_path_set(&job->path, NULL);
    buf_done(&job->text);
    free(job);
}

void parse_start(Session *s)
{
    ParseJob *job = s->parse_job == NULL ? calloc(1, sizeof *job) : NULL;

    s->ruler.parse_wanted = false;
    if (job == NULL) {
        session_farewell(s, &(Fault){ .code = CHP_5301 });
        return;
    }
    *job = (ParseJob){ .session = s, .view = s->view };
    job->work.data = job;
    search_path_set(&job->path, s->ruler.path);
    buf_init(&job->text, LIMIT_STATEMENT);
    if (buf_append(&job->text, s->ruler.parse_text) != OK ||
        uv_queue_work(&s->worker->loop, &job->work, run_job, on_job_done) != 0) {
        search_path_set(&job->path, NULL);
        buf_done(&job->text);
        free(job);
        session_farewell(s, &(Fault){ .code = CHP_5301 });
        return;
    }
    s->view->refs++;
    s->parse_job = job;
    s->parse_deadline_ms = now_ms(s->worker) + DEADLINE_MS;
}

void parse_forget(Session *s)
{
    if (s->parse_job != NULL)
        s->parse_job->session = NULL;
    s->parse_job = NULL;
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

static void started(uv_work_t *work, int status)
{
    (void)status;
    free(work);
}

Err parse_begin(Worker *w)
{
    struct rlimit stack;
    uv_work_t *first = calloc(1, sizeof *first);

    if (first == NULL)
        return ERR_LIMIT;
    if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur != STACK_BYTES &&
        (stack.rlim_max == RLIM_INFINITY || stack.rlim_max >= STACK_BYTES)) {
        stack.rlim_cur = STACK_BYTES; /* the size of a new thread's stack, to libuv */
        (void)setrlimit(RLIMIT_STACK, &stack);
    }
    /* The first work makes all threads of the pool. */
    return uv_queue_work(&w->loop, first, do_nothing, started) == 0 ? OK : ERR_IO;
}
