#include "mounts.h"

#include "cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sysmacros.h>

void adl_mount_free(struct adl_mount *mount)
{
    free(mount->point);
    free(mount->root);
    free(mount->type);
    *mount = (struct adl_mount){0};
}

FILE *adl_mounts_open(void)
{
    return fopen("/proc/self/mountinfo", "re");
}

char *adl_mounts_unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; to++) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
            at[3] >= '0' && at[3] <= '7') {
            *to = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
            at += 4;
        } else {
            *to = *at++;
        }
    }
    *to = '\0';
    return text;
}

/* FUSE's "...,user_id=1000,...". */
static uid_t owner_of(const char *options)
{
    const char *at = options ? strstr(options, "user_id=") : NULL;
    return at ? (uid_t)strtoul(at + strlen("user_id="), NULL, 10) : 0;
}

/* "id parent MAJ:MIN ROOT POINT options [tags...] - TYPE source SUPER": taken apart in place, so
 * that the mount borrows from the line. */
static bool read_line(char *line, struct adl_mount *out)
{
    char *rest = line;
    strsep(&rest, " ");
    strsep(&rest, " ");
    const char *device = strsep(&rest, " ");
    out->root = strsep(&rest, " ");
    out->point = strsep(&rest, " ");
    char *dash = rest ? strstr(rest, " - ") : NULL;
    unsigned long number[2];
    char *end;
    if (!device || !out->point || !dash)
        return false;
    number[0] = strtoul(device, &end, 10);
    if (*end != ':')
        return false;
    number[1] = strtoul(end + 1, NULL, 10);
    rest = dash + 3;
    out->type = strsep(&rest, " \n");
    strsep(&rest, " ");
    out->owner = owner_of(rest);
    out->device = makedev((unsigned)number[0], (unsigned)number[1]);
    adl_mounts_unescape(out->root);
    adl_mounts_unescape(out->point);
    return true;
}

int adl_mounts_each(FILE *mountinfo, adl_mount_fn *each, void *ctx)
{
    cleanup_free char *line = NULL;
    size_t room = 0;
    int r = 0;
    while (r >= 0 && getline(&line, &room, mountinfo) > 0) {
        struct adl_mount mount;
        if (read_line(line, &mount))
            r = each(ctx, &mount);
    }
    return r < 0 ? r : 0;
}

struct search {
    const char *path;
    struct adl_mount best;
};

static bool lies_in(const char *path, const char *point)
{
    size_t length = strlen(point);
    if (strcmp(point, "/") == 0)
        return true;
    return strncmp(path, point, length) == 0 && (path[length] == '/' || !path[length]);
}

static int compare(void *ctx, const struct adl_mount *mount)
{
    struct search *search = ctx;
    if (!lies_in(search->path, mount->point) ||
        (search->best.point && strlen(mount->point) < strlen(search->best.point)))
        return 0;
    adl_mount_free(&search->best);
    search->best = (struct adl_mount){.point = strdup(mount->point),
                                      .root = strdup(mount->root),
                                      .type = strdup(mount->type),
                                      .device = mount->device,
                                      .owner = mount->owner};
    return search->best.point && search->best.root && search->best.type ? 0 : -ENOMEM;
}

int adl_mounts_over(FILE *mountinfo, const char *path, struct adl_mount *out)
{
    struct search search = {.path = path};
    int r = adl_mounts_each(mountinfo, compare, &search);
    if (r == 0 && !search.best.point)
        r = -ENOENT;
    if (r < 0)
        adl_mount_free(&search.best);
    else
        *out = search.best;
    return r;
}
