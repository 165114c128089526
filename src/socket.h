/* socket: where a mount's control socket is: a directory that is the user's alone, and in it a name
 * for each mounted file system.
 *
 * Daemons come and go at any time, and may be killed: what one that was killed left is replaced,
 * and no daemon takes away what another one put in the place of its own. Any thread, one at a time
 * for one adl_socket. */
#ifndef ADL_SOCKET_H
#define ADL_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

struct adl_socket {
    char *path;      /* owned; NULL: not opened yet */
    char name[64];   /* its last part */
    ino_t inode;     /* which one of that name it is; 0: none yet */
    int dir, listen; /* owned; -1: none */
};

/* Where a user's sockets are: /run/adlfs for root; else $XDG_RUNTIME_DIR/adlfs (the caller's own
 * only), /run/user/UID/adlfs if there is such a directory, or /tmp/adlfs-UID. The caller's to free;
 * NULL without memory. */
char *adl_socket_directory(uid_t uid);

/* The name of a mount's socket in it: "MAJOR:MINOR.sock". */
void adl_socket_name(dev_t device, char *out, size_t room);

/* Listens there for `backlog` clients, without blocking, and only for the user (0600). Makes the
 * directory, and makes it the user's alone (0700): -EPERM when it belongs to somebody else,
 * -ELOOP or -ENOTDIR when it is no directory but leads to one; -ENOMEM, -errno. To be freed in any
 * case. */
int adl_socket_open(struct adl_socket *it, const char *directory, dev_t device, int backlog);

/* Listens no more, and takes its name away, if that is still its own. May be called again. */
void adl_socket_end(struct adl_socket *it);

/* The same, and the path is gone. */
void adl_socket_free(struct adl_socket *it);

#endif
