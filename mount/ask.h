/* ask: how commands talk to a mount's daemon, through its control socket (src/control.md). */
#ifndef ADL_ASK_H
#define ADL_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A mount of ours, or a place in it. */
struct adl_target {
    char *mountpoint; /* owned */
    char *inside;     /* owned: the path below the mount's root; "": the root */
    dev_t device;
    uid_t owner; /* who mounted it */
};

void adl_target_free(struct adl_target *target);

/* The mount that `path` lies in. Asks the kernel only, and not the file's origin. 0; -ENODEV: no
 * mount of ours; -errno of finding the path. */
int adl_target_find(const char *path, struct adl_target *out);

/* All mounts of the caller; of everybody for root. *list and what it holds are the caller's. 0 or
 * -errno. */
int adl_target_all(struct adl_target **list, size_t *count);
void adl_targets_free(struct adl_target *list, size_t count);

/* A connection to a daemon. */
struct adl_ask {
    int fd;
    int patience; /* ms for one answer */
    int lull;     /* ms; after such a silence of a long order it is greeted */
    bool greeted; /* a greeting has no answer yet */
    char *buffer; /* owned */
    size_t used, room;
};

/* Connects; with `patient` it waits a moment for a mount that is just beginning. -ECONNREFUSED,
 * -ENOENT: nobody listens; -EPERM: somebody else does; -errno. To be closed when it succeeded. */
int adl_ask_open(const struct adl_target *target, bool patient, struct adl_ask *out);
void adl_ask_close(struct adl_ask *ask);

/* Sends a request (its reference is taken; NULL is -ENOMEM); "adlfs" is added. 0 or -errno. */
int adl_ask_send(struct adl_ask *ask, json_t *request);

/* The next answer, a new reference. 0; -ETIMEDOUT after `timeout` ms (-1: never); -EINTR on a
 * signal; -ECONNRESET when the daemon has gone; -EPROTO for what is no answer; -errno. */
int adl_ask_next(struct adl_ask *ask, int timeout, json_t **answer);

/* Both, with patience for one answer. A refusal is 0, too: see adl_ask_refused(). */
int adl_ask(struct adl_ask *ask, json_t *request, json_t **answer);

/* For an order whose answer may take as long as its disks or an origin take: it is waited for as
 * long as the daemon shows, by answering a greeting every now and then, that it is there.
 * -ETIMEDOUT: it shows nothing for the patience of one answer. Else as adl_ask(). */
int adl_ask_long(struct adl_ask *ask, json_t *request, json_t **answer);

/* What a daemon that refused says; NULL when it did not refuse. Borrowed from the answer. */
const char *adl_ask_refused(const json_t *answer);

/* Tells on stderr, for `command`, why talking to the target failed. */
void adl_ask_complain(const char *command, const struct adl_target *target, int error);

/* Gives one order of which nothing but its outcome is told: on standard error, when it was refused
 * or did not get there. Takes over `order`. Returns the command's exit status. */
int adl_ask_do(const char *command, const struct adl_target *target, struct adl_ask *ask,
               json_t *order);

/* False: who looked up the operands would not come back, since one is in a mount whose daemon is
 * stopped, or hangs; that is told. */
bool adl_ask_reach(const char *command, const char *const *operands, size_t count);

/* Finds the mounts of operands, or all of them without any, and calls `act` for each mount with the
 * paths inside it (a JSON array, borrowed; empty for the mount itself) and a connection. What goes
 * wrong is told. Returns an exit status: the worst of what came. */
typedef int adl_ask_act_fn(void *ctx, const struct adl_target *target, struct adl_ask *ask,
                           json_t *paths);
int adl_ask_each(const char *command, const char *const *operands, size_t count,
                 adl_ask_act_fn *act, void *ctx);

#endif
