/* ending: a signal ends the mount. */
#ifndef ADL_ENDING_H
#define ADL_ENDING_H

struct fuse_session;

/* SIGTERM, SIGINT and SIGHUP end the session, those that would end the process. In the thread that
 * calls fuse_session_loop_mt(), the only one that signals are not blocked in; one session at a
 * time. libfuse's own handlers only note that a signal came, and count on its interrupting the wait
 * for the session's end: one that comes a moment before would be heard of with the next request, if
 * one comes. These ones tell it again until it is heard. */
void adl_ending_catch(struct fuse_session *session);

/* The loop came back: from now on those signals do nothing. */
void adl_ending_heard(void);

/* They end the process again. Before fuse_session_destroy(). */
void adl_ending_release(void);

#endif
