/* `chaperone`: one binary, several processes. */
#include "supervisor/supervisor.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return supervisor_serve(argv[2]);
    (void)fprintf(stderr, "usage: chaperone serve FILE\n");
    return 2;
}
