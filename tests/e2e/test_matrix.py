"""Whatever an origin does, and however it is read: right bytes or a clear errno, in time; never a
wrong byte, never a hang, never a storm of requests.

Every behaviour is crossed with every reader, all of them at once in one mount: each entry has a
host of its own (of 127.0.0.0/8), so that no entry's trouble is another's."""

import collections
import concurrent.futures
import errno
import os
import random
import threading
import time
from urllib.parse import quote, urlsplit

import pytest

from harness import MOUNT_LIMIT, errno_of, read_at, running, same_content, xattr
from origin import Origin, content

KIB, MIB = 1 << 10, 1 << 20
SIZE = 2 * MIB + 300001  # several ranges, and a block that is not whole
SEED = "matrix"  # of all files: making bytes costs time
DEADLINE = MOUNT_LIMIT - 10  # s for all readers together
REQUESTS_MAX = 100  # for one reader of one entry; the most seen were 41, of 64 KiB each
STREAM = "ranges=ignore"

EIO, ESTALE, ETIMEDOUT = errno.EIO, errno.ESTALE, errno.ETIMEDOUT


def raw(text):
    """A header line or several, as the origin's raw= wants them."""
    return "raw=" + quote(text, safe="")


def chunks(line):
    """A body in chunks, and the only line that says so."""
    return f"chunked=untold;{raw(line)}"


# What must be read right, whatever it takes.
RIGHT = {
    "in order": "-",
    # bodies
    "truncated each time": "truncate=100000",
    "truncated at a byte, at times": "truncate=1;every=3",
    "truncated in chunks": "chunked;truncate=200000;every=2",
    "reset each time": "reset=100000",
    "reset at once, at times": "reset=0;every=3",
    "longer than promised": "longer=5000",
    "longer, and it comes late": "leftover=50;every=2",
    "a stream longer than promised": f"{STREAM};longer=5000",
    "a stream truncated": f"{STREAM};truncate=1M;every=2",
    "a stream reset": f"{STREAM};reset=1M;every=2",
    "stalls": "hold=100000;silent;every=4",
    "says nothing at times": "silent;every=4",
    "a head, then nothing, at times": "hold=0;silent;every=4",
    "no length": "length=none",
    "no length, truncated": "length=none;truncate=70000;every=2",
    "a stream in chunks": f"{STREAM};chunked",
    "a stream without length": f"{STREAM};length=none",
    # ranges
    "another range: later": "ranges=other-start",
    "another range: later, at times": "ranges=other-start;every=3",
    "another range: longer": "ranges=other-end",
    "another range: longer, at times": "ranges=other-end;every=3",
    "another range: the file's start": "ranges=zero",
    "another range: the start, at times": "ranges=zero;every=3",
    "another range: shorter": "cap=64K",
    "another range: shorter each time": "cap=64K,cap=20000;every=2",
    "another range: a few bytes": "cap=100",
    "another range: a few bytes, at times": "cap=1;every=3",
    "several parts": "ranges=multipart",
    "several parts, at times": "ranges=multipart;every=3",
    "no total": "ranges=star",
    "no Content-Range": "ranges=missing",
    "no Content-Range, at times": "ranges=missing;every=3",
    "two Content-Ranges": "ranges=twice",
    "two Content-Ranges, at times": "ranges=twice;every=3",
    "Content-Range is nonsense": "ranges=malformed",
    "a total without end": "ranges=huge",
    "416": "ranges=refuse",
    "416 at times": "ranges=refuse;every=3",
    "200 after 206": f"{STREAM};after=2",
    "200 and 206 in turn": f"{STREAM};every=2",
    "206 after 200": f"{STREAM};first=1",
    # statuses
    "503 each second time": "status=503;every=2",
    "503, come back in a second": "status=503;retry-after=1;every=4",
    "503, come back at a date": "status=503;retry-after=date:1;every=4",
    "503, come back in the past": "status=503;retry-after=date:-100000;every=2",
    "503, come back at nonsense": "status=503;retry-after=soon;every=2",
    "503, come back minus 1": "status=503;retry-after=-1;every=2",
    "429 each third time": "status=429;every=3",
    "500 and resets in turn": "status=500;every=3,reset=0;every=4",
    # connections
    "the fifth connection is reset": "connections=4",
    "the fifth request is refused": "connections=4;over=503",
    "the second request is refused": "connections=1;over=429",
    "closes behind each answer": "close=after",
    "closes at the next request": "close=next",
    # heads
    "many heads before": "interim=100",
    "a lying head before": "interim=" + quote(
        "Content-Range: bytes 7-9/10\r\nContent-Encoding: gzip\r\nETag: \"no\"\r\n"),
    "a range folded": raw("Content-Range: bytes\r\n 5-9/10"),
    "a range after a CR": raw("X-Odd: a\rContent-Range: bytes 5-9/10"),
    "lengths that agree in chunks": f"chunked;{raw(f'Content-Length: {SIZE}')}",
    "a trailer that lies": "chunked;trailer=" + quote(
        "Content-Range: bytes 5-9/10\r\nContent-Encoding: gzip\r\nHTTP/1.1 404 -\r\n"),
    "ETag unquoted": "etag=flip-flop",
    "a redirect each second time": "redirect=1;every=2",
    "ten redirects": "redirect=10",
}

# What cannot be right: the errno, at once or after --retry-for.
WRONG = {
    "gzip": ("encoding=gzip", {EIO}),
    "a head without end": ("headers=endless", {EIO}),
    "a head, slowly": ("headers=drip", {ETIMEDOUT}),
    "100 without end": ("interim=endless", {EIO}),
    "silent": ("silent", {ETIMEDOUT}),
    "a head, then nothing": ("hold=0;silent", {ETIMEDOUT, EIO}),
    "reset at once": ("reset=0", {EIO}),
    "empty bodies": ("truncate=0", {EIO}),
    "HTTP/2 only": ("http2", {EIO}),
    "redirects without end": ("redirect=loop", {EIO}),
    "a redirect to file:": ("redirect=" + quote("file:///etc/passwd", safe=""), {EIO}),
    "a redirect to gopher:": ("redirect=" + quote("gopher://127.0.0.1:1/", safe=""), {EIO}),
    "a redirect to ftp:": ("redirect=" + quote("ftp://127.0.0.1:1/", safe=""), {EIO}),
    "a redirect to nowhere": ("redirect=", {EIO}),
    "a redirect to nobody": ("redirect=" + quote("http://127.0.0.1:1/", safe=""), {EIO}),
    "500": ("status=500", {EIO}),
    "503": ("status=503", {EIO}),
    "503, come back never": ("status=503;retry-after=99999999999999999999", {EIO}),
    "503, come back in a century": ("status=503;retry-after=date:3155760000", {EIO}),
    "429": ("status=429;retry-after=0", {EIO}),
    "no status": ("line=HELLO", {EIO}),
    "a status of four digits": ("line=HTTP/1.1 2000 -", {EIO}),
    "HTTP/7": ("line=HTTP/7.0 200 -", {EIO}),
}

# Right, or one of these errors, whichever comes first; and never anything else.
EITHER = {
    "truncated to little": ("truncate=3000", {EIO}),
    "a slow drip": ("drip=0.12", {EIO, ETIMEDOUT}),
    "promises more": ("length=+100", {EIO}),
    "a stream that promises more": (f"{STREAM};length=+100", {EIO}),
    "another total": ("ranges=wrong-total", {EIO, ESTALE}),
    "another total later": ("ranges=wrong-total;after=2", {EIO, ESTALE}),
    "another size later": ("size=1000000;version=1;after=2", {ESTALE}),
    "another size each time": ("size=1000000;version=1;every=2", {ESTALE}),
    "ETags in turn": ("etag=flip", {ESTALE}),
    "weak ETags in turn": ("etag=weak-flip", {ESTALE}),
    "an ETag each time": ("etag=each", {ESTALE}),
    "a stream with ETags in turn": (f"{STREAM};etag=flip", {ESTALE}),
    "Last-Modified each time": ("etag=none;modified=each", {ESTALE}),
    "another version each time": ("version=each", {ESTALE}),
    "gzip later": ("encoding=gzip;after=2", {EIO, ESTALE}),
    "NUL in a head": (raw("X-Odd: a\0b"), {EIO}),
    "NUL in a name": (raw("X-Odd\0: b"), {EIO}),
    "lengths that differ": (raw("Content-Length: 5"), {EIO}),
    "a length folded": ("front=" + quote("Content-Length:\r\n 100"), {EIO}),
    "chunks, folded": (chunks("Transfer-Encoding:\r\n chunked"), {EIO}),
    "chunks, folded in ranges": (chunks("Transfer-Encoding:\r\n\tchunked"), {EIO}),
    "chunks, a space too many": (chunks("Transfer-Encoding : chunked"), {EIO}),
    "chunks, said twice": (chunks("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
                           {EIO}),
    "chunks of chunks": (chunks("Transfer-Encoding: chunked, chunked"), {EIO}),
    "chunks, not the last coding": (chunks("Transfer-Encoding: chunked, identity"), {EIO}),
    "chunks, misspelt": (chunks("Transfer-Encoding: xchunked"), {EIO}),
    "chunks, with a CR": (chunks("Transfer-Encoding: chunked\r\r"), {EIO}),
    "chunks, with a VT": (chunks("Transfer-Encoding: \x0bchunked"), {EIO}),
    "chunks, with a NUL": (chunks("Transfer-Encoding: chunked\0"), {EIO}),
    "chunks, in a name with NUL": (chunks("Transfer-Encoding\0: chunked"), {EIO}),
    "a stream in chunks, folded": (f"{STREAM};" + chunks("Transfer-Encoding:\r\n chunked"),
                                   {EIO}),
    "a stream in chunks, a space too many": (f"{STREAM};" + chunks("Transfer-Encoding : chunked"),
                                             {EIO}),
    "chunks that are none": (raw("Transfer-Encoding: chunked"), {EIO}),
    "another coding": (raw("Transfer-Encoding: gzip"), {EIO}),
    "chunks of no size": ("chunked;chunk=", {EIO}),
    "chunks of any size": ("chunked;chunk=ffffffffffffffffff", {EIO}),
    "chunks of another size": ("chunked;chunk=10", {EIO}),
    "a status in the head": (f"encoding=gzip;{raw('HTTP/1.1 200 -')}", {EIO}),
    "a status of 206 in the head": (
        "encoding=gzip;front=" + quote("Content-Encoding: gzip\r\nHTTP/1.1 206 -"), {EIO}),
    "an encoding folded": (raw("Content-Encoding:\r\n gzip"), {EIO}),
}

SIZES = {"a slow drip": 60, "another range: shorter each time": 500000}


AT_A_TIME = threading.Semaphore(64)  # else some would wait for connections, and in vain


class Read:
    """One reader of one entry, in a thread of its own. `errors` are the errno that it met, `wrong`
    says what was not as it should be."""

    def __init__(self, case, reader, path, size):
        self.name = f"{case} / {reader}"
        self.case, self.reader, self.path, self.size = case, reader, path, size
        self.errors, self.wrong = [], []
        self.slowest = 0
        self.done = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with AT_A_TIME:
            try:
                READERS[self.reader](self)
            except OSError as error:
                self.errors.append(error.errno)
        self.done = True

    def pread(self, fd, length, offset):
        """All of it, or up to the end of the file; compared. None after an error."""
        parts, want = b"", max(0, min(length, self.size - offset))
        begin = time.monotonic()
        try:
            while len(parts) < length and (part := os.pread(fd, length - len(parts),
                                                            offset + len(parts))):
                parts += part
        except OSError as error:
            self.errors.append(error.errno)
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - begin)
        if len(parts) != want:
            self.wrong.append(f"{len(parts)} bytes in place of {want} at {offset}")
        elif parts != content(SEED, offset, want):
            self.wrong.append(f"wrong bytes within [{offset}, {offset + want})")
        return parts


def read_all(read, first=0, step=1, piece=128 * KIB):
    """Each step-th piece, from the first-th on, and what lies behind the end."""
    fd = os.open(read.path, os.O_RDONLY)
    try:
        for offset in range(first * piece, read.size + piece, step * piece):
            if read.pread(fd, piece, offset) is None:
                return
    finally:
        os.close(fd)


def read_at_random(read):
    places = random.Random(read.name)
    fd = os.open(read.path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        for offset in [places.randrange(read.size) for _ in range(8)]:
            read.pread(fd, 4096, offset)
            if len(read.errors) > 1:
                return
    finally:
        os.close(fd)


def read_in_parallel(read):
    def one(number):
        try:
            read_all(read, number, 4)
        except OSError as error:
            read.errors.append(error.errno)
    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


READERS = {"sequential": read_all, "random": read_at_random, "parallel": read_in_parallel,
           "sequential, size told": read_all}


def entry(origin, number, case, reader, options):
    """The manifest's lines for it."""
    size = SIZES.get(case, SIZE)
    host = f"127.7.{number >> 8}.{number & 255}"
    lines = [origin.file(SEED, size, options, f"f{number}", host), f" out={number}"]
    return lines + [f"#adlfs: size={size}"] * ("told" in reader)


def read_everything(mount, origin, cases, *options):
    """Mounts all cases for all readers and lets them read. The mount and the reads, each with what
    the origin counted as `requests`."""
    plan = list(enumerate((case, reader) for case in cases for reader in READERS))
    lines = [entry(origin, number, case, reader, cases[case]) for number, (case, reader) in plan]
    m = mount(sum(lines, []), "--max-connections=256", "--connect-timeout=5", "--stall-timeout=1",
              *options)
    deadline = time.monotonic() + DEADLINE
    reads = [Read(case, reader, m / str(number), SIZES.get(case, SIZE))
             for number, (case, reader) in plan]
    for read in reads:
        read.thread.join(max(0, deadline - time.monotonic()))
    stats = origin.everything()
    for read, (url, *_) in zip(reads, lines):
        read.requests = stats.get(urlsplit(url).path, {"requests": 0})["requests"]
    return m, reads


def faults_of(reads, allowed):
    """What is wrong with the reads, a line each; allowed[case] are the errno that may be."""
    faults = []
    for read in reads:
        names = [errno.errorcode.get(number, number) for number in read.errors]
        if not read.done:
            faults.append(f"{read.name}: hangs (so far {names}, {read.wrong})")
        elif read.wrong:
            faults.append(f"{read.name}: {read.wrong[:3]}")
        elif set(read.errors) - allowed[read.case]:
            faults.append(f"{read.name}: {names}")
        elif read.requests > REQUESTS_MAX:
            faults.append(f"{read.name}: {read.requests} requests")
    return faults


def told(faults):
    return f"{len(faults)} of them:\n" + "\n".join(faults)


@pytest.mark.parametrize("part", [0, 1])
def test_what_can_be_read_is_read_right(mount, origin, part):
    cases = dict(list(RIGHT.items())[part::2])
    _, reads = read_everything(mount, origin, cases, "--retry-for=60")
    faults = faults_of(reads, dict.fromkeys(cases, set()))
    assert not faults, told(faults)


def test_what_cannot_be_right_is_an_error_in_time(mount, origin):
    """A machine under load may time out first where it would have been another error."""
    cases = {case: options for case, (options, _) in WRONG.items()}
    m, reads = read_everything(mount, origin, cases, "--retry-for=1")
    faults = faults_of(reads, {case: errors | {ETIMEDOUT} for case, (_, errors) in WRONG.items()})
    faults += [f"{read.name}: no error" for read in reads if read.done and not read.errors]
    faults += [f"{read.name}: no reason" for read in reads if not xattr(read.path, "error")]
    assert not faults, told(faults)
    assert running(m.pid)


def test_what_may_be_an_error_or_not_is_never_wrong(mount, origin):
    cases = {case: options for case, (options, _) in EITHER.items()}
    m, reads = read_everything(mount, origin, cases, "--retry-for=1")
    faults = faults_of(reads, {case: errors | {ETIMEDOUT} for case, (_, errors) in EITHER.items()})
    assert not faults, told(faults)
    assert running(m.pid)


SECRETS = ["http-user=me", "http-passwd=pa55", "referer=http://pa55/", "header=X-Key: pa55",
           "header=Authorization: Token pa55", "header=Cookie: key=pa55"]


@pytest.mark.parametrize("status", [301, 307])
def test_what_is_for_one_origin_does_not_follow_a_redirect_to_another(mount, origin, status):
    """Neither to another host nor to another port; not for the first range, nor for later ones."""
    with Origin() as elsewhere:
        host = origin.file(SEED, SIZE, name="host", host="127.7.9.9")
        port = elsewhere.file(SEED, SIZE, name="port")
        lines, homes = [], []
        for to in host, port:
            url = origin.file(SEED, SIZE, f"redirect-status={status};redirect={quote(to, safe='')}",
                              to[-4:])
            homes.append(url)
            lines += [url.replace("//", "//you:pa55@"), f" out={to[-4:]}",
                      *(f" {secret}" for secret in SECRETS)]
        m = mount(lines)
        for name, server, home, to in (("host", origin, homes[0], host),
                                       ("port", elsewhere, homes[1], port)):
            assert same_content(m / name, SEED, SIZE)
            given = origin.stats(home)["log"][0]["headers"]
            assert "pa55" in given["referer"] and given["x-key"] == "pa55"
            log = server.stats(to)["log"]
            assert len(log) > 1
            assert not [entry for entry in log if "pa55" in str(entry)], log
            assert not {"authorization", "cookie", "referer"} & set(log[0]["headers"])


# Whatever fails, always; the last ones only once the file is open.
FAILING = {
    "500": "status=500", "503": "status=503", "429": "status=429;retry-after=0",
    "404": "status=404", "reset": "reset=0", "empty": "truncate=0", "loop": "redirect=loop",
    "ETag": "etag=each", "gzip": "encoding=gzip", "coding": raw("Transfer-Encoding: gzip"),
    "later 500": "status=500;after=2", "later reset": "reset=0;after=2",
    "later 416": "ranges=refuse;after=2,status=500;after=6", "later ETag": "etag=each;after=2",
}
INSISTING_S = 3
FILES, READS = 4, 8  # files of each kind, and readers of each that try again and again
RATE_MAX = 60  # requests/s to one failing origin; tests/README.md says how many there were


def insist(path, number, end):
    """Reads its own part of the file, whatever comes, until it is time to go."""
    while time.monotonic() < end:
        try:
            with open(path, "rb", buffering=0) as file:
                os.pread(file.fileno(), 4096, number * (SIZE // READS))
        except OSError:
            time.sleep(0.002)  # a program that tries again at once, and not a mere loop


def test_a_failing_origin_is_not_stormed_however_much_its_readers_insist(mount, origin):
    lines, names = [], {}
    for number, (kind, options) in enumerate(FAILING.items()):
        for i in range(FILES):
            names[f"{number}-{i}"] = kind
            lines += [origin.file(SEED, SIZE, options, f"{number}-{i}", f"127.8.0.{number + 1}"),
                      f" out={number}/{i}"]
    m = mount(lines, "--retry-for=1", "--stall-timeout=1")
    begin = time.monotonic()
    end = begin + INSISTING_S
    threads = [threading.Thread(target=insist, daemon=True,
                                args=(m / name.replace("-", "/"), reader, end))
               for name in names for reader in range(READS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, begin + DEADLINE - time.monotonic()))
    took = time.monotonic() - begin
    assert not any(thread.is_alive() for thread in threads), "a reader hangs"
    requests = collections.Counter()
    for path, stats in origin.everything().items():
        requests[names[path.rsplit("/", 1)[1]]] += stats["requests"]
    rates = {kind: round(count / took, 1) for kind, count in requests.items()}
    print(f"requests/s, {took:.1f} s: {rates}")
    assert requests.keys() == FAILING.keys()
    assert max(rates.values()) <= RATE_MAX, rates


def try_again_and_again(path, seconds):
    """What came of it, and how often."""
    outcomes, end = collections.Counter(), time.monotonic() + seconds
    while time.monotonic() < end:
        outcomes[errno_of(read_at, path, MIB, 4096)] += 1
    return outcomes


def test_an_origin_that_cannot_decide_on_a_version_is_asked_ever_more_slowly(mount, origin):
    """Each try of a reader meets another version; not each one may be a request."""
    urls = [origin.file(SEED, SIZE, options, str(number), f"127.8.1.{number + 1}")
            for number, options in enumerate(["etag=each", "etag=flip", "version=each"])]
    m = mount(urls, "--retry-for=1")
    with concurrent.futures.ThreadPoolExecutor(len(urls)) as pool:
        found = list(pool.map(try_again_and_again, [m / str(i) for i in range(len(urls))], [2] * 3))
    assert [set(outcomes) - {None, ESTALE} for outcomes in found] == [set()] * 3, found
    requests = [origin.stats(url)["requests"] for url in urls]
    print(f"requests in 2 s: {requests}")
    assert max(requests) <= 50, (requests, found)
