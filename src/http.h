/* http: one GET at a time and place, with its policy, on libcurl's multi interface.
 *
 * One thread owns a `struct adl_http` and calls adl_http_turn() in a loop; everything but
 * adl_http_wake() is for that thread alone. A GET is told through three events: head (once, for the
 * final answer), body (any number of times), done (exactly once, unless it is cancelled). Events
 * happen inside adl_http_turn() only; GETs must not be started or cancelled from within one.
 *
 * The policy: GET only; identity coding asked for; http and https only, also behind redirects,
 * which are followed here and not by curl, because curl would carry custom headers to another host:
 * credentials, Referer and the entry's headers go to the origin of the URL that they were given
 * for, and nowhere else. Heads are limited to ADL_HEAD_MAX bytes, redirects to ADL_REDIRECTS_MAX.
 */
#ifndef ADL_HTTP_H
#define ADL_HTTP_H

#include "manifest.h"
#include "probe.h"
#include "settings.h"

#define ADL_HEAD_MAX      (64 * 1024)
#define ADL_REDIRECTS_MAX 10

struct adl_http;
struct adl_get;

struct adl_request {
    const char *url;  /* where to ask */
    const char *home; /* the manifest's URL that `url` came from: options are for its origin */
    const struct adl_entry_options *options; /* NULL for none */
    struct adl_question question;            /* range and condition */
    const struct adl_validator *validator;   /* for If-Range, or for If-None-Match and
                                                If-Modified-Since when conditional; NULL for none */
};

struct adl_result {
    int error;          /* 0: the whole body came; negative errno */
    bool transient;     /* trying again may help */
    const char *reason; /* for people, in curl's words; "" for none */
};

struct adl_get_events {
    /* The answer, the URL that it came from, and after how many seconds its first byte came. False
     * gives the GET up: done follows with -ECANCELED. */
    bool (*head)(void *ctx, const struct adl_answer *answer, const char *url, double seconds);
    bool (*body)(void *ctx, const void *bytes, size_t length);
    /* Asked before, unless NULL: true when these bytes are not to be taken yet. They come again,
     * and more are read from the network only after adl_http_pause(). */
    bool (*hold)(void *ctx);
    /* The get is gone when this returns. */
    void (*done)(void *ctx, const struct adl_result *result);
};

/* 0, -ENOMEM, -EMFILE, -EIO (curl does not start). curl_global_init() is the program's to call. */
int adl_http_new(const struct adl_settings *settings, const struct adl_log *log,
                 struct adl_http **out);
/* All GETs must be done or cancelled. */
void adl_http_free(struct adl_http *http);

/* Starts a GET; the request's strings are copied. 0, -ENOMEM, -EINVAL. */
int adl_http_get(struct adl_http *http, const struct adl_request *request,
                 const struct adl_get_events *events, void *ctx, struct adl_get **out);
/* The same options, elsewhere: they must outlive the GET, or be set again. */
void adl_http_set_options(struct adl_get *get, const struct adl_entry_options *options);
/* Ends it at once, with its connection if an answer is under way. done is not called. */
void adl_http_cancel(struct adl_http *http, struct adl_get *get);

/* The kernel keeps at most about this many bytes of a connection that is made from now on, so that
 * an origin which is held does not run ahead; 0: what it likes. */
void adl_http_set_buffer(struct adl_http *http, int bytes);

/* Takes no more of its body, or goes on. Pausing is allowed within its body event; what curl has
 * read already may come when it is told to go on, before this returns. Time-outs do not count while
 * it is paused. False: it does not go on, and is to be cancelled. */
bool adl_http_pause(struct adl_get *get, bool pause);

/* Waits for the network, adl_http_wake(), or `timeout` ms (-1: for ever), and carries out what is
 * to be done. */
void adl_http_turn(struct adl_http *http, int timeout);

/* Ends the wait of adl_http_turn(), or the next one's. Any thread. */
void adl_http_wake(struct adl_http *http);

#endif
