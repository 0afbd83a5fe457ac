/* The simulated disk as SQLite sees it: an sqlite3_vfs. See sim_disk.h. */
#include "sim_clock.h"
#include "sim_disk_private.h"

#include "base/clock.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHM_LOCKS   SQLITE_SHM_NLOCK
#define SHM_REGIONS 64

/* The shared memory of a WAL: of this process only, so it is gone after a crash, as the real one is rebuilt. */
struct shm {
	struct shm *next;
	struct disk_inode *inode;
	unsigned users;
	void *regions[SHM_REGIONS];
	int region_size;
	int shared[SHM_LOCKS];
	bool exclusive[SHM_LOCKS];
};

struct sim_file {
	sqlite3_file base;
	struct disk_inode *inode;
	int lock;
	bool sync_directory; /* a journal or WAL: its first sync covers the directory, as SQLite's unix VFS does it */
	struct shm *shm;
	unsigned shm_shared, shm_exclusive; /* masks */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sim_disk *disk;
static struct shm *shms;

static struct sim_file *of(sqlite3_file *f)
{
	return (struct sim_file *)(void *)f;
}

/* ---- files ---- */

static void shm_leave(struct sim_file *f);

static int file_close(sqlite3_file *base)
{
	struct sim_file *f = of(base);

	pthread_mutex_lock(&lock);
	shm_leave(f);
	disk_close(disk, f->inode);
	pthread_mutex_unlock(&lock);
	return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *buf, int n, sqlite3_int64 at)
{
	struct sim_file *f = of(base);
	size_t there, want = (size_t)n;
	int result = SQLITE_OK;

	pthread_mutex_lock(&lock);
	there = (size_t)at < f->inode->size ? f->inode->size - (size_t)at : 0;
	if (disk_count_op(disk, SIM_DISK_READ)) {
		result = SQLITE_IOERR_READ;
	} else if (there < want) {
		disk_read(f->inode, buf, there, (size_t)at);
		memset((char *)buf + there, 0, want - there);
		result = SQLITE_IOERR_SHORT_READ;
	} else {
		disk_read(f->inode, buf, want, (size_t)at);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static int file_write(sqlite3_file *base, const void *buf, int n, sqlite3_int64 at)
{
	struct sim_file *f = of(base);
	int result;

	pthread_mutex_lock(&lock);
	if (disk_count_op(disk, SIM_DISK_WRITE)) {
		disk_write(disk, f->inode, buf, sim_rng_below(&disk->rng, (uint64_t)n), (size_t)at);
		result = SQLITE_IOERR_WRITE;
	} else {
		result = disk_write(disk, f->inode, buf, (size_t)n, (size_t)at);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct sim_file *f = of(base);
	bool fails;

	pthread_mutex_lock(&lock);
	fails = disk_count_op(disk, SIM_DISK_TRUNCATE);
	if (!fails)
		disk_truncate(disk, f->inode, (size_t)size);
	pthread_mutex_unlock(&lock);
	return fails ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct sim_file *f = of(base);
	bool fails;

	(void)flags;
	pthread_mutex_lock(&lock);
	fails = disk_count_op(disk, SIM_DISK_SYNC);
	if (fails) {
		disk_sync_failed(disk, f->inode);
	} else {
		disk_sync(disk, f->inode);
		if (f->sync_directory)
			disk_sync_directory(disk);
		f->sync_directory = false;
	}
	pthread_mutex_unlock(&lock);
	return fails ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	pthread_mutex_lock(&lock);
	*size = (sqlite3_int64)of(base)->inode->size;
	pthread_mutex_unlock(&lock);
	return SQLITE_OK;
}

/* ---- SQLite's file locks, among the connections of the process ---- */

static int lock_exclusive(struct sim_file *f, struct disk_inode *i)
{
	if (i->exclusive || (i->pending && f->lock < SQLITE_LOCK_PENDING))
		return SQLITE_BUSY;
	i->pending = true;
	f->lock = SQLITE_LOCK_PENDING;
	if (i->shared > 1)
		return SQLITE_BUSY;
	i->exclusive = true;
	f->lock = SQLITE_LOCK_EXCLUSIVE;
	return SQLITE_OK;
}

static int lock_to(struct sim_file *f, struct disk_inode *i, int level)
{
	if (f->lock >= level)
		return SQLITE_OK;
	switch (level) {
	case SQLITE_LOCK_SHARED:
		if (i->pending || i->exclusive)
			return SQLITE_BUSY;
		i->shared++;
		break;
	case SQLITE_LOCK_RESERVED:
		if (i->reserved)
			return SQLITE_BUSY;
		i->reserved = true;
		break;
	default:
		return lock_exclusive(f, i);
	}
	f->lock = level;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
	struct sim_file *f = of(base);
	int result;

	pthread_mutex_lock(&lock);
	result = lock_to(f, f->inode, level);
	pthread_mutex_unlock(&lock);
	return result;
}

static int file_unlock(sqlite3_file *base, int level)
{
	struct sim_file *f = of(base);
	struct disk_inode *i = f->inode;

	pthread_mutex_lock(&lock);
	if (f->lock > level) {
		if (f->lock == SQLITE_LOCK_EXCLUSIVE)
			i->exclusive = false;
		if (f->lock >= SQLITE_LOCK_PENDING)
			i->pending = false;
		/* A hot journal is rolled back under PENDING or EXCLUSIVE without RESERVED: clearing it is harmless. */
		if (f->lock >= SQLITE_LOCK_RESERVED)
			i->reserved = false;
		if (level == SQLITE_LOCK_NONE)
			i->shared--;
		f->lock = level;
	}
	pthread_mutex_unlock(&lock);
	return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *out)
{
	const struct disk_inode *i = of(base)->inode;

	pthread_mutex_lock(&lock);
	*out = i->reserved || i->pending || i->exclusive;
	pthread_mutex_unlock(&lock);
	return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	(void)base;
	if (op == SQLITE_FCNTL_VFSNAME) {
		*(char **)arg = sqlite3_mprintf("%s", SIM_DISK_VFS);
		return SQLITE_OK;
	}
	return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
	(void)base;
	return SIM_DISK_SECTOR;
}

static int file_characteristics(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- the WAL's shared memory ---- */

static struct shm *shm_join(struct sim_file *f)
{
	struct shm *s = f->shm;

	if (s)
		return s;
	for (s = shms; s && s->inode != f->inode; s = s->next)
		;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->inode = f->inode;
		s->next = shms;
		shms = s;
	}
	s->users++;
	f->shm = s;
	return s;
}

static void shm_leave(struct sim_file *f)
{
	struct shm *s = f->shm, **at = &shms;

	if (!s)
		return;
	f->shm = NULL;
	for (unsigned i = 0; i < SHM_LOCKS; i++) {
		s->shared[i] -= (f->shm_shared >> i) & 1;
		if ((f->shm_exclusive >> i) & 1)
			s->exclusive[i] = false;
	}
	f->shm_shared = f->shm_exclusive = 0;
	if (--s->users)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	for (int i = 0; i < SHM_REGIONS; i++)
		free(s->regions[i]);
	free(s);
}

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
	struct shm *s;
	int result = SQLITE_OK;

	*out = NULL;
	if (region >= SHM_REGIONS)
		return SQLITE_FULL;
	pthread_mutex_lock(&lock);
	s = shm_join(of(base));
	if (s && !s->regions[region] && extend)
		s->regions[region] = calloc(1, (size_t)size);
	if (!s || (extend && !s->regions[region]))
		result = SQLITE_NOMEM;
	else
		*out = s->regions[region];
	pthread_mutex_unlock(&lock);
	return result;
}

static int shm_take(struct sim_file *f, struct shm *s, unsigned mask, bool exclusive)
{
	for (unsigned i = 0; i < SHM_LOCKS; i++) {
		int own = (f->shm_shared >> i) & 1;

		if (!((mask >> i) & 1))
			continue;
		if (s->exclusive[i] || (exclusive && s->shared[i] > own))
			return SQLITE_BUSY;
	}
	for (unsigned i = 0; i < SHM_LOCKS; i++) {
		if (!((mask >> i) & 1))
			continue;
		if (exclusive)
			s->exclusive[i] = true;
		else if (!((f->shm_shared >> i) & 1))
			s->shared[i]++;
	}
	if (exclusive)
		f->shm_exclusive |= mask;
	else
		f->shm_shared |= mask;
	return SQLITE_OK;
}

static void shm_give(struct sim_file *f, struct shm *s, unsigned mask)
{
	for (unsigned i = 0; i < SHM_LOCKS; i++) {
		if (!((mask >> i) & 1))
			continue;
		s->shared[i] -= (f->shm_shared >> i) & 1;
		if ((f->shm_exclusive >> i) & 1)
			s->exclusive[i] = false;
	}
	f->shm_shared &= ~mask;
	f->shm_exclusive &= ~mask;
}

static int shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
	struct sim_file *f = of(base);
	unsigned mask = ((1u << n) - 1) << offset;
	int result = SQLITE_OK;

	pthread_mutex_lock(&lock);
	if (!f->shm)
		result = SQLITE_IOERR_SHMLOCK;
	else if (flags & SQLITE_SHM_UNLOCK)
		shm_give(f, f->shm, mask);
	else if ((f->shm_exclusive & mask) != mask)
		result = shm_take(f, f->shm, mask, flags & SQLITE_SHM_EXCLUSIVE);
	pthread_mutex_unlock(&lock);
	return result;
}

static void shm_barrier(sqlite3_file *base)
{
	(void)base;
	/* Lock and unlock order the accesses around them. */
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
}

static int shm_unmap(sqlite3_file *base, int delete)
{
	(void)delete; /* it goes with its last user in any case */
	pthread_mutex_lock(&lock);
	shm_leave(of(base));
	pthread_mutex_unlock(&lock);
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *out_flags)
{
	struct sim_file *f = of(base);
	struct disk_inode *inode = NULL;

	(void)vfs;
	memset(f, 0, sizeof(*f));
	if (name && strlen(name) >= DISK_NAME)
		return SQLITE_CANTOPEN;
	pthread_mutex_lock(&lock);
	if (!disk_count_op(disk, SIM_DISK_OPEN)) {
		inode = name ? disk_find(disk, name) : NULL;
		if (inode && (flags & SQLITE_OPEN_EXCLUSIVE)) {
			inode = NULL;
		} else if (!inode && (flags & SQLITE_OPEN_CREATE)) {
			inode = disk_make(disk, name);
		}
		/* Made now or by a process that died before the sync: SQLite's unix VFS does not ask either. */
		f->sync_directory = name && (flags & SQLITE_OPEN_CREATE) &&
				    (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL));
	}
	if (inode) {
		inode->opens++;
		f->inode = inode;
		f->base.pMethods = &methods;
		if (name && (flags & SQLITE_OPEN_DELETEONCLOSE))
			disk_unlink(disk, name); /* its inode lives until it is closed */
	}
	pthread_mutex_unlock(&lock);
	if (inode && out_flags)
		*out_flags = flags;
	return inode ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	int result = SQLITE_OK;

	(void)vfs;
	pthread_mutex_lock(&lock);
	if (disk_count_op(disk, SIM_DISK_DELETE))
		result = SQLITE_IOERR_DELETE;
	else if (!disk_unlink(disk, name))
		result = SQLITE_IOERR_DELETE_NOENT;
	else if (sync_directory)
		disk_sync_directory(disk);
	pthread_mutex_unlock(&lock);
	return result;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	const struct disk_inode *inode;

	(void)vfs;
	pthread_mutex_lock(&lock);
	inode = disk_find(disk, name);
	/* An empty file does not exist for SQLite's question, as in its unix VFS. */
	*out = inode && (flags != SQLITE_ACCESS_EXISTS || inode->size > 0);
	pthread_mutex_unlock(&lock);
	return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < n; i++)
		out[i] = (char)sim_rng_next(&disk->rng);
	pthread_mutex_unlock(&lock);
	return n;
}

/* The clock is the driver's: who waits for a lock sees that time was up. */
static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

#define JULIAN_EPOCH_MS 210866760000000ll /* 1970-01-01 in milliseconds of the Julian day number */

static int vfs_current_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	(void)vfs;
	*out = JULIAN_EPOCH_MS + rs_wall_us() / 1000;
	return SQLITE_OK;
}

static int vfs_current_time(sqlite3_vfs *vfs, double *out)
{
	sqlite3_int64 ms;

	vfs_current_time_int64(vfs, &ms);
	*out = (double)ms / 86400000.0;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	if (n > 0)
		out[0] = '\0';
	return 0;
}

static sqlite3_vfs sim_vfs = {
	.iVersion = 2,
	.szOsFile = sizeof(struct sim_file),
	.mxPathname = DISK_NAME - 1,
	.zName = SIM_DISK_VFS,
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_pathname,
	.xRandomness = vfs_randomness,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_current_time,
	.xCurrentTimeInt64 = vfs_current_time_int64,
	.xGetLastError = vfs_last_error,
};

void sim_disk_register(struct sim_disk *d)
{
	disk = d;
	/* The default one: nothing reaches a real disk by mistake, and SQLite's own random numbers come from the seed.
	 */
	if (sqlite3_vfs_register(&sim_vfs, 1) != SQLITE_OK)
		abort();
	sim_clock_set_vfs(SIM_DISK_VFS);
}

void sim_disk_unregister(void)
{
	sqlite3_vfs_unregister(&sim_vfs);
	sim_clock_set_vfs(NULL);
	disk = NULL;
}
