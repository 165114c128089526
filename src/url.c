#include "url.h"

#include "cleanup.h"
#include "name.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where the parts of a URL stand in it. */
struct parts {
    bool secure;      /* https */
    const char *host; /* with its brackets, where it is an IPv6 address */
    size_t host_length;
    const char *port;   /* its digits */
    size_t port_length; /* 0: the scheme's default */
    const char *path;   /* from its '/'; the rest of the URL stands behind it */
    size_t path_length; /* may be 0 */
};

/* What stands behind "http://" or "https://"; NULL where the URL has neither. */
static const char *after_scheme(const char *url, bool *secure)
{
    *secure = strncasecmp(url, "https://", 8) == 0;
    if (*secure)
        return url + 8;
    return strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

static bool has_space_or_control(const char *url)
{
    for (; *url; url++)
        if ((unsigned char)*url <= ' ' || *url == 0x7f)
            return true;
    return false;
}

/* A host name or IPv4 address: RFC 3986 3.2.2 without percent-encoding, which no name server would
 * understand, and with bytes above 127, from which curl makes an internationalized name. */
static bool is_name(const char *host, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)host[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && c < 0x80 && !strchr("-._~!$&'()*+,;=", c))
            return false;
    }
    return length > 0;
}

/* "[...]" with an IPv6 address, which may have a zone (RFC 6874 2). */
static bool is_ipv6_literal(const char *host, size_t length)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr binary;
    const char *zone = memchr(host, '%', length);
    size_t end = zone ? (size_t)(zone - host) : length - 1;
    if (length < 4 || end - 1 >= sizeof(address))
        return false;
    if (zone && !is_name(zone + 1, length - end - 2))
        return false;
    memcpy(address, host + 1, end - 1);
    address[end - 1] = '\0';
    return inet_pton(AF_INET6, address, &binary) == 1;
}

static bool is_port(const char *digits, size_t length)
{
    unsigned port = 0;
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        port = port * 10 + (unsigned)(digits[i] - '0');
        if (port > 65535)
            return false;
    }
    return length == 0 || port > 0;
}

/* "host", "host:port", "[address]:port". */
static bool split_host(const char *text, size_t length, struct parts *parts)
{
    bool literal = length > 0 && text[0] == '[';
    const char *close = literal ? memchr(text, ']', length) : NULL;
    if (literal && !close)
        return false;
    const char *end = text + length;
    const char *colon = literal ? close + 1 : memchr(text, ':', length);
    if (!colon)
        colon = end;
    if (colon < end && *colon != ':')
        return false;
    parts->host = text;
    parts->host_length = (size_t)(colon - text);
    parts->port = colon < end ? colon + 1 : end;
    parts->port_length = (size_t)(end - parts->port);
    return (literal ? is_ipv6_literal(text, parts->host_length)
                    : is_name(text, parts->host_length)) &&
           is_port(parts->port, parts->port_length);
}

/* Finds the parts; false for what is not an http(s) URL. Userinfo ends at the last '@' of the
 * authority, as for curl and browsers: a password may have its '@' unencoded. */
static bool split(const char *url, struct parts *parts)
{
    const char *authority = after_scheme(url, &parts->secure);
    if (!authority || has_space_or_control(url))
        return false;
    size_t length = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', length);
    const char *host = at ? at + 1 : authority;
    parts->path = authority + length;
    parts->path_length = strcspn(parts->path, "?#");
    return split_host(host, (size_t)(parts->path - host), parts);
}

bool adl_url_valid(const char *url)
{
    struct parts parts;
    return split(url, &parts);
}

/* ASCII alone: a locale must not change which origin a URL belongs to. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

int adl_url_origin(const char *url, char *out, size_t room)
{
    struct parts parts;
    if (!split(url, &parts))
        return -EINVAL;
    const char *default_port = parts.secure ? "443" : "80";
    const char *port = parts.port_length ? parts.port : default_port;
    int port_length = (int)(parts.port_length ? parts.port_length : strlen(default_port));
    for (; port_length > 1 && *port == '0'; port_length--)
        port++;
    if (parts.host_length >= room)
        return -ENAMETOOLONG;
    int length = snprintf(out, room, "%s://%.*s:%.*s", parts.secure ? "https" : "http",
                          (int)parts.host_length, parts.host, port_length, port);
    if (length < 0 || (size_t)length >= room)
        return -ENAMETOOLONG;
    for (char *c = out; *c; c++)
        *c = lower(*c);
    return 0;
}

/* Text that grows into a buffer that is known to be large enough. */
struct writer {
    char *at;
};

static void put(struct writer *writer, const char *text, size_t length)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c > ' ' && c != 0x7f) {
            *writer->at++ = (char)c;
        } else {
            *writer->at++ = '%';
            *writer->at++ = hex[c >> 4];
            *writer->at++ = hex[c & 15];
        }
    }
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static void redact_valid(struct writer *writer, const struct parts *parts)
{
    put_text(writer, parts->secure ? "https://" : "http://");
    put(writer, parts->host, (size_t)(parts->path - parts->host));
    put(writer, parts->path, parts->path_length);
    if (parts->path[parts->path_length] == '?')
        put_text(writer, "?...");
}

/* Bytes of the scheme that `url` begins with (RFC 3986 3.1); 0 where no "://" follows. */
static size_t scheme_length(const char *url)
{
    size_t length =
        strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return strncmp(url + length, "://", 3) == 0 ? length : 0;
}

/* What is not an http(s) URL: a part may be anything, a password with a '/' in it among them, so
 * only a host that stands where nothing else can is shown. */
static void redact_doubtful(struct writer *writer, const char *url)
{
    size_t scheme = scheme_length(url);
    if (!scheme && strpbrk(url, ":@")) {
        put_text(writer, "...");
        return;
    }
    if (!scheme) {
        size_t shown = strcspn(url, "?#");
        put(writer, url, shown);
        put_text(writer, url[shown] ? "..." : "");
        return;
    }
    const char *authority = url + scheme + 3;
    size_t length = strcspn(authority, "/?#");
    put(writer, url, scheme + 3);
    if (!strchr(authority + length, '@')) {
        const char *at = memrchr(authority, '@', length);
        const char *host = at ? at + 1 : authority;
        const char *stops = *host == '[' ? "]/?#" : ":/?#";
        put(writer, host, strcspn(host, stops));
        put_text(writer, *host == '[' ? "]/" : "/");
    }
    put_text(writer, "...");
}

char *adl_url_redact(const char *url)
{
    char *redacted = malloc(3 * strlen(url) + sizeof("://]/..."));
    if (!redacted)
        return NULL;
    struct writer writer = {redacted};
    struct parts parts;
    if (split(url, &parts))
        redact_valid(&writer, &parts);
    else
        redact_doubtful(&writer, url);
    *writer.at = '\0';
    return redacted;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes in place (RFC 3986 2.1), '/' as '_'; a '%' that begins no triplet stays. Returns
 * the new length. */
static size_t decode(char *text, size_t length)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%' && length - i > 2) {
            int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        text[used++] = c == '/' ? '_' : c;
    }
    return used;
}

/* The last non-empty part of the path; false where there is none. */
static bool last_part(const struct parts *parts, const char **part, size_t *length)
{
    size_t end = parts->path_length;
    while (end > 0 && parts->path[end - 1] == '/')
        end--;
    if (end == 0)
        return false;
    const char *slash = memrchr(parts->path, '/', end);
    *part = slash + 1;
    *length = (size_t)(parts->path + end - *part);
    return true;
}

char *adl_url_name(const char *url, const char **error)
{
    struct parts parts;
    const char *part;
    size_t length;
    if (!split(url, &parts)) {
        *error = "it is not an http or https URL";
        return NULL;
    }
    if (!last_part(&parts, &part, &length)) {
        *error = "the URL has no path to take a name from";
        return NULL;
    }
    cleanup_free char *decoded = strndup(part, length);
    cleanup_free char *name = malloc(ADL_NAME_MAX + 1);
    if (!decoded || !name) {
        *error = "there is no memory left";
        return NULL;
    }
    length = decode(decoded, length);
    if (memchr(decoded, '\0', length)) {
        *error = "it holds a NUL byte";
        return NULL;
    }
    *error = adl_path_wrong(name, adl_name_fit(decoded, length, "", name));
    return *error ? NULL : steal_pointer(name);
}
