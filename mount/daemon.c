#include "daemon.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the child's end of the pipe goes, so that everything above can be closed at once. */
#define READY_FD 3

static int reap(pid_t child)
{
    int state;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return 1;
    if (WIFEXITED(state))
        return WEXITSTATUS(state) ? WEXITSTATUS(state) : 1; /* it never was ready */
    fprintf(stderr, "adlfs: the daemon was ended by a signal before it was ready: %s\n",
            strsignal(WTERMSIG(state)));
    return 1;
}

/* The parent: one byte means ready, the end of the pipe means that the child is gone. */
static int await(int fd, pid_t child)
{
    char byte;
    ssize_t got;
    do
        got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1 ? 0 : reap(child);
}

/* The child: a file of its caller's that stays open would keep others waiting (the reader of a
 * pipe), a directory would keep a file system busy. */
static int let_go(int ready)
{
    if (ready != READY_FD && dup3(ready, READY_FD, O_CLOEXEC) < 0)
        return -errno;
    close_range(READY_FD + 1, ~0U, 0);
    return chdir("/") < 0 ? -errno : READY_FD;
}

int adl_daemon_fork(struct adl_daemon *daemon, int *status)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    cleanup_fd int reader = ends[0];
    cleanup_fd int writer = ends[1];
    fflush(NULL); /* what is buffered is printed once */
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        (void)steal_fd(&reader); /* let_go() closes it */
        int r = let_go(steal_fd(&writer));
        if (r < 0)
            return r;
        daemon->ready = r;
        return 0;
    }
    close(steal_fd(&writer));
    *status = await(reader, child);
    return 1;
}

void adl_daemon_ready(struct adl_daemon *daemon)
{
    if (daemon->ready < 0)
        return;
    setsid();
    cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    cleanup_fd int ready = steal_fd(&daemon->ready);
    ssize_t written;
    do
        written = write(ready, "", 1);
    while (written < 0 && errno == EINTR);
}
