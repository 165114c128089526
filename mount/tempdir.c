#include "tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int adl_tempdir_make(const char *what, char path[ADL_TEMPDIR_ROOM])
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(path, ADL_TEMPDIR_ROOM, "%s/adlfs-%s-XXXXXX",
                          parent && parent[0] == '/' ? parent : "/tmp", what);
    if (length >= ADL_TEMPDIR_ROOM)
        snprintf(path, ADL_TEMPDIR_ROOM, "/tmp/adlfs-%s-XXXXXX", what);
    if (mkdtemp(path))
        return 0;
    path[0] = '\0';
    return -errno;
}

void adl_tempdir_remove(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(path);
}
