#ifndef BIHUAN_CPROCESS_SHIM_H
#define BIHUAN_CPROCESS_SHIM_H

#include <sys/prctl.h>

/* Variadic, so Swift does not import it. 0, or -1 with errno. */
static inline int process_forbid_dumps(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

#endif
