/* What the files of the simulated disk share. All pointers lie in the shared mapping, which is at one address in all
 * processes. */
#ifndef SIM_DISK_PRIVATE_H
#define SIM_DISK_PRIVATE_H

#include "sim_disk.h"
#include "sim_rng.h"

#define DISK_FILES    128
#define DISK_NAME     256
#define DISK_PENDING  512 /* directory changes, and sizes of a file, not yet durable */
#define DISK_VERSIONS 6   /* of a sector that a power cut may choose from */

/* What a sector held at some time; the list is newest first. A sector without any is zero, durably. */
struct disk_version {
	struct disk_version *older;
	bool durable; /* the last one of the list, when any is */
	bool lost;    /* a sync failed: it will never be written */
	unsigned char data[SIM_DISK_SECTOR];
};

struct disk_inode {
	bool used;
	unsigned opens, links; /* links: names, now or durably */
	size_t size, durable_size;
	size_t sizes[DISK_PENDING]; /* since the last sync */
	unsigned n_sizes;
	struct disk_version **sectors;
	size_t n_sectors; /* of the table */
	/* SQLite's locks, of the one process */
	unsigned shared;
	bool reserved, pending, exclusive;
};

struct disk_name {
	char name[DISK_NAME]; /* empty: free */
	struct disk_inode *inode;
};

struct disk_change { /* of the directory */
	bool made;   /* else deleted */
	struct disk_name what;
};

struct disk_fault {
	unsigned after, times;
};

struct sim_disk {
	struct sim_rng rng;
	uint64_t ops[SIM_DISK_OPS], all_ops, crash_at;
	struct disk_fault faults[SIM_DISK_OPS];
	size_t capacity;
	struct disk_inode inodes[DISK_FILES];
	struct disk_name now[DISK_FILES], durable[DISK_FILES];
	struct disk_change changes[DISK_PENDING];
	unsigned n_changes;
	struct disk_version *free_versions;
	char *heap, *heap_end;
};

/* sim_disk.c: 0 or an SQLite error. The caller holds the lock of sim_vfs.c. */
struct disk_inode *disk_find(struct sim_disk *d, const char *name);
struct disk_inode *disk_make(struct sim_disk *d, const char *name); /* name NULL: without one */
bool disk_unlink(struct sim_disk *d, const char *name);
void disk_close(struct sim_disk *d, struct disk_inode *inode);
void disk_read(const struct disk_inode *inode, void *buf, size_t n, size_t at);
int disk_write(struct sim_disk *d, struct disk_inode *inode, const void *buf, size_t n, size_t at);
void disk_truncate(struct sim_disk *d, struct disk_inode *inode, size_t size);
void disk_sync(struct sim_disk *d, struct disk_inode *inode);
void disk_sync_failed(struct sim_disk *d, struct disk_inode *inode);
void disk_sync_directory(struct sim_disk *d);
/* Counts one operation; true: it is to fail. */
bool disk_count_op(struct sim_disk *d, enum sim_disk_op op);

#endif
