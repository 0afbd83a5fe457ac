/* Blocks by content, for one load: equal content, one block. Holds a reference on each. One thread. */
#ifndef CORE_CONFIG_INTERN_H
#define CORE_CONFIG_INTERN_H

#include "core/config/object.h"

struct conf_intern {
	struct {
		uint64_t hash;
		struct conf_object *o;
	} * slot;
	size_t cap, n;
	enum conf_magic magic;
};

/* The block with that hash that equal says is the one wanted, or NULL. No reference is taken. */
struct conf_object *conf_intern_find(const struct conf_intern *in, uint64_t hash,
				     bool (*equal)(const struct conf_object *o, const void *wanted),
				     const void *wanted);
/* Takes a reference of its own. 0, or -1 without memory. The same block may be added again: nothing happens. */
int conf_intern_add(struct conf_intern *in, uint64_t hash, struct conf_object *o);
void conf_intern_free(struct conf_intern *in);

#endif
