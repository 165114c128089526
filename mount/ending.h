/* ending: a signal ends the mount. */
#ifndef ADL_ENDING_H
#define ADL_ENDING_H

struct fuse_session;

/* SIGTERM, SIGINT and SIGHUP end the session, those that would end the process, however near they
 * come to the wait for its end: libfuse's own handlers count on interrupting it, and one that comes
 * a moment before is heard of with the next request, if one comes. For the thread that calls
 * fuse_session_loop_mt(), the only one that these signals are not blocked in. One session at a
 * time. */
void adl_ending_catch(struct fuse_session *session);

/* The loop came back: from now on those signals do nothing. */
void adl_ending_heard(void);

/* They end the process again. Before fuse_session_destroy(). */
void adl_ending_release(void);

#endif
