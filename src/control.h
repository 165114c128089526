/* control: the control socket of a mount: asked and answered in lines of JSON (control.md).
 *
 * A thread of its own owns the socket and its clients. It reads and bounds what they send
 * (order.h), has the loop do what is asked (adl_engine_run), and writes what comes of it. So
 * neither a client that says nothing, or too much, or does not listen, nor many of them hold the
 * loop up: a client has a bounded number of questions under way and a bounded room for answers; who
 * asks faster is not read for a while, who subscribes and does not listen is hung up on.
 *
 * The directory is the user's alone (socket.h), and who connects must be the user or root
 * (SO_PEERCRED). */
#ifndef ADL_CONTROL_H
#define ADL_CONTROL_H

#include "forgetter.h"
#include "log.h"
#include "tree.h"

#include <sys/types.h>

struct adl_control;
struct adl_engine;

struct adl_control_facts {
    const char *mountpoint; /* absolute; borrowed, like source */
    const char *source;     /* without secrets */
    dev_t device;           /* of the mounted file system: names the socket */
    adl_forget_fn *forget;  /* the kernel's pages of a file */
    void *ctx;              /* for that */
};

/* Begins to listen. What is borrowed must live until adl_control_free(). 0 or -errno; what was
 * wrong has been logged. */
int adl_control_new(struct adl_engine *engine, const struct adl_tree *tree,
                    const struct adl_log *log, const struct adl_control_facts *facts,
                    struct adl_control **out);

/* Names are those of another tree from now on, whose entries the engine knows; the old one is not
 * used when this returns. Any thread that holds nothing which the loop waits for. */
void adl_control_replace(struct adl_control *control, const struct adl_tree *tree);

/* The socket's path. Any thread. */
const char *adl_control_path(const struct adl_control *control);

/* Whether `forget` is being called; it is not called again. NULL is nothing. */
bool adl_control_forgets(struct adl_control *control);

/* `forget` is not called any more when this returns. The engine has stopped, so that no read waits.
 * NULL is nothing. */
void adl_control_remember(struct adl_control *control);

/* Hangs up on everybody and ends the thread. Before adl_engine_free(). NULL is nothing. */
void adl_control_stop(struct adl_control *control);

/* After adl_engine_free(), since the loop may still hold questions. NULL is nothing. */
void adl_control_free(struct adl_control *control);

#endif
