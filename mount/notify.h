/* notify: telling a service manager how it goes (sd_notify(3)): one datagram to $NOTIFY_SOCKET. */
#ifndef ADL_NOTIFY_H
#define ADL_NOTIFY_H

/* Sends "NAME=value" assignments, one a line ("READY=1\nSTATUS=..."); values may not have control
 * characters. 0, also when nobody listens for it; -errno when it cannot be sent, which is no
 * reason to stop working. Any thread. */
__attribute__((format(printf, 1, 2))) int adl_notify(const char *format, ...);

#endif
