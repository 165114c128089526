"""The cache stays within its limits: what was used least recently goes first, never what is open,
and no limit costs a reader a wrong byte."""

import concurrent.futures
import errno
import os
import random
import signal
import threading

import pytest

from control import Control
from harness import check_fetched, fetched, read_at, run, same_content, wait_until, xattr
from pattern import content

MIB = 1 << 20


def taken(cache):
    """Bytes of disk that the cache takes."""
    total = 0
    for path in cache.iterdir():
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            pass
    return total


def cached(m, name):
    return int(xattr(m / name, "cached"))


def fill(m, names, size):
    for name in names:
        assert same_content(m / name, name, size)


def test_what_was_used_least_recently_goes_first_also_after_a_restart(mount, origin, scratch):
    names, size, cache = [f"f{i}" for i in range(6)], MIB, scratch / "cache"
    urls = [origin.file(name, size, name=name) for name in names]
    m = mount(urls, "--revalidate=never", cache=cache)
    fill(m, names, size)
    m.umount()
    for path in m.files(".map"):  # exactly so, whatever the file system's clock is like
        url = path.read_bytes()[280:280 + 2048].rstrip(b"\0").decode()
        used = 1000 + names.index(url.rsplit("/", 1)[1])
        os.utime(path, (used, used))
    m = mount(urls, "--revalidate=never", "--cache-max=4M", cache=cache)
    wait_until(lambda: taken(cache) <= 4 * MIB)
    for url in urls:
        origin.reset(url)
    with open(m / names[5], "rb"), open(m / names[4], "rb"):  # the latest are still there
        assert same_content(m / names[5], names[5], size)
        assert same_content(m / names[4], names[4], size)
    assert fetched(origin.stats(urls[5])) == fetched(origin.stats(urls[4])) == 0
    assert same_content(m / names[0], names[0], size)
    wait_until(lambda: fetched(origin.stats(urls[0])) >= size)


def test_reading_much_keeps_the_cache_within_its_limit(mount, origin, scratch):
    names, size, limit, cache = [f"f{i}" for i in range(8)], 4 * MIB, 12 * MIB, scratch / "cache"
    m = mount([origin.file(name, size, name=name) for name in names],
              "--revalidate=never", "--cache-max=12M", cache=cache)

    def read(seed):
        at = random.Random(seed)
        for _ in range(12):
            name = at.choice(names)
            if at.random() < 0.3:
                assert same_content(m / name, name, size)
            offset = at.randrange(size - 100000)
            assert read_at(m / name, offset, 100000) == content(name, offset, 100000)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(read, range(6)))
    # Little more than that is ever on the disk: what was on its way when the limit was reached.
    wait_until(lambda: taken(cache) <= limit)
    fill(m, names, size)
    wait_until(lambda: taken(cache) <= limit)
    m.umount()
    m = mount([origin.file(name, size, name=name) for name in names],
              "--revalidate=never", "--cache-max=12M", cache=cache)
    fill(m, names, size)


def test_what_is_open_stays_and_the_rest_is_read_past_the_cache(mount, origin, scratch):
    size, cache = 24 * MIB, scratch / "cache"
    urls = [origin.file("open", size, name="open"), origin.file("other", MIB, name="other")]
    m = mount(urls, "--revalidate=never", "--cache-max=8M", cache=cache)
    with open(m / "open", "rb") as file:
        assert same_content(m / "open", "open", size)
        assert same_content(m / "other", "other", MIB)
        check_fetched(origin, urls[0], 1.2 * size)
        assert taken(cache) < 22 * MIB  # what came before the first look over the cache is kept
        wait_until(lambda: "all of it is in use" in m.log())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert file.read(MIB) == content("open", 0, MIB)
    wait_until(lambda: taken(cache) <= 8 * MIB, what="room once it is closed")


def test_a_large_file_is_shrunk_and_its_beginning_stays(mount, origin, scratch):
    size, cache = 40 * MIB, scratch / "cache"
    url = origin.file("large", size)
    m = mount(url, "--revalidate=never", cache=cache)
    assert same_content(m / "data.bin", "large", size)
    m.umount()
    origin.reset(url)
    m = mount(url, "--revalidate=never", "--cache-max=32M", cache=cache)
    wait_until(lambda: taken(cache) <= 32 * MIB)
    assert cached(m, "data.bin") >= 20 * MIB
    assert same_content(m / "data.bin", "large", size)
    check_fetched(origin, url, 25 * MIB)
    first = [int(entry["range"].removeprefix("bytes=").split("-")[0])
             for entry in origin.stats(url)["log"]]
    assert min(first) >= 20 * MIB


def test_what_another_mount_has_open_is_left_alone(mount, origin, scratch):
    size, cache = 3 * MIB, scratch / "cache"
    urls = [origin.file(name, size, name=name) for name in ("held", "gone")]
    first = mount(urls, "--revalidate=never", cache=cache)
    fill(first, ["held", "gone"], size)
    with open(first / "held", "rb") as file:
        second = mount(urls, "--revalidate=never", "--cache-max=1M", cache=cache)
        wait_until(lambda: len(first.files(".data")) == 1)
        assert same_content(second / "gone", "gone", size)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        origin.reset(urls[0])
        assert file.read() == content("held", 0, size)
        assert fetched(origin.stats(urls[0])) == 0
    # The entry of 'gone', which was read past the cache, may stay: there is nothing in it.
    wait_until(lambda: taken(cache) <= MIB, what="room once it is closed")


@pytest.mark.parametrize("rounds", [6])
def test_unmounting_in_the_middle_of_it_is_clean(mount, origin, scratch, rounds):
    names, size, cache = [f"f{i}" for i in range(5)], 2 * MIB, scratch / "cache"
    urls = [origin.file(name, size, name=name) for name in names]
    for seed in range(rounds):
        m = mount(urls, "--revalidate=never", "--cache-max=3M", cache=cache)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(same_content, m / random.Random(seed + i).choice(names), "", 0)
                    for i in range(3)]
            for job in jobs:
                job.exception() or job.result()
        if seed % 3 == 2:
            m.kill()
        else:
            m.umount()
    m = mount(urls, "--revalidate=never", cache=cache)
    fill(m, names, size)


GOES = {errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT, errno.EIO, errno.EINTR, errno.ENODEV}


class Race:
    """Readers, somebody who pauses and resumes, and somebody who evicts, until it is said to stop. What
    is read is compared; nothing may fail before `ending`."""

    def __init__(self, m, names, size):
        self.m, self.names, self.size = m, names, size
        self.stop, self.ending = threading.Event(), threading.Event()
        self.reads, self.evictions, self.pauses = [0] * 4, 0, 0

    def read(self, number):
        draw = random.Random(number)
        while not self.stop.is_set():
            name, offset = draw.choice(self.names), draw.randrange(self.size)
            length = draw.choice([1, 5000, self.size])
            try:
                got = read_at(self.m / name, offset, length)
            except OSError as error:
                assert self.ending.is_set() and error.errno in GOES, error
                return
            assert got == content(name, offset, min(length, self.size - offset))
            self.reads[number] += 1

    def steer(self, one):
        """one(CONTROL, RANDOM) again and again; the daemon may go meanwhile."""
        draw = random.Random(one.__name__)
        try:
            with Control(self.m) as control:
                while not self.stop.is_set() and one(control, draw):
                    pass
        except (OSError, AssertionError):
            if not self.ending.is_set():
                raise

    def evict(self, control, draw):
        paths = draw.sample(self.names, draw.randrange(3))  # none: all
        answer = control.ask(do="evict", paths=paths)
        self.evictions += 1
        return answer and answer["ok"] or self.gone(answer)

    def pause(self, control, draw):
        paths, before = draw.sample(self.names, draw.randrange(3)), sum(self.reads)
        for order in "pause", "resume":
            answer = control.ask(do=order, paths=paths)
            if not (answer and answer["ok"]):
                return self.gone(answer)
        self.pauses += 1
        # Whatever is on its way is given up by each pause: without this nothing would ever come.
        wait_until(lambda: sum(self.reads) > before or self.ending.is_set())
        return True

    def gone(self, answer):
        assert self.ending.is_set(), answer
        return False

    def run(self, end):
        """end() when much has happened."""
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            jobs = [pool.submit(self.read, number) for number in range(4)]
            jobs += [pool.submit(self.steer, one) for one in (self.evict, self.pause)]
            try:
                wait_until(lambda: any(job.done() for job in jobs) or (
                    min(self.reads) >= 20 and min(self.evictions, self.pauses) >= 20))
                self.ending.set()
                end()
            finally:
                self.ending.set()
                self.stop.set()
            for job in jobs:
                job.result()


def test_eviction_races_with_reads_pauses_and_the_end(mount, origin, scratch):
    """By the limit and by order, at once; the mount ends in the middle of it in each way that there is.
    Every byte is right, nothing hangs, and the cache is in order afterwards."""
    names, size, cache = [f"f{i}" for i in range(5)], MIB, scratch / "cache"
    urls = [origin.file(name, size, name=name) for name in names]
    for way in "detached", "ended", "killed":
        m = mount(urls, "--revalidate=never", "--cache-max=2M", cache=cache)
        race = Race(m, names, size)
        if way == "detached":  # goes on until what is open is closed
            race.run(lambda: run(m.binary, "umount", "--lazy", m.path))
            m.wait_end()
        elif way == "ended":
            race.run(lambda: os.kill(m.pid, signal.SIGTERM))
            m.wait_end()
        else:
            race.run(m.kill)
    m = mount(urls, "--revalidate=never", "--cache-max=2M", cache=cache)
    fill(m, names, size)
    wait_until(lambda: taken(cache) <= 2 * MIB)
