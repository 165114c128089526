/* secret: what nobody else on the machine is to see: not in `ps`, and not in a core dump. */
#ifndef ADL_SECRET_H
#define ADL_SECRET_H

/* Takes the command line away from /proc/PID/cmdline, which everybody can read: leaves there what
 * may be seen (URLs redacted, headers without their text) and returns a copy of all of it, for
 * adl_secret_free(), with NULL at its end. NULL without memory. Only what main() got may be passed.
 */
char **adl_secret_take(int argc, char **argv);
void adl_secret_free(char **words); /* may be NULL */

/* One argument as it may be seen, with the one before it: never longer than it was. The caller
 * frees it. NULL without memory. */
char *adl_secret_shown(const char *before, const char *word);

/* No core dump from now on, nor may other processes of the same user look into this one's memory
 * (prctl(2), PR_SET_DUMPABLE): URLs and headers with their passwords are in it. */
void adl_secret_keep(void);

/* The text of a file that holds secrets, with a NUL at its end. The caller frees it. 0; -EFBIG for
 * more than ADL_SECRET_FILE_MAX bytes; -EINVAL when a NUL is in it; -ENOMEM, -errno. */
#define ADL_SECRET_FILE_MAX (64 * 1024)
int adl_secret_read(const char *path, char **out);

#endif
