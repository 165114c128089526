/* tempdir: a directory that is there for one run. */
#ifndef ADL_TEMPDIR_H
#define ADL_TEMPDIR_H

#define ADL_TEMPDIR_ROOM 256

/* Makes "adlfs-WHAT-XXXXXX" in $TMPDIR, or /tmp. On an error *path is "". 0 or -errno. */
int adl_tempdir_make(const char *what, char path[ADL_TEMPDIR_ROOM]);

/* Removes it with the files in it; it has no directories. */
void adl_tempdir_remove(const char *path);

#endif
