/*
 * What base takes from the outside. A process holds one environment; it is set once, before anything else runs.
 * The network and the resolver are the stack's (sip/stack.h), storage is an SQLite VFS named here.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/clock.h"

struct rs_env {
	int64_t (*now_us)(void *token);
	int64_t (*wall_us)(void *token);
	void (*random)(void *token, void *out, size_t n);
	const char *storage_vfs; /* SQLite VFS name; NULL: the default one */
	void *token;
};

/* env must live as long as the process; NULL puts the kernel's back. Before any other thread exists. */
RS_API void rs_env_set(const struct rs_env *env);
RS_API const struct rs_env *rs_env_get(void);

#endif
