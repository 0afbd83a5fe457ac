/* The simulated disk's files: what is in the cache, what is durable, what a power cut makes of them. See sim_disk.h. */
#include "sim_disk_private.h"
#include "sim_fork.h"

#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/mman.h>

/* ---- memory of the mapping ---- */

static void *heap_take(struct sim_disk *d, size_t size)
{
	char *p = d->heap;

	size = (size + 15) & ~(size_t)15;
	if (size > (size_t)(d->heap_end - p))
		sim_failed(__FILE_NAME__, __LINE__, "the simulated disk has no memory left");
	d->heap += size;
	return p;
}

static struct disk_version *version_new(struct sim_disk *d)
{
	struct disk_version *v = d->free_versions;

	if (v)
		d->free_versions = v->older;
	else
		v = heap_take(d, sizeof(*v));
	memset(v, 0, sizeof(*v));
	return v;
}

static void versions_free(struct sim_disk *d, struct disk_version *v)
{
	while (v) {
		struct disk_version *older = v->older;

		v->older = d->free_versions;
		d->free_versions = v;
		v = older;
	}
}

struct sim_disk *sim_disk_new(uint64_t seed)
{
	struct sim_disk *d = sim_shared(SIM_DISK_BYTES);

	sim_disk_format(d, seed);
	return d;
}

void sim_disk_free(struct sim_disk *disk)
{
	munmap(disk, SIM_DISK_BYTES);
}

void sim_disk_format(struct sim_disk *disk, uint64_t seed)
{
	memset(disk, 0, sizeof(*disk));
	sim_rng_init(&disk->rng, seed, SIM_STREAM_DISK);
	disk->heap = (char *)disk + ((sizeof(*disk) + 4095) & ~(size_t)4095);
	disk->heap_end = (char *)disk + SIM_DISK_BYTES;
}

/* ---- the directory ---- */

static struct disk_name *find_in(struct disk_name *names, const char *name)
{
	for (int i = 0; i < DISK_FILES; i++) {
		if (names[i].inode && strcmp(names[i].name, name) == 0)
			return &names[i];
	}
	return NULL;
}

static void add_to(struct disk_name *names, const char *name, struct disk_inode *inode)
{
	for (int i = 0; i < DISK_FILES; i++) {
		if (names[i].inode)
			continue;
		snprintf(names[i].name, sizeof(names[i].name), "%s", name);
		names[i].inode = inode;
		return;
	}
	sim_failed(__FILE_NAME__, __LINE__, "too many files on the simulated disk");
}

static bool is_named(const struct disk_name *names, const struct disk_inode *inode)
{
	for (int i = 0; i < DISK_FILES; i++) {
		if (names[i].inode == inode)
			return true;
	}
	return false;
}

/* A name that a change waiting to be durable speaks of may still come to be. */
static bool may_return(const struct sim_disk *d, const struct disk_inode *inode)
{
	for (unsigned i = 0; i < d->n_changes; i++) {
		if (d->changes[i].what.inode == inode)
			return true;
	}
	return is_named(d->durable, inode);
}

static void inode_free(struct sim_disk *d, struct disk_inode *inode)
{
	for (size_t i = 0; i < inode->n_sectors; i++)
		versions_free(d, inode->sectors[i]);
	/* The table stays in the heap: files of a test are few and grow slowly. */
	memset(inode, 0, sizeof(*inode));
}

static void inode_maybe_free(struct sim_disk *d, struct disk_inode *inode)
{
	if (inode->used && inode->opens == 0 && !is_named(d->now, inode) && !may_return(d, inode))
		inode_free(d, inode);
}

void disk_sync_directory(struct sim_disk *d)
{
	memcpy(d->durable, d->now, sizeof(d->durable));
	d->n_changes = 0;
	for (int i = 0; i < DISK_FILES; i++)
		inode_maybe_free(d, &d->inodes[i]);
}

static void note_change(struct sim_disk *d, bool made, const char *name, struct disk_inode *inode)
{
	struct disk_change *change;

	/* A directory is not left unsynced for ever; the journal of a file system would have been written by now. */
	if (d->n_changes == DISK_PENDING)
		disk_sync_directory(d);
	change = &d->changes[d->n_changes++];
	change->made = made;
	change->what.inode = inode;
	snprintf(change->what.name, sizeof(change->what.name), "%s", name);
}

struct disk_inode *disk_find(struct sim_disk *d, const char *name)
{
	struct disk_name *n = find_in(d->now, name);

	return n ? n->inode : NULL;
}

struct disk_inode *disk_make(struct sim_disk *d, const char *name)
{
	for (int i = 0; i < DISK_FILES; i++) {
		struct disk_inode *inode = &d->inodes[i];

		if (inode->used)
			continue;
		inode->used = true;
		if (name) {
			add_to(d->now, name, inode);
			note_change(d, true, name, inode);
		}
		return inode;
	}
	sim_failed(__FILE_NAME__, __LINE__, "too many files on the simulated disk");
}

bool disk_unlink(struct sim_disk *d, const char *name)
{
	struct disk_name *n = find_in(d->now, name);
	struct disk_inode *inode;

	if (!n)
		return false;
	inode = n->inode;
	n->inode = NULL;
	note_change(d, false, name, inode);
	inode_maybe_free(d, inode);
	return true;
}

void disk_close(struct sim_disk *d, struct disk_inode *inode)
{
	inode->opens--;
	inode_maybe_free(d, inode);
}

/* ---- contents ---- */

static struct disk_version **sector_of(struct sim_disk *d, struct disk_inode *inode, size_t i)
{
	if (i >= inode->n_sectors) {
		size_t n = inode->n_sectors ? inode->n_sectors : 64;
		struct disk_version **table;

		while (n <= i)
			n *= 2;
		table = heap_take(d, n * sizeof(*table));
		memset(table, 0, n * sizeof(*table));
		if (inode->n_sectors)
			memcpy(table, inode->sectors, inode->n_sectors * sizeof(*table));
		inode->sectors = table;
		inode->n_sectors = n;
	}
	return &inode->sectors[i];
}

/* Keeps the durable one and the newest; the one next to the newest goes when there are too many. */
static void forget_some(struct sim_disk *d, struct disk_version *head)
{
	unsigned n = 0;
	struct disk_version *second = head->older;

	for (struct disk_version *v = head; v; v = v->older)
		n++;
	if (n <= DISK_VERSIONS || second->durable)
		return;
	head->older = second->older;
	second->older = NULL;
	versions_free(d, second);
}

static void sector_write(struct sim_disk *d, struct disk_inode *inode, size_t i, const unsigned char *data, size_t at,
			 size_t n)
{
	struct disk_version **head = sector_of(d, inode, i);
	struct disk_version *v = version_new(d);

	v->older = *head;
	if (v->older)
		memcpy(v->data, v->older->data, sizeof(v->data));
	if (data)
		memcpy(v->data + at, data, n);
	else
		memset(v->data + at, 0, n);
	*head = v;
	forget_some(d, v);
}

void disk_read(const struct disk_inode *inode, void *buf, size_t n, size_t at)
{
	unsigned char *out = buf;

	while (n) {
		size_t i = at / SIM_DISK_SECTOR, from = at % SIM_DISK_SECTOR;
		size_t part = SIM_DISK_SECTOR - from < n ? SIM_DISK_SECTOR - from : n;
		const struct disk_version *v = i < inode->n_sectors ? inode->sectors[i] : NULL;

		if (v)
			memcpy(out, v->data + from, part);
		else
			memset(out, 0, part);
		out += part;
		at += part;
		n -= part;
	}
}

static void set_size(struct sim_disk *d, struct disk_inode *inode, size_t size)
{
	if (size == inode->size)
		return;
	if (inode->n_sizes == DISK_PENDING)
		inode->n_sizes = DISK_PENDING / 2 + (unsigned)sim_rng_below(&d->rng, DISK_PENDING / 2);
	inode->sizes[inode->n_sizes++] = inode->size;
	inode->size = size;
}

size_t sim_disk_used(const struct sim_disk *disk)
{
	size_t used = 0;

	for (int i = 0; i < DISK_FILES; i++)
		used += disk->inodes[i].used ? disk->inodes[i].size : 0;
	return used;
}

int disk_write(struct sim_disk *d, struct disk_inode *inode, const void *buf, size_t n, size_t at)
{
	const unsigned char *in = buf;

	if (at + n > inode->size && d->capacity && sim_disk_used(d) + (at + n - inode->size) > d->capacity)
		return SQLITE_FULL;
	while (n) {
		size_t from = at % SIM_DISK_SECTOR;
		size_t part = SIM_DISK_SECTOR - from < n ? SIM_DISK_SECTOR - from : n;

		sector_write(d, inode, at / SIM_DISK_SECTOR, in, from, part);
		in += part;
		at += part;
		n -= part;
		if (at > inode->size)
			set_size(d, inode, at);
	}
	return SQLITE_OK;
}

void disk_truncate(struct sim_disk *d, struct disk_inode *inode, size_t size)
{
	size_t from = size % SIM_DISK_SECTOR;

	/* What lies behind the end must read as zeros when the file grows again. */
	for (size_t i = size / SIM_DISK_SECTOR; i < inode->n_sectors; i++) {
		if (inode->sectors[i])
			sector_write(d, inode, i, NULL, from, SIM_DISK_SECTOR - from);
		from = 0;
	}
	set_size(d, inode, size);
}

/* ---- what is durable ---- */

static void make_durable(struct sim_disk *d, struct disk_version *v)
{
	versions_free(d, v->older);
	v->older = NULL;
	v->durable = true;
}

void disk_sync(struct sim_disk *d, struct disk_inode *inode)
{
	for (size_t i = 0; i < inode->n_sectors; i++) {
		struct disk_version *v = inode->sectors[i];

		if (v && !v->durable && !v->lost)
			make_durable(d, v);
	}
	inode->durable_size = inode->size;
	inode->n_sizes = 0;
}

void disk_sync_failed(struct sim_disk *d, struct disk_inode *inode)
{
	for (size_t i = 0; i < inode->n_sectors; i++) {
		struct disk_version *v = inode->sectors[i];

		if (!v || v->durable)
			continue;
		if (sim_rng_below(&d->rng, 2))
			make_durable(d, v);
		else
			v->lost = true;
	}
}

/* How a power cut treats a file: mostly some sectors come through and others do not, sometimes all or none. */
enum fate { FATE_NONE, FATE_ALL, FATE_MIXED };

static enum fate draw_fate(struct sim_disk *d)
{
	switch (sim_rng_below(&d->rng, 6)) {
	case 0:
		return FATE_NONE;
	case 1:
		return FATE_ALL;
	default:
		return FATE_MIXED;
	}
}

/* One of the versions that were never synced, or what was durable before them. */
static struct disk_version *sector_after_cut(struct sim_disk *d, struct disk_version *head, enum fate fate)
{
	struct disk_version *candidates[DISK_VERSIONS + 2], *v, *chosen;
	unsigned n = 0;

	for (v = head; v && !v->durable; v = v->older) {
		if (!v->lost && n < RS_ARRAY_SIZE(candidates))
			candidates[n++] = v;
	}
	chosen = v; /* the durable one, or NULL: zeros */
	if (fate == FATE_ALL && n)
		chosen = candidates[0];
	if (fate == FATE_MIXED) {
		uint64_t pick = sim_rng_below(&d->rng, n + 1);

		if (pick < n)
			chosen = candidates[pick];
	}
	/* Everything but the chosen one goes. */
	while (head) {
		struct disk_version *older = head->older;

		head->older = NULL;
		if (head != chosen)
			versions_free(d, head);
		head = older;
	}
	if (chosen) {
		chosen->durable = true;
		chosen->lost = false;
	}
	return chosen;
}

static void inode_after_cut(struct sim_disk *d, struct disk_inode *inode)
{
	enum fate fate = draw_fate(d);
	size_t size = inode->durable_size;

	if (inode->n_sizes && fate == FATE_ALL) {
		size = inode->size;
	} else if (inode->n_sizes && fate == FATE_MIXED) {
		uint64_t pick = sim_rng_below(&d->rng, inode->n_sizes + 1);

		/* sizes[0] is the durable one. */
		size = pick == inode->n_sizes ? inode->size : inode->sizes[pick];
	}
	for (size_t i = 0; i < inode->n_sectors; i++)
		inode->sectors[i] = sector_after_cut(d, inode->sectors[i], fate);
	inode->size = inode->durable_size = size;
	inode->n_sizes = 0;
	/* Sectors past the end, and the rest of the last one, hold nothing any more. */
	for (size_t i = size / SIM_DISK_SECTOR; i < inode->n_sectors; i++) {
		size_t from = i == size / SIM_DISK_SECTOR ? size % SIM_DISK_SECTOR : 0;

		if (inode->sectors[i])
			memset(inode->sectors[i]->data + from, 0, SIM_DISK_SECTOR - from);
	}
}

void sim_disk_process_died(struct sim_disk *disk)
{
	disk->crash_at = 0;
	for (int i = 0; i < DISK_FILES; i++) {
		struct disk_inode *inode = &disk->inodes[i];

		inode->opens = inode->shared = 0;
		inode->reserved = inode->pending = inode->exclusive = false;
		inode_maybe_free(disk, inode);
	}
}

/* The directory's journal is written in order: some first part of the changes came through. */
static void directory_after_cut(struct sim_disk *d)
{
	unsigned kept = (unsigned)sim_rng_below(&d->rng, d->n_changes + 1);

	for (unsigned i = 0; i < kept; i++) {
		const struct disk_change *change = &d->changes[i];
		struct disk_name *n = find_in(d->durable, change->what.name);

		if (change->made)
			add_to(d->durable, change->what.name, change->what.inode);
		else if (n)
			n->inode = NULL;
	}
	memcpy(d->now, d->durable, sizeof(d->now));
	d->n_changes = 0;
}

void sim_disk_power_cut(struct sim_disk *disk)
{
	directory_after_cut(disk);
	for (int i = 0; i < DISK_FILES; i++) {
		if (disk->inodes[i].used)
			inode_after_cut(disk, &disk->inodes[i]);
	}
	sim_disk_process_died(disk);
}

/* ---- faults ---- */

void sim_disk_fail(struct sim_disk *disk, enum sim_disk_op op, unsigned after, unsigned times)
{
	disk->faults[op] = (struct disk_fault){.after = after, .times = times};
}

void sim_disk_set_capacity(struct sim_disk *disk, size_t bytes)
{
	disk->capacity = bytes;
}

void sim_disk_crash_after(struct sim_disk *disk, uint64_t n)
{
	disk->crash_at = n ? disk->all_ops + n : 0;
}

uint64_t sim_disk_count(const struct sim_disk *disk, enum sim_disk_op op)
{
	return op == SIM_DISK_OPS ? disk->all_ops : disk->ops[op];
}

bool disk_count_op(struct sim_disk *d, enum sim_disk_op op)
{
	struct disk_fault *fault = &d->faults[op];

	d->ops[op]++;
	if (++d->all_ops == d->crash_at)
		sim_crash();
	if (fault->times == 0)
		return false;
	if (fault->after) {
		fault->after--;
		return false;
	}
	fault->times--;
	return true;
}

void sim_disk_comes_back(struct sim_disk *disk, struct sim_rng *rng)
{
	sim_disk_crash_after(disk, 0);
	for (int op = 0; op < SIM_DISK_OPS; op++)
		sim_disk_fail(disk, (enum sim_disk_op)op, 0, 0);
	if (sim_rng_below(rng, 4))
		sim_disk_power_cut(disk);
	else
		sim_disk_process_died(disk);
}
