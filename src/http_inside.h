/* The inside of http: what its files share. Only src/http*.c include this.
 *
 *   http.c      the loop: sockets, the clock, what comes, redirects, the end
 *   http_ask.c  what is sent: URL, range, condition, headers, and to whom; how it is carried */
#ifndef ADL_HTTP_INSIDE_H
#define ADL_HTTP_INSIDE_H

#include "http.h"

#include <curl/curl.h>

/* Kept handles: curl's easy handle costs some 20 KiB and half a millisecond to set up with TLS. */
#define ADL_HTTP_SPARE_MAX 16

/* All of it is the one thread's, but `wake`. */
struct adl_http {
    const struct adl_settings *settings; /* the caller's */
    const struct adl_log *log;           /* the caller's */
    CURLM *multi;                        /* owned */
    CURLSH *share;                       /* owned: TLS sessions, for every handle */
    int epoll, wake;                     /* owned */
    int64_t due; /* when curl wants to be called, CLOCK_MONOTONIC ms; -1: never */
    bool inside; /* events are being delivered */
    CURL *spare[ADL_HTTP_SPARE_MAX]; /* owned */
    unsigned spares;
    int buffer;     /* bytes: SO_RCVBUF of new connections; 0: as it is */
    char agent[64]; /* User-Agent, where none is given */
};

struct adl_get {
    struct adl_http *http;
    struct adl_get_events events;
    void *ctx;
    CURL *easy;                              /* owned */
    struct curl_slist *headers;              /* owned; curl borrows it */
    char *url;                               /* owned: where it asks now */
    char *home;                              /* owned: the URL that the options were given for */
    const struct adl_entry_options *options; /* the caller's; NULL: none */
    struct adl_question question;
    struct adl_validator validator;
    bool has_validator;
    struct adl_answer answer;
    size_t head_bytes;
    unsigned redirects;
    bool answered;               /* its head is complete */
    bool redirecting;            /* ... and sends it elsewhere */
    bool refused;                /* an event gave it up */
    bool endless;                /* its head is longer than ADL_HEAD_MAX */
    char error[CURL_ERROR_SIZE]; /* in curl's words; "": none */
};

/* Makes get->easy ready to ask for get->url: all but where the answer goes. 0 or -ENOMEM. */
int adl_http_ask(struct adl_get *get);

#endif
