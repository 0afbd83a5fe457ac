/*
 * The simulated disk: an SQLite VFS named "sim" whose files lie in memory that a parent shares with its children, so
 * that they outlive a child's crash. What was written but not synced may be lost at a power cut: wholly or partly, in
 * sectors of 512 bytes, in any order; so may the making and the deletion of a file whose directory was not synced.
 * All is decided by the seed.
 *
 *   struct sim_disk *disk = sim_disk_new(seed);    // before the fork
 *   sim_disk_register(disk);
 *   sim_fork_run(seed, server, …) == SIM_CRASHED   // sim_crash, or sim_disk_crash_after
 *   sim_disk_power_cut(disk);
 *   sim_fork_run(seed, server_again, …)
 *
 * One process at a time uses the disk; within it any thread may.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/defs.h"

#define SIM_DISK_VFS    "sim"
#define SIM_DISK_SECTOR 512
#define SIM_DISK_BYTES  (256u << 20) /* of address space; memory is used as it fills */

struct sim_disk;

struct sim_disk *sim_disk_new(uint64_t seed);
void sim_disk_free(struct sim_disk *disk);
/* Empties it: no files, no faults, decisions by seed from now on. */
void sim_disk_format(struct sim_disk *disk, uint64_t seed);

/* Makes it SQLite's default VFS and the one that rs_env names (set by sim_clock_start too). */
void sim_disk_register(struct sim_disk *disk);
void sim_disk_unregister(void);

/* The power went: what is not durable is drawn anew, open files and locks are gone with their process. */
void sim_disk_power_cut(struct sim_disk *disk);
/* Only the process went (kill -9): the kernel keeps what was written. */
void sim_disk_process_died(struct sim_disk *disk);

struct sim_rng;
/* After a crash: no faults are left, and the power went, or in one of four cases only the process. */
void sim_disk_comes_back(struct sim_disk *disk, struct sim_rng *rng);

enum sim_disk_op {
	SIM_DISK_OPEN,
	SIM_DISK_READ,
	SIM_DISK_WRITE,
	SIM_DISK_SYNC,
	SIM_DISK_TRUNCATE,
	SIM_DISK_DELETE,
	SIM_DISK_OPS
};
/*
 * After so many more operations of that kind, times of them fail (0: none). A write that fails may have been done in
 * part; what a failed sync should have written is half lost for good, though reads still show it, as Linux does it.
 */
void sim_disk_fail(struct sim_disk *disk, enum sim_disk_op op, unsigned after, unsigned times);
/* Bytes that all files may take; writes past it fail with SQLITE_FULL. 0: no limit. */
void sim_disk_set_capacity(struct sim_disk *disk, size_t bytes);
/* The process ends (sim_crash) in place of the n-th operation of any kind from now on; 0: never. */
void sim_disk_crash_after(struct sim_disk *disk, uint64_t n);
/* Operations of that kind so far; SIM_DISK_OPS: of all kinds. */
uint64_t sim_disk_count(const struct sim_disk *disk, enum sim_disk_op op);
/* Bytes of all files now. */
size_t sim_disk_used(const struct sim_disk *disk);

#endif
