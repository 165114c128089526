/* ending: a signal that is to end the mount reaches the thread that waits for its end. */
#ifndef ADL_ENDING_H
#define ADL_ENDING_H

struct fuse_session;

/* After fuse_set_signal_handlers(), in the thread that will call fuse_session_loop_mt(): SIGTERM
 * and SIGINT end the session whichever thread the kernel gives them to. libfuse's own handler only
 * notes them, and counts on interrupting that thread; after a suspend to disk, or a cgroup that was
 * frozen, it can be another one that is interrupted, and the session would end with the next
 * request, if one comes. One session at a time. */
void adl_ending_catch(struct fuse_session *session);

/* Before fuse_session_destroy(). */
void adl_ending_release(void);

#endif
