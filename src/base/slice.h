/* Slices of processor time. Nobody outside the taskpool includes this. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include "base/defs.h"

/* The shortest that Linux grants. */
#define RS_SLICE_NS 100000

/*
 * The calling thread asks for short slices of processor time: its share stays what it is, but when it wakes it gets the
 * processor from work that asked for longer ones within microseconds, instead of after that one's slice of 3 ms or
 * more. A thread of an ordinary policy only (an operator may have chosen another); 0, or an errno that may be ignored
 * (Linux before 6.12 knows no slices and says 0).
 */
int rs_slice_shorten(void);
/* What the calling thread has asked for, ns; 0: nothing, or the kernel does not tell. */
uint64_t rs_slice_ns(void);

#endif
