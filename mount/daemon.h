/* daemon: into the background, without leaving before the work is known to have begun.
 *
 * adl_daemon_fork() forks before any thread exists. The parent stays until the child says that it
 * is ready or is gone; until then the child has the terminal: its errors are seen there, and
 * Ctrl-C reaches both. */
#ifndef ADL_DAEMON_H
#define ADL_DAEMON_H

struct adl_daemon {
    int ready; /* owned: the child's end of the pipe; -1: nobody waits */
};

/* For those who stay in the foreground. */
#define ADL_DAEMON_NONE ((struct adl_daemon){-1})

/* Forks. Returns 0 in the child, whose directory is now "/" and which has no other file than
 * stdin, stdout, stderr and the pipe. Returns 1 in the parent, with *status: 0 when the child
 * became ready, else the child's exit status, or 1 when a signal killed it (which is told on
 * stderr). -errno when there is no child. */
int adl_daemon_fork(struct adl_daemon *daemon, int *status);

/* Tells the parent to return, leaves the terminal and its session. Does nothing without a parent
 * that waits. Any thread. */
void adl_daemon_ready(struct adl_daemon *daemon);

#endif
