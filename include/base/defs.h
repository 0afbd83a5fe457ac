/* What every header of res_sip needs: the export mark and a few attributes. */
#ifndef BASE_DEFS_H
#define BASE_DEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A symbol that modules may use. Everything else in the library is hidden. */
#define RS_API __attribute__((visibility("default")))

/* Checks a format string: f is the place of the format, a that of its first argument, both from 1. */
#define RS_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* The object that contains member m, given a pointer to that member. */
#define rs_container_of(ptr, type, m) ((type *)(void *)((char *)(ptr)-offsetof(type, m)))

#define RS_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
