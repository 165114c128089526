/* Many threads that read one page each of one file at the same time, in a random order.
 *
 *   many_readers FILE RIGHT FIRST COUNT [direct]
 *
 * Reads COUNT pages of FILE from the page FIRST on, past the kernel's page cache if `direct`, and
 * compares each with the same page of the file RIGHT. Prints how many were right, and what
 * was wrong with the first that was not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

/* What a thread needs that does nothing but read. */
#define STACK (32 << 10)

struct job {
    pthread_t thread;
    off_t page;
};

static int file;
static const char *right;
static char *pages; /* by number */
static atomic_int n_right, n_wrong;

static void *read_page(void *ctx)
{
    const struct job *job = ctx;
    char *buffer = pages + job->page * PAGE;
    ssize_t got;
    do
        got = pread(file, buffer, PAGE, job->page * PAGE);
    while (got < 0 && errno == EINTR); /* a cgroup that is frozen interrupts what waits in it */
    if (got == PAGE && memcmp(buffer, right + job->page * PAGE, PAGE) == 0)
        n_right++;
    else if (n_wrong++ == 0)
        fprintf(stderr, "page %jd: %s\n", (intmax_t)job->page,
                got < 0 ? strerror(errno) : "other bytes");
    return NULL;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *map(int fd, size_t length)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *at = mmap(NULL, length, fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ, flags, fd, 0);
    if (at == MAP_FAILED)
        die("mmap");
    return at;
}

static void shuffle(struct job *jobs, int count)
{
    srand(1);
    for (int i = count - 1; i > 0; i--) {
        int other = rand() % (i + 1);
        off_t page = jobs[i].page;
        jobs[i].page = jobs[other].page;
        jobs[other].page = page;
    }
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    int first = atoi(argv[3]), count = atoi(argv[4]), same = open(argv[2], O_RDONLY);
    int direct = argc > 5 && strcmp(argv[5], "direct") == 0 ? O_DIRECT : 0;
    file = open(argv[1], O_RDONLY | direct);
    if (file < 0 || same < 0)
        die("open");
    size_t length = (size_t)(first + count) * PAGE;
    right = map(same, length);
    pages = map(-1, length);
    struct job *jobs = calloc((size_t)count, sizeof(*jobs));
    for (int i = 0; jobs && i < count; i++)
        jobs[i].page = first + i;
    if (!jobs)
        die("calloc");
    shuffle(jobs, count);

    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    for (int i = 0; i < count; i++)
        if (pthread_create(&jobs[i].thread, &attr, read_page, &jobs[i]) != 0)
            die("pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(jobs[i].thread, NULL);
    printf("%d\n", n_right);
    return 0;
}
