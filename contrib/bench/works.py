"""The works: what a peer is asked to do, on which link, and what of it is measured.

A work is a function of a Scene. It settles the machine, does the work against the clock, then
compares every byte that it got with the origin's, and returns its metrics' values.
"""

import os
import random
import shlex
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import machine
from machine import Failure
from origin import LINKS, Link

PAGE = 4096
MANY_READERS = 16
AFTERMATH = 0.5  # seconds in which what was begun for a reader who has gone still counts


@dataclass(frozen=True)
class Metric:
    key: str
    label: str
    unit: str
    more_is_better: bool = True
    drawn: bool = True


@dataclass(frozen=True)
class Scene:
    """One peer at one work."""

    origin: object
    place: object
    processes: object
    peer: object

    def mount(self, names):
        return self.peer.mount(self.origin, self.place, self.processes, names)

    def settle(self, names, memory):
        self.place.settle(names, memory)
        self.origin.forget()

    def run(self, command):
        """Runs a download in the link's client. Returns (seconds, struct rusage)."""
        with self.place.log(self.peer.name).open("w") as log:
            start = time.monotonic()
            status, usage = self.processes.run([*self.origin.client, *command], log)
            seconds = time.monotonic() - start
        if status != 0:
            raise Failure(f"exit status {status}: {self.place.last_words(self.peer.name)}")
        return seconds, usage


@dataclass(frozen=True)
class Work:
    name: str
    title: str
    link: Link
    kind: str          # what a peer must know, see peers.py
    files: object      # function of a Place: the origin's files that it takes
    metrics: tuple     # of Metric, as the work's function names them
    measure: object    # function of a Scene
    reads_all: bool = False

    def seconds_one_at_a_time(self, place):
        """How long it takes, at least, with a round trip for each of the kernel's reads."""
        total = sum(place.sizes[name] for name in self.files(place)) if self.reads_all else 0
        return total / (128 << 10) * self.link.round_trip


def timed(function, *arguments):
    start = time.monotonic()
    result = function(*arguments)
    return time.monotonic() - start, result


def in_threads(count, function, items):
    """The results, in order. What has not begun when one fails is not begun any more."""
    pool = ThreadPoolExecutor(count)
    try:
        return list(pool.map(function, items))
    finally:
        pool.shutdown(cancel_futures=True)


def throughput(size, seconds, cpu_seconds, served):
    requests, sent = served
    return {"MB_per_s": size / seconds / 1e6, "cpu_s_per_GB": cpu_seconds / size * 1e9,
            "requests": requests, "fetched_ratio": sent / size}


THROUGHPUT = (
    Metric("MB_per_s", "throughput", "MB/s"),
    Metric("cpu_s_per_GB", "its CPU time", "s/GB", more_is_better=False, drawn=False),
    Metric("peak_MB", "its peak memory", "MB", more_is_better=False, drawn=False),
    Metric("fetched_ratio", "fetched", "x size", more_is_better=False, drawn=False),
)


# ---- whole files


def whole(scene, names, readers):
    """Files are read from start to end, or downloaded."""
    size = sum(scene.place.sizes[name] for name in names)
    # What it is kept in (the cache's pages or the download's), and the mount's own pages.
    scene.settle(names, 2 * size + (256 << 20))
    if not scene.peer.mounts:
        return download_whole(scene, names, size)
    with scene.mount(names) as mount:
        before = mount.cpu_seconds()
        files = [mount.file(name) for name in names]
        seconds, counts = timed(in_threads, readers, machine.read_through, files)
        cpu = mount.cpu_seconds() - before
        result = throughput(size, seconds, cpu, scene.origin.served())
        result["peak_MB"] = mount.peak_MB()
        if sum(counts) != size:
            raise Failure(f"read {sum(counts)} bytes of {size}")
        for name, file in zip(names, files):
            scene.place.check(name, file)
    return result


def download_whole(scene, names, size):
    if len(names) == 1:
        command = scene.peer.download(scene.origin, scene.place, names[0])
    else:
        command = scene.peer.download_many(scene.origin, scene.place, names)
    # Not its ru_maxrss: that begins with what this process has had.
    seconds, usage = scene.run(command)
    result = throughput(size, seconds, usage.ru_utime + usage.ru_stime, scene.origin.served())
    for name in names:
        scene.place.check(name, scene.place.downloads / os.path.basename(name))
    return result


def sequential(link, name):
    return Work(f"seq-{link}", "One file from start to end", LINKS[link], "sequential",
                lambda place: [name], THROUGHPUT, lambda scene: whole(scene, [name], 1),
                reads_all=True)


def many(link):
    return Work(f"many-{link}", f"64 files, {MANY_READERS} readers", LINKS[link], "many",
                lambda place: place.many_names, THROUGHPUT,
                lambda scene: whole(scene, scene.place.many_names, MANY_READERS), reads_all=True)


# ---- the first byte, and a seek


def first(scene):
    """Opens a file never seen and reads 4 KiB, then 4 KiB far into it."""
    name = "big.bin"
    far = scene.place.sizes[name] * 2 // 3 // PAGE * PAGE
    scene.settle([name], 256 << 20)
    if not scene.peer.mounts:
        return first_download(scene, name)

    def open_and_read(path):
        file = os.open(path, os.O_RDONLY)
        return file, os.pread(file, PAGE, 0)

    with scene.mount([name]) as mount:
        opened, (file, start) = timed(open_and_read, mount.file(name))
        try:
            sought, middle = timed(os.pread, file, PAGE, far)
        finally:
            os.close(file)
        time.sleep(AFTERMATH)
    requests, sent = scene.origin.served()
    compare(scene, name, {0: start, far: middle})
    return {"open_ms": opened * 1e3, "seek_ms": sought * 1e3, "fetched_MB": sent / 1e6,
            "requests": requests}


def first_download(scene, name):
    target = scene.place.downloads / name
    scene.run(scene.peer.download_range(scene.origin, name, 0, PAGE - 1, target))
    seconds = float(scene.place.log(scene.peer.name).read_text())
    requests, sent = scene.origin.served()
    compare(scene, name, {0: target.read_bytes()})
    return {"open_ms": seconds * 1e3, "fetched_MB": sent / 1e6, "requests": requests}


def compare(scene, name, pages):
    """`pages`: what was read, by offset."""
    with (scene.place.data / name).open("rb") as file:
        for at, page in pages.items():
            file.seek(at)
            if file.read(PAGE) != page:
                raise Failure(f"wrong bytes in {name} at {at}")


def first_byte(link):
    metrics = (
        Metric("open_ms", "open", "ms", more_is_better=False),
        Metric("seek_ms", "seek", "ms", more_is_better=False),
        Metric("fetched_MB", "fetched for both", "MB", more_is_better=False, drawn=False),
    )
    return Work(f"ttfb-{link}", "Open and read 4 KiB, seek and read 4 KiB", LINKS[link], "first",
                lambda place: ["big.bin"], metrics, first)


# ---- random reads


def at_random(scene, readers, reads):
    """4 KiB reads at random, no place twice."""
    name = "big.bin"
    pages = scene.place.sizes[name] // PAGE
    offsets = [PAGE * page for page in random.Random(reads).sample(range(pages), min(reads, pages))]
    scene.settle([name], 256 << 20)
    with scene.mount([name]) as mount:
        file = os.open(mount.file(name), os.O_RDONLY)
        try:
            seconds, got = timed(in_threads, readers,
                                 lambda offset: timed(os.pread, file, PAGE, offset), offsets)
        finally:
            os.close(file)
        requests, sent = scene.origin.served()
    compare(scene, name, {offset: page for offset, (_, page) in zip(offsets, got)})
    waits = sorted(wait for wait, _ in got)
    return {"reads_per_s": len(offsets) / seconds, "p50_ms": statistics.median(waits) * 1e3,
            "p99_ms": waits[len(waits) * 99 // 100] * 1e3, "fetched_KB": sent / len(offsets) / 1e3,
            "requests": requests}


def random_reads(link, readers, reads):
    metrics = (
        Metric("reads_per_s", "reads of 4 KiB", "per s"),
        Metric("p99_ms", "99th percentile", "ms", more_is_better=False, drawn=False),
        Metric("fetched_KB", "fetched for each", "KB", more_is_better=False, drawn=False),
    )
    who = f"{readers} readers" if readers > 1 else "one reader"
    return Work(f"rand{readers}-{link}", f"Random reads, {who}", LINKS[link], "random",
                lambda place: ["big.bin"], metrics, lambda scene: at_random(scene, readers, reads))


# ---- small files


def small(scene):
    """`ls -l` of a thousand files never seen, then `cat` of all of them."""
    names = scene.place.small_names
    scene.settle(names, 256 << 20)
    with scene.mount(names) as mount:
        folder = mount.file("small")
        listing, catted = scene.place.downloads / "ls", scene.place.downloads / "cat"
        ls = shell(scene, "exec ls -l {} >{}", folder, listing)
        cat = shell(scene, "cd {} && exec cat * >{}", folder, catted)
        requests, _ = scene.origin.served()
    lines = listing.read_text().splitlines()[1:]
    if {(line.split()[-1], line.split()[4]) for line in lines} != \
            {(os.path.basename(name), str(scene.place.sizes[name])) for name in names}:
        raise Failure("wrong names or sizes in the listing")
    if catted.read_bytes() != b"".join((scene.place.data / name).read_bytes() for name in names):
        raise Failure("wrong bytes in the small files")
    return {"ls_s": ls, "cat_s": cat, "requests": requests}


def shell(scene, script, *paths):
    script = script.format(*(shlex.quote(str(path)) for path in paths))
    seconds, (status, _) = timed(scene.processes.run, ["sh", "-c", script])
    if status != 0:
        raise Failure(f"exit status {status}: {script}")
    return seconds


def small_files(link):
    metrics = (Metric("ls_s", "ls -l", "s", more_is_better=False),
               Metric("cat_s", "cat of all", "s", more_is_better=False))
    return Work(f"ls1000-{link}", "1000 small files", LINKS[link], "small",
                lambda place: place.small_names, metrics, small)


# ---- a complete file


def warm(scene, remounts=3):
    """A file that has been read before, after a remount: once from the cache, once more from the
    kernel's pages of the mount, and for comparison the same file without any mount."""
    name = "big.bin"
    size = scene.place.sizes[name]
    scene.settle([name], 2 * size + (256 << 20))
    with scene.mount([name]) as mount:
        machine.read_through(mount.file(name))
    scene.settle([name], size + (256 << 20))
    first_reads, later_reads = [], []
    for again in range(remounts):
        with scene.mount([name]) as mount:
            first_reads.append(timed(machine.read_through, mount.file(name))[0])
            later_reads.append(timed(machine.read_through, mount.file(name))[0])
            if again == remounts - 1:
                scene.place.check(name, mount.file(name))
    _, sent = scene.origin.served()
    native = statistics.median(timed(machine.read_through, scene.place.data / name)[0]
                               for _ in range(remounts))
    return {"first_MB_per_s": size / statistics.median(first_reads) / 1e6,
            "again_MB_per_s": size / statistics.median(later_reads) / 1e6,
            "native_MB_per_s": size / native / 1e6, "fetched_MB": sent / 1e6}


WARM = Work("warm", "A complete file, mounted again", LINKS["plain"], "warm",
            lambda place: ["big.bin"],
            (Metric("first_MB_per_s", "first read", "MB/s"),
             Metric("again_MB_per_s", "second read", "MB/s"),
             Metric("native_MB_per_s", "without any mount", "MB/s", drawn=False),
             Metric("fetched_MB", "fetched again", "MB", more_is_better=False, drawn=False)), warm)


WORKS = {work.name: work for work in (
    sequential("plain", "big.bin"),
    sequential("lat50", "big.bin"),
    sequential("cap", "mid.bin"),
    sequential("wan", "low.bin"),
    first_byte("lat50"),
    first_byte("wan"),
    random_reads("lat20", readers=1, reads=200),
    random_reads("lat20", readers=16, reads=800),
    random_reads("wan", readers=4, reads=100),
    many("lat20"),
    small_files("lat20"),
    WARM,
)}
