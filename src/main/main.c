/* `chaperone`: one binary, several processes. */
#include "console/console.h"
#include "keeper/keeper.h"
#include "supervisor/supervisor.h"
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>

/* As the supervisor starts it: --child ROLE SLOT WRITER. */
static int run_child(const char *role, const char *slot, const char *writer_hex)
{
    if (strcmp(role, "keeper") == 0)
        return keeper_main(writer_hex);
    if (strcmp(role, "worker") == 0)
        return worker_main(slot, writer_hex);
    if (strcmp(role, "console") == 0)
        return console_main();
    return 2;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--child") == 0)
        return run_child(argv[2], argv[3], argv[4]);
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return supervisor_serve(argv[2]);
    (void)fprintf(stderr, "usage: chaperone serve FILE\n");
    return 2;
}
