/* The table of system calls, for tests/e2e/test_sandbox.py: a line for each role, "worker brk …".
 */
#include "sys/sandbox.h"

#include <stdio.h>

int main(void)
{
    static const struct {
        const char *name;
        SandboxRole role;
    } ROLES[] = { { "worker", SANDBOX_WORKER },
                  { "keeper", SANDBOX_KEEPER },
                  { "console", SANDBOX_CONSOLE } };
    size_t count;
    const SandboxCall *calls = sandbox_calls_table(&count);

    for (size_t r = 0; r < COUNT_OF(ROLES); r++) {
        printf("%s", ROLES[r].name);
        for (size_t i = 0; i < count; i++)
            if ((calls[i].roles & ROLES[r].role) != 0)
                printf(" %s", calls[i].name);
        printf(" ioctl fcntl tgkill mmap mprotect\n"); /* on conditions */
    }
    return 0;
}
