#include "http_inside.h"

#include "date.h"
#include "header.h"
#include "url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* One recv(2) fills at most this much: large enough that the calls do not show in a profile, small
 * enough that 64 connections of them stay within the memory that the daemon may use. */
#define RECEIVE_BUFFER (256L * 1024)

static bool add_line(struct adl_get *get, const char *line)
{
    struct curl_slist *longer = curl_slist_append(get->headers, line);
    if (longer)
        get->headers = longer;
    return longer;
}

static bool add_header(struct adl_get *get, const char *name, const char *value)
{
    char line[256 + ADL_ETAG_MAX];
    snprintf(line, sizeof(line), "%s: %s", name, value);
    return add_line(get, line);
}

static bool add_condition(struct adl_get *get)
{
    const struct adl_validator *validator = &get->validator;
    if (!get->has_validator)
        return true;
    if (!get->question.conditional)
        return !get->question.ranged || !adl_validator_strong(validator) ||
               add_header(get, "If-Range", validator->etag);
    if (validator->etag[0])
        return add_header(get, "If-None-Match", validator->etag);
    if (validator->last_modified == ADL_TIME_UNKNOWN)
        return true;
    char date[ADL_DATE_ROOM];
    adl_date_format(validator->last_modified, date);
    return add_header(get, "If-Modified-Since", date);
}

/* Whether it asks the origin of the URL that the manifest gave. */
static bool at_home(const struct adl_get *get)
{
    char asked[1024], given[1024];
    return adl_url_origin(get->url, asked, sizeof(asked)) == 0 &&
           adl_url_origin(get->home, given, sizeof(given)) == 0 && strcmp(asked, given) == 0;
}

/* Whether the entry says something else than that header of all entries. */
static bool overridden(const struct adl_entry_options *options, const char *line)
{
    size_t name = adl_header_name(line, strlen(line)) + 1; /* with the ':' */
    for (const char **header = options ? options->headers : NULL; header && *header; header++)
        if (strncasecmp(*header, line, name) == 0)
            return true;
    return false;
}

/* What was given for all entries. */
static bool add_settings(struct adl_get *get)
{
    const struct adl_settings *settings = get->http->settings;
    for (size_t i = 0; i < settings->n_headers; i++)
        if (!overridden(get->options, settings->headers[i]) && !add_line(get, settings->headers[i]))
            return false;
    if (settings->netrc) {
        curl_easy_setopt(get->easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
        curl_easy_setopt(get->easy, CURLOPT_NETRC_FILE, settings->netrc);
    }
    return true;
}

/* What the user has to say: for the origin that it was said of only. */
static bool add_options(struct adl_get *get)
{
    const struct adl_entry_options *options = get->options;
    if (options && options->user_agent)
        curl_easy_setopt(get->easy, CURLOPT_USERAGENT, options->user_agent);
    if (!at_home(get))
        return true;
    if (!add_settings(get))
        return false;
    if (!options)
        return true;
    for (const char **header = options->headers; header && *header; header++)
        if (!add_line(get, *header))
            return false;
    if (options->referer)
        curl_easy_setopt(get->easy, CURLOPT_REFERER, options->referer);
    if (options->user)
        curl_easy_setopt(get->easy, CURLOPT_USERNAME, options->user);
    if (options->password)
        curl_easy_setopt(get->easy, CURLOPT_PASSWORD, options->password);
    return true;
}

static int on_connection(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    const struct adl_http *http = ctx;
    if (purpose == CURLSOCKTYPE_IPCXN && http->buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &http->buffer, sizeof(http->buffer));
    return CURL_SOCKOPT_OK;
}

static void set_transport(struct adl_get *get)
{
    const struct adl_settings *settings = get->http->settings;
    CURL *easy = get->easy;
    curl_easy_setopt(easy, CURLOPT_SHARE, get->http->share);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_connection);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, get->http);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    /* One request a connection at a time: ranges are to run side by side, not through one pipe. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)settings->connect_timeout);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 16L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)settings->stall_timeout);
    curl_easy_setopt(easy, CURLOPT_USERAGENT,
                     settings->user_agent ? settings->user_agent : get->http->agent);
    if (settings->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    if (settings->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

int adl_http_ask(struct adl_get *get)
{
    set_transport(get);
    curl_easy_setopt(get->easy, CURLOPT_URL, get->url);
    if (get->question.ranged) {
        char range[64];
        snprintf(range, sizeof(range), "%" PRId64 "-%" PRId64, get->question.first,
                 get->question.last);
        curl_easy_setopt(get->easy, CURLOPT_RANGE, range);
    }
    if (!add_header(get, "Accept-Encoding", "identity") || !add_condition(get) || !add_options(get))
        return -ENOMEM;
    curl_easy_setopt(get->easy, CURLOPT_HTTPHEADER, get->headers);
    return 0;
}
