#ifndef BIHUAN_CPROCESS_SHIM_H
#define BIHUAN_CPROCESS_SHIM_H

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

/* No core file, no debugger of the same user, and no backtrace of a crash: Swift's own would print memory, and hangs when it
   may not read it. `prctl` is variadic, so Swift does not import it. 0, or -1 with errno. */
static inline int process_hide_memory(void) {
    const int crashes[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};
    for (size_t index = 0; index < sizeof crashes / sizeof *crashes; index++) signal(crashes[index], SIG_DFL);
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

#endif
