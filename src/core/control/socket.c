#include "core/control/socket.h"
#include "core/control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_BACKLOG 16

static int address(const char *path, struct sockaddr_un *un)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(un->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
	return 0;
}

/* Removes what a dead server left behind. 0: the path is free; -1: it is not. */
static int remove_stale(const struct sockaddr_un *un)
{
	struct stat st;
	int fd, error;

	if (lstat(un->sun_path, &st))
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	error = connect(fd, (const struct sockaddr *)un, sizeof(*un)) ? errno : 0;
	close(fd);
	if (error == ECONNREFUSED || error == ENOENT)
		return unlink(un->sun_path) && errno != ENOENT ? -1 : 0;
	errno = EADDRINUSE;
	return -1;
}

int control_socket_open(const char *path)
{
	struct sockaddr_un un;
	int fd, error;

	if (address(path, &un) || remove_stale(&un))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* The mode of the descriptor is what bind gives the file: at no moment can others connect. */
	if (fchmod(fd, S_IRUSR | S_IWUSR) == 0 && bind(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 &&
	    listen(fd, CONTROL_BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* The lock file holds the process id of its owner, for the message of whoever comes second. */
int ast_sip_control_lock(const char *state_dir, int *owner)
{
	char path[4096], text[16] = "";
	int fd;

	*owner = 0;
	snprintf(path, sizeof(path), "%s/res_sip.lock", state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int error = errno;

		if (read(fd, text, sizeof(text) - 1) > 0)
			*owner = (int)strtol(text, NULL, 10);
		close(fd);
		errno = error;
		return -1;
	}
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || write(fd, text, strlen(text)) < 0)
		*owner = 0; /* the lock counts, not its text */
	return fd;
}
