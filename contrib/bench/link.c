/* A long link: two network namespaces joined by a delay, a rate and a loss, so that TCP meets on
 * one machine what it meets on a real one. netem would do the same where the kernel has it.
 *
 * usage: link RTT_MS LINK_MBIT FLOW_MBIT LOSS_PERCENT QUEUE_MS
 *
 * The namespaces are anonymous, and both ends are TUN devices that nobody else holds: when this
 * program ends, nothing is left behind. It prints one line, the paths of the client's and of the
 * server's namespace for `nsenter --net=PATH`, and carries packets until its standard input ends,
 * which it does with the program that started it. The client is 192.0.2.1, the server 192.0.2.2.
 *
 * A packet's way, the same in both directions:
 *
 *   TUN -> its flow's queue (FLOW_MBIT; 0: none) -> the link's queue (LINK_MBIT) -> delay -> TUN
 *
 * A queue is not stored: it is the time at which it will be empty. What would wait longer than
 * QUEUE_MS in either is dropped, as a router with a short buffer does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <math.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL
#define MTU       1500

/* A flow's queue is found by its two ports xor-ed. As one of them is always the origin's, no two
 * flows share a queue. */
#define FLOWS 65536

/* Packets shorter than this are never lost at random: they are SYNs and bare acknowledgements, and
 * one lost SYN costs a second (RFC 6298 section 2.1), which would decide a whole measurement. */
#define SPARED_BYTES 100

/* At most so many packets are taken from one end before the other has its turn. */
#define BURST 64

/* Longer than any burst of segments that TCP hands to the device at once: what is lost is lost in
 * the queues above, not before them. */
#define DEVICE_QUEUE 10000

struct link {
    int64_t delay;  /* one way, ns */
    int64_t queue;  /* ns */
    double link_ns; /* for one byte */
    double flow_ns; /* for one byte; 0: no limit for a flow */
    double loss;    /* 0 to 1 */
};

enum stage {
    STAGE_FLOW, /* leaves its flow's queue when due */
    STAGE_WIRE, /* arrives when due */
};

struct packet {
    int64_t due;    /* CLOCK_MONOTONIC, ns */
    uint64_t order; /* what is due at the same time leaves as it came */
    enum stage stage;
    size_t length;
    unsigned char bytes[];
};

struct direction {
    int in, out;              /* TUN devices, not owned */
    int64_t link_free;        /* when the link will have sent all that it was given, ns */
    int64_t flow_free[FLOWS]; /* the same for each flow */
    struct packet **heap;     /* the packet due first on top; owned, as are the packets */
    size_t count, room;
    uint64_t taken;
    unsigned short dice[3]; /* erand48(3) */
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- packets in the order in which they are due: a binary heap ---- */

static bool before(const struct packet *a, const struct packet *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

/* Takes the packet; without memory it is lost, as on any link. */
static void heap_push(struct direction *way, struct packet *packet)
{
    if (way->count == way->room) {
        size_t room = way->room ? way->room * 2 : 1024;
        struct packet **heap = reallocarray(way->heap, room, sizeof(struct packet *));
        if (!heap) {
            free(packet);
            return;
        }
        way->heap = heap;
        way->room = room;
    }
    size_t at = way->count++;
    while (at > 0 && before(packet, way->heap[(at - 1) / 2])) {
        way->heap[at] = way->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    way->heap[at] = packet;
}

/* Gives the packet to the caller. */
static struct packet *heap_pop(struct direction *way)
{
    struct packet *first = way->heap[0];
    struct packet *last = way->heap[--way->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < way->count; at = child) {
        if (child + 1 < way->count && before(way->heap[child + 1], way->heap[child]))
            child++;
        if (!before(way->heap[child], last))
            break;
        way->heap[at] = way->heap[child];
    }
    way->heap[at] = last;
    return first;
}

/* ---- the way of a packet ---- */

/* What is not TCP over IPv4 shares the queue of flow 0. */
static uint16_t flow_of(const unsigned char *bytes, size_t length)
{
    enum { VERSION = 4, TCP = 6, SHORTEST_HEADER = 20 };
    if (length < SHORTEST_HEADER || bytes[0] >> 4 != VERSION || bytes[9] != TCP)
        return 0;
    size_t ports = (size_t)(bytes[0] & 15) * 4;
    if (ports < SHORTEST_HEADER || ports + 4 > length)
        return 0;
    return (uint16_t)((bytes[ports] ^ bytes[ports + 2]) << 8 |
                      (bytes[ports + 1] ^ bytes[ports + 3]));
}

/* Passes a queue at `now`, which takes ns_per_byte for each byte. Returns when the packet has left
 * it, or -1 if it would wait too long. */
static int64_t pass_queue(int64_t *queue_free, int64_t now, int64_t longest, double ns_per_byte,
                          size_t length)
{
    int64_t start = *queue_free > now ? *queue_free : now;
    if (start - now > longest)
        return -1;
    *queue_free = start + (int64_t)(ns_per_byte * (double)length);
    return *queue_free;
}

static void take(const struct link *link, struct direction *way)
{
    unsigned char bytes[MTU];
    for (int i = 0; i < BURST; i++) {
        ssize_t got = read(way->in, bytes, sizeof(bytes));
        if (got <= 0)
            return;
        size_t length = (size_t)got;
        if (length >= SPARED_BYTES && erand48(way->dice) < link->loss)
            continue;
        int64_t *queue = &way->flow_free[flow_of(bytes, length)];
        int64_t due = pass_queue(queue, now_ns(), link->queue, link->flow_ns, length);
        struct packet *packet = due < 0 ? NULL : malloc(sizeof(*packet) + length);
        if (!packet)
            continue;
        *packet = (struct packet){.due = due,
                                  .order = way->taken++,
                                  .stage = STAGE_FLOW,
                                  .length = length};
        memcpy(packet->bytes, bytes, length);
        heap_push(way, packet);
    }
}

/* Moves on everything that is due by now. */
static void move(const struct link *link, struct direction *way, int64_t now)
{
    while (way->count > 0 && way->heap[0]->due <= now) {
        struct packet *packet = heap_pop(way);
        if (packet->stage == STAGE_WIRE) {
            /* A device that takes no more loses the packet; TCP sends it again. */
            ssize_t written = write(way->out, packet->bytes, packet->length);
            (void)written;
            free(packet);
            continue;
        }
        int64_t left =
            pass_queue(&way->link_free, packet->due, link->queue, link->link_ns, packet->length);
        if (left < 0) {
            free(packet);
            continue;
        }
        packet->stage = STAGE_WIRE;
        packet->due = left + link->delay;
        heap_push(way, packet);
    }
}

/* Until the first packet is due. */
static struct timespec time_left(const struct direction ways[2], int64_t now)
{
    int64_t due = now + NS_PER_S;
    for (int i = 0; i < 2; i++)
        if (ways[i].count > 0 && ways[i].heap[0]->due < due)
            due = ways[i].heap[0]->due;
    int64_t left = due > now ? due - now : 0;
    return (struct timespec){.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
}

/* As srand48(3) does. From zeros the first draw is all but zero: the first packet would be lost. */
static void seed(struct direction *way, unsigned short number)
{
    way->dice[0] = 0x330e;
    way->dice[1] = number;
}

static int carry(const struct link *link, struct direction ways[2])
{
    for (;;) {
        struct pollfd polled[] = {
            {.fd = ways[0].in, .events = POLLIN},
            {.fd = ways[1].in, .events = POLLIN},
            {.fd = STDIN_FILENO, .events = POLLIN},
        };
        struct timespec left = time_left(ways, now_ns());
        if (ppoll(polled, 3, &left, NULL) < 0 && errno != EINTR)
            return -errno;
        if (polled[2].revents)
            return 0;
        for (int i = 0; i < 2; i++)
            take(link, &ways[i]);
        int64_t now = now_ns();
        for (int i = 0; i < 2; i++)
            move(link, &ways[i], now);
    }
}

/* ---- the namespaces ---- */

static int set_address(int control, struct ifreq *request, unsigned long what, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &in.sin_addr);
    memcpy(&request->ifr_addr, &in, sizeof(in));
    return ioctl(control, what, request) < 0 ? -errno : 0;
}

static int bring_up(struct ifreq *request, const char *address, const char *peer)
{
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0)
        return -errno;
    int r = set_address(control, request, SIOCSIFADDR, address);
    if (r == 0)
        r = set_address(control, request, SIOCSIFDSTADDR, peer);
    request->ifr_qlen = DEVICE_QUEUE;
    if (r == 0 && ioctl(control, SIOCSIFTXQLEN, request) < 0)
        r = -errno;
    request->ifr_flags = IFF_UP | IFF_RUNNING;
    if (r == 0 && ioctl(control, SIOCSIFFLAGS, request) < 0)
        r = -errno;
    close(control);
    return r;
}

/* Otherwise the kernel would begin a connection with what it learnt from earlier ones to the same
 * address, and the losses of one program would be paid for by the next. */
static int forget_earlier_connections(void)
{
    int fd = open("/proc/sys/net/ipv4/tcp_no_metrics_save", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = write(fd, "1", 1) == 1 ? 0 : -errno;
    close(fd);
    return r;
}

/* Moves this process into a new namespace, whose only way out is the TUN device returned in *tun.
 * *space holds the namespace. Both stay open to the end. */
static int make_end(const char *address, const char *peer, int *space, int *tun)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "link0"};
    if (unshare(CLONE_NEWNET) < 0 ||
        (*space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) < 0 ||
        (*tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0 ||
        ioctl(*tun, TUNSETIFF, &request) < 0)
        return -errno;
    int r = forget_earlier_connections();
    return r < 0 ? r : bring_up(&request, address, peer);
}

/* ---- the command line ---- */

static bool parse(const char *text, double least, double most, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && isfinite(*value) && *value >= least &&
           *value <= most;
}

static bool parse_link(char **arguments, struct link *link)
{
    double rtt, link_mbit, flow_mbit, loss, queue;
    if (!parse(arguments[0], 0, 10000, &rtt) || !parse(arguments[1], 0.001, 1e6, &link_mbit) ||
        !parse(arguments[2], 0, 1e6, &flow_mbit) || !parse(arguments[3], 0, 100, &loss) ||
        !parse(arguments[4], 0, 10000, &queue))
        return false;
    const double byte_ns = 8000; /* at 1 Mbit/s */
    *link = (struct link){
        .delay = (int64_t)(rtt / 2 * NS_PER_MS),
        .queue = (int64_t)(queue * NS_PER_MS),
        .link_ns = byte_ns / link_mbit,
        .flow_ns = flow_mbit > 0 ? byte_ns / flow_mbit : 0,
        .loss = loss / 100,
    };
    return true;
}

int main(int argc, char **argv)
{
    static struct direction ways[2]; /* a megabyte: not for the stack */
    static const char client[] = "192.0.2.1", server[] = "192.0.2.2";
    struct link link;
    if (argc != 6 || !parse_link(argv + 1, &link)) {
        fprintf(stderr, "usage: link RTT_MS LINK_MBIT FLOW_MBIT LOSS_PERCENT QUEUE_MS\n");
        return 2;
    }
    int spaces[2], tuns[2];
    int r = make_end(client, server, &spaces[0], &tuns[0]);
    if (r == 0)
        r = make_end(server, client, &spaces[1], &tuns[1]);
    if (r == 0) {
        for (int i = 0; i < 2; i++) {
            ways[i].in = tuns[i];
            ways[i].out = tuns[1 - i];
            seed(&ways[i], (unsigned short)(i + 1));
        }
        printf("/proc/%d/fd/%d /proc/%d/fd/%d\n", (int)getpid(), spaces[0], (int)getpid(),
               spaces[1]);
        fflush(stdout);
        /* Timers as exact as they come; the usual 50 us late are 50 us more delay. */
        prctl(PR_SET_TIMERSLACK, 1);
        r = carry(&link, ways);
    }
    if (r < 0)
        fprintf(stderr, "link: %s\n", strerror(-r));
    return r < 0 ? 1 : 0;
}
