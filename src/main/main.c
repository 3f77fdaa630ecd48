/* `chaperone`: one binary, several processes. */
#include "cli/cli.h"
#include "console/console.h"
#include "keeper/keeper.h"
#include "worker/worker.h"

#include <string.h>

enum { EXIT_NO_SUCH_CHILD = 2 };

/* As the supervisor starts it: --child ROLE SLOT WRITER. */
static int run_child(const char *role, const char *slot, const char *writer_hex)
{
    if (strcmp(role, "keeper") == 0)
        return keeper_main(writer_hex);
    if (strcmp(role, "worker") == 0)
        return worker_main(slot, writer_hex);
    if (strcmp(role, "console") == 0)
        return console_main();
    return EXIT_NO_SUCH_CHILD;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--child") == 0)
        return run_child(argv[2], argv[3], argv[4]);
    return cli_main(argc, argv);
}
