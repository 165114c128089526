/* url: what the engine needs to know of a URL (RFC 3986), and no more: curl does the rest. Pure. */
#ifndef ADL_URL_H
#define ADL_URL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `url` is an absolute http or https URL with a host, without control characters or
 * spaces. */
bool adl_url_valid(const char *url);

/* The part that names the server: scheme, host and port, lower-cased, default port made explicit
 * ("https://example.org:443"). Userinfo left out. Writes at most `room` bytes with the NUL.
 * 0, -EINVAL for what is not an http(s) URL, -ENAMETOOLONG. */
int adl_url_origin(const char *url, char *out, size_t room);

/* The URL as it may be shown: userinfo removed, the query's text replaced by "?..." and the
 * fragment dropped, since either may carry a signature. Control characters are escaped as %XX. Of
 * what is not a valid http(s) URL only scheme and host are shown, and less where a secret could
 * stand in their place. Returns a string that the caller frees, NULL without memory. */
char *adl_url_redact(const char *url);

/* The file name that a URL suggests: the last non-empty part of the path, percent-decoded, '/' in
 * it as '_', cut so that it stays a legal name (<= 255 bytes). Returns a string that the caller
 * frees; NULL with *error set to a static reason where there is none: no path part, "." or "..",
 * a decoded NUL. */
char *adl_url_name(const char *url, const char **error);

#endif
