#include "http_inside.h"

#include "cleanup.h"
#include "now.h"
#include "url.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How many sockets are looked at in one turn. */
#define EVENTS 64

static int on_timer(CURLM *multi, long timeout, void *ctx)
{
    (void)multi;
    struct adl_http *http = ctx;
    http->due = timeout < 0 ? -1 : now_ms() + timeout;
    return 0;
}

/* libcurl 7.88 closes a socket that never came to be connected before it says that it need not be
 * watched any more: then `fd` is nobody's number, or one that another thread got in between. It is
 * not in the loop's set, and nothing happens; by way of syscall(2), since to ThreadSanitizer the
 * call would be a use of that other file, of which it often cannot tell where it was made. */
static void forget_socket(const struct adl_http *http, curl_socket_t fd)
{
    syscall(SYS_epoll_ctl, http->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    (void)easy;
    struct adl_http *http = ctx;
    if (what == CURL_POLL_REMOVE) {
        forget_socket(http, fd);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    if (known && epoll_ctl(http->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    if (epoll_ctl(http->epoll, EPOLL_CTL_ADD, fd, &event) < 0 &&
        (errno != EEXIST || epoll_ctl(http->epoll, EPOLL_CTL_MOD, fd, &event) < 0)) {
        adl_log(http->log, ADL_ERROR, "epoll_ctl: %s", strerror(errno));
        return -1;
    }
    curl_multi_assign(http->multi, fd, http);
    return 0;
}

int adl_http_new(const struct adl_settings *settings, const struct adl_log *log,
                 struct adl_http **out)
{
    struct adl_http *http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    *http = (struct adl_http){.settings = settings, .log = log, .epoll = -1, .wake = -1, .due = -1};
    snprintf(http->agent, sizeof(http->agent), "adlfs/%s", ADL_VERSION);

    int error = -EMFILE;
    http->epoll = epoll_create1(EPOLL_CLOEXEC);
    http->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = http->wake};
    if (http->epoll < 0 || http->wake < 0 ||
        epoll_ctl(http->epoll, EPOLL_CTL_ADD, http->wake, &event) < 0)
        goto fail;

    error = -EIO;
    http->multi = curl_multi_init();
    http->share = curl_share_init();
    if (!http->multi || !http->share)
        goto fail;
    curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)settings->connections);
    *out = http;
    return 0;

fail:
    adl_http_free(http);
    return error;
}

void adl_http_free(struct adl_http *http)
{
    if (!http)
        return;
    while (http->spares)
        curl_easy_cleanup(http->spare[--http->spares]);
    if (http->multi)
        curl_multi_cleanup(http->multi);
    if (http->share)
        curl_share_cleanup(http->share);
    if (http->wake >= 0)
        close(http->wake);
    if (http->epoll >= 0)
        close(http->epoll);
    free(http);
}

/* The head is complete. False: the GET is given up. */
static bool head_complete(struct adl_get *get)
{
    if (get->answer.status < 200)
        return true; /* 1xx: another head follows */
    get->answered = true;
    double seconds = 0;
    curl_easy_getinfo(get->easy, CURLINFO_STARTTRANSFER_TIME, &seconds);
    int status = get->answer.status;
    get->redirecting =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (get->redirecting)
        return true;
    get->refused = !get->events.head(get->ctx, &get->answer, get->url, seconds);
    return !get->refused;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct adl_get *get = ctx;
    size_t length = size * count;
    if (get->answered)
        return length; /* a trailer */
    get->head_bytes += length;
    if (get->head_bytes > ADL_HEAD_MAX) {
        get->endless = true;
        return 0;
    }
    adl_answer_line(&get->answer, line, length, time(NULL));
    bool last = length == 0 || line[0] == '\r' || line[0] == '\n';
    return !last || head_complete(get) ? length : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct adl_get *get = ctx;
    size_t length = size * count;
    if (get->redirecting)
        return length;
    if (!get->answered) /* a body without a head: HTTP/0.9 */
        return 0;
    if (get->events.hold && get->events.hold(get->ctx))
        return CURL_WRITEFUNC_PAUSE;
    get->refused = !get->events.body(get->ctx, bytes, length);
    return get->refused ? 0 : length;
}

/* Asks for get->url: gives the handle to curl. */
static int begin(struct adl_get *get)
{
    CURL *easy = get->easy;
    curl_easy_reset(easy);
    curl_slist_free_all(steal_pointer(get->headers));
    adl_answer_reset(&get->answer);
    get->head_bytes = 0;
    get->answered = get->redirecting = false;
    get->error[0] = '\0';

    int error = adl_http_ask(get);
    if (error < 0)
        return error;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, get);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, get->error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, get);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, get);
    return curl_multi_add_handle(get->http->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

static void free_get(struct adl_get *get)
{
    struct adl_http *http = get->http;
    curl_slist_free_all(get->headers);
    if (get->easy && http->spares < ADL_HTTP_SPARE_MAX) {
        curl_easy_reset(get->easy);
        http->spare[http->spares++] = steal_pointer(get->easy);
    }
    if (get->easy)
        curl_easy_cleanup(get->easy);
    free(get->url);
    free(get->home);
    free(get);
}

int adl_http_get(struct adl_http *http, const struct adl_request *request,
                 const struct adl_get_events *events, void *ctx, struct adl_get **out)
{
    assert(!http->inside);
    struct adl_get *get = calloc(1, sizeof(*get));
    if (!get)
        return -ENOMEM;
    *get = (struct adl_get){.http = http,
                            .events = *events,
                            .ctx = ctx,
                            .url = strdup(request->url),
                            .home = strdup(request->home),
                            .options = request->options,
                            .question = request->question,
                            .has_validator = request->validator};
    if (request->validator)
        get->validator = *request->validator;
    get->easy = http->spares ? http->spare[--http->spares] : curl_easy_init();
    int error = get->easy && get->url && get->home ? begin(get) : -ENOMEM;
    if (error < 0)
        free_get(get);
    else
        *out = get;
    return error;
}

void adl_http_set_options(struct adl_get *get, const struct adl_entry_options *options)
{
    get->options = options;
}

void adl_http_cancel(struct adl_http *http, struct adl_get *get)
{
    assert(!http->inside);
    curl_multi_remove_handle(http->multi, get->easy);
    free_get(get);
}

/* What is no answer may be left over from the one before it on the same connection, where that was
 * longer than it said. */
static bool first_on_connection(const struct adl_get *get)
{
    long made = 0;
    curl_easy_getinfo(get->easy, CURLINFO_NUM_CONNECTS, &made);
    return made > 0;
}

/* What curl's result means for whoever waits. */
static void explain(const struct adl_get *get, CURLcode code, struct adl_result *result)
{
    result->transient = true;
    result->error = -EIO;
    switch (code) {
    case CURLE_OK:
        result->error = 0;
        break;
    case CURLE_OPERATION_TIMEDOUT:
        result->error = -ETIMEDOUT;
        break;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, too */
        result->transient = !first_on_connection(get);
        break;
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        result->transient = false;
        break;
    case CURLE_WRITE_ERROR:
        result->transient = !get->endless;
        if (get->refused)
            result->error = -ECANCELED;
        break;
    default:
        break;
    }
    if (get->endless) {
        result->reason = "the head of the answer has no end";
        return;
    }
    result->reason = get->error[0] ? get->error : code == CURLE_OK ? "" : curl_easy_strerror(code);
}

/* Goes on to where a redirect points. False with *result set where that is not possible. */
static bool follow(struct adl_get *get, struct adl_result *result)
{
    char *location = NULL;
    curl_easy_getinfo(get->easy, CURLINFO_REDIRECT_URL, &location);
    result->error = -EIO;
    result->transient = false;
    if (++get->redirects > ADL_REDIRECTS_MAX) {
        result->reason = "too many redirects";
        return false;
    }
    if (!location || !adl_url_valid(location)) {
        result->reason = location ? "redirect to something that is not http or https"
                                  : "redirect without a Location";
        return false;
    }
    char *url = strdup(location);
    if (!url) {
        result->error = -ENOMEM;
        return false;
    }
    free(get->url);
    get->url = url;
    if (begin(get) < 0) {
        result->error = -ENOMEM;
        result->reason = "out of memory";
        return false;
    }
    return true;
}

static void finish(struct adl_http *http, CURL *easy, CURLcode code)
{
    struct adl_get *get = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&get);
    curl_multi_remove_handle(http->multi, easy);
    struct adl_result result = {0};
    explain(get, code, &result);
    if (code == CURLE_OK && get->redirecting && follow(get, &result))
        return;
    if (code == CURLE_OK && !get->answered) {
        result.error = -EIO;
        result.reason = "no answer";
    }
    http->inside = true;
    get->events.done(get->ctx, &result);
    http->inside = false;
    free_get(get);
}

static void finish_all(struct adl_http *http)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            finish(http, message->easy_handle, message->data.result);
}

static void act(struct adl_http *http, curl_socket_t fd, int what)
{
    int running;
    http->inside = true;
    curl_multi_socket_action(http->multi, fd, what, &running);
    http->inside = false;
}

void adl_http_set_buffer(struct adl_http *http, int bytes)
{
    http->buffer = bytes;
}

static int wait_ms(const struct adl_http *http, int timeout)
{
    if (http->due < 0)
        return timeout;
    int64_t left = http->due - now_ms();
    if (left < 0)
        left = 0;
    return timeout < 0 || left < timeout ? (int)(left > 60000 ? 60000 : left) : timeout;
}

bool adl_http_pause(struct adl_get *get, bool pause)
{
    return curl_easy_pause(get->easy, pause ? CURLPAUSE_RECV : CURLPAUSE_CONT) == CURLE_OK;
}

void adl_http_turn(struct adl_http *http, int timeout)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(http->epoll, events, EVENTS, wait_ms(http, timeout));
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == http->wake) {
            uint64_t times;
            if (read(http->wake, &times, sizeof(times)) < 0 && errno != EAGAIN)
                adl_log(http->log, ADL_ERROR, "eventfd: %s", strerror(errno));
            continue;
        }
        int what = 0;
        if (events[i].events & (EPOLLIN | EPOLLHUP))
            what |= CURL_CSELECT_IN;
        if (events[i].events & EPOLLOUT)
            what |= CURL_CSELECT_OUT;
        if (events[i].events & EPOLLERR)
            what |= CURL_CSELECT_ERR;
        act(http, events[i].data.fd, what);
    }
    if (http->due >= 0 && now_ms() >= http->due) {
        http->due = -1;
        act(http, CURL_SOCKET_TIMEOUT, 0);
    }
    finish_all(http);
}

void adl_http_wake(struct adl_http *http)
{
    uint64_t once = 1;
    if (write(http->wake, &once, sizeof(once)) < 0 && errno != EAGAIN)
        adl_log(http->log, ADL_ERROR, "eventfd: %s", strerror(errno));
}
