/* Allocations. Each finds the next one of its name, which under a sanitizer is the sanitizer's. */
#include "fault_calls.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT  __attribute__((visibility("default")))
#define HIT(id) fault_hit(FAULT_##id, __builtin_return_address(0))

/* dlsym may allocate before the next malloc is known; what it gets from here is never freed. */
static char early[4096];
static size_t early_used;
static _Thread_local _Bool resolving __attribute__((tls_model("initial-exec")));

static void *early_alloc(size_t n)
{
	void *p = early + early_used;

	n = (n + 15) & ~(size_t)15;
	if (n > sizeof(early) - early_used)
		return NULL;
	early_used += n;
	return p;
}

#define NEXT(result, name, ...)                                                                                        \
	static result (*next)(__VA_ARGS__);                                                                            \
	if (!next) {                                                                                                   \
		resolving = 1;                                                                                         \
		next = (result(*)(__VA_ARGS__))fault_next(name);                                                       \
		resolving = 0;                                                                                         \
	}

EXPORT void *malloc(size_t n)
{
	if (resolving)
		return early_alloc(n);
	NEXT(void *, "malloc", size_t)
	return HIT(malloc) ? NULL : next(n);
}

EXPORT void *calloc(size_t n, size_t size)
{
	if (resolving)
		return early_alloc(n * size);
	NEXT(void *, "calloc", size_t, size_t)
	return HIT(calloc) ? NULL : next(n, size);
}

EXPORT void *realloc(void *p, size_t n)
{
	NEXT(void *, "realloc", void *, size_t)
	return HIT(realloc) ? NULL : next(p, n);
}

EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	NEXT(void *, "reallocarray", void *, size_t, size_t)
	return HIT(reallocarray) ? NULL : next(p, n, size);
}

EXPORT char *strdup(const char *text)
{
	NEXT(char *, "strdup", const char *)
	return HIT(strdup) ? NULL : next(text);
}

EXPORT char *strndup(const char *text, size_t n)
{
	NEXT(char *, "strndup", const char *, size_t)
	return HIT(strndup) ? NULL : next(text, n);
}

EXPORT void *aligned_alloc(size_t alignment, size_t n)
{
	NEXT(void *, "aligned_alloc", size_t, size_t)
	return HIT(aligned_alloc) ? NULL : next(alignment, n);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t n)
{
	NEXT(int, "posix_memalign", void **, size_t, size_t)
	return HIT(posix_memalign) ? ENOMEM : next(out, alignment, n);
}

EXPORT FILE *open_memstream(char **p, size_t *n)
{
	NEXT(FILE *, "open_memstream", char **, size_t *)
	return HIT(open_memstream) ? NULL : next(p, n);
}

static int print(const void *caller, char **out, const char *format, va_list args)
{
	NEXT(int, "vasprintf", char **, const char *, va_list)
	if (fault_hit(FAULT_asprintf, caller)) {
		/* The text is not defined when it fails: who frees it shall notice. Libraries know their C library. */
		if (fault_own(caller))
			*out = (char *)(uintptr_t)0x10;
		return -1;
	}
	return next(out, format, args);
}

EXPORT int vasprintf(char **out, const char *format, va_list args)
{
	return print(__builtin_return_address(0), out, format, args);
}

EXPORT int __vasprintf_chk(char **out, int flag, const char *format, va_list args);
EXPORT int __vasprintf_chk(char **out, int flag, const char *format, va_list args)
{
	(void)flag;
	return print(__builtin_return_address(0), out, format, args);
}

EXPORT int asprintf(char **out, const char *format, ...)
{
	const void *caller = __builtin_return_address(0);
	int n;
	va_list args;

	va_start(args, format);
	n = print(caller, out, format, args);
	va_end(args);
	return n;
}

EXPORT int __asprintf_chk(char **out, int flag, const char *format, ...);
EXPORT int __asprintf_chk(char **out, int flag, const char *format, ...)
{
	const void *caller = __builtin_return_address(0);
	int n;
	va_list args;

	(void)flag;
	va_start(args, format);
	n = print(caller, out, format, args);
	va_end(args);
	return n;
}
