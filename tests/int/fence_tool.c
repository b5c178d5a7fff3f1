/* The two fence commands alone, for the fence's tests: fence_tool sebctl-fence … | sab-fence … */
#include <config.h>

#include "base/bytes.h"

/* Not by their headers: those of two programs don't go together. */
int sab_fence(int argc, char **argv);
int sebctl_fence(int argc, char **argv);

int main(int argc, char **argv)
{
    if (argc > 1 && span_is(span_text(argv[1]), "sebctl-fence"))
        return sebctl_fence(argc - 1, argv + 1);
    if (argc > 1 && span_is(span_text(argv[1]), "sab-fence"))
        return sab_fence(argc - 1, argv + 1);
    return 64;
}
