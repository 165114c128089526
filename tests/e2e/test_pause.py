"""A pause stops the bytes and nothing else: what is here is read, what waits goes on waiting."""

import errno
import os
import threading
import time

import pytest

from control import Control
from harness import PATIENCE, check_fetched, errno_of, read_at, run, same_content, wait_until, xattr
from origin import content

MIB = 1 << 20
SIZE = 24 * MIB

SLOW = "rate=128K"  # all 16 connections together take seconds, also where the machine takes its time
# What an origin may give to the kernel before it hears of the pause, or count after.
ON_THE_WIRE = MIB


class Reader(threading.Thread):
    """Reads a part of a file in the background."""

    def __init__(self, path, offset, length):
        super().__init__(daemon=True)
        self.arguments = path, offset, length
        self.bytes = self.error = None
        self.start()

    def run(self):
        try:
            self.bytes = read_at(*self.arguments)
        except OSError as error:
            self.error = error.errno

    def done(self):
        return not self.is_alive()


def sent(origin, url):
    return origin.stats(url)["bytes"]


def came(control, path):
    """Bytes of the file that are here; 0 before it is known."""
    return sum(one["cached"] for one in control.status(path)["files"])


def is_still(origin, url, seconds=0.5):
    """Whether the origin gives nothing away for so long: a condition on the stillness itself."""
    before, end = sent(origin, url), time.monotonic() + seconds
    while time.monotonic() < end:
        if sent(origin, url) != before:
            return False
        time.sleep(0.02)
    return True


def test_a_pause_stops_the_bytes_and_a_resume_brings_the_rest(mount, origin):
    url = origin.file("p", SIZE, SLOW)
    m = mount([url, " out=a/slow.bin", origin.file("q", MIB), " out=quick.bin"])
    assert same_content(m / "quick.bin", "q", MIB)
    reader = Reader(m / "a/slow.bin", 0, SIZE)
    with Control(m) as control:
        wait_until(lambda: came(control, "a/slow.bin") >= MIB)
    run(m.binary, "pause", m.path)
    at_once = sent(origin, url)
    with Control(m) as control:
        kept = control.file("a/slow.bin")["cached"]
        assert control.mount()["transfers"] == 0
        assert wait_until(lambda: is_still(origin, url))
        assert sent(origin, url) - at_once <= ON_THE_WIRE
        assert control.file("a/slow.bin")["state"] == "paused"
        assert control.file("a/slow.bin")["cached"] == kept > 0
    assert xattr(m / "a/slow.bin", "state") == "paused"
    assert same_content(m / "quick.bin", "q", MIB)  # what is here is read
    assert not reader.done()
    origin.reset(url)
    origin.set(url, "-")
    run(m.binary, "resume", m.path)
    reader.join(PATIENCE)
    assert reader.bytes == content("p", 0, SIZE)
    check_fetched(origin, url, SIZE - kept)  # what came before is not asked for again


def test_one_file_is_paused_alone(mount, origin):
    slow, other = origin.file("s", SIZE, SLOW), origin.file("o", SIZE)
    m = mount([slow, " out=d/slow", other, " out=other"])
    reader = Reader(m / "d/slow", 0, MIB)
    origin.wait(slow, bytes=1)
    run(m.binary, "pause", m / "d")  # a directory: what is below it
    assert wait_until(lambda: is_still(origin, slow, 0.2))
    assert same_content(m / "other", "o", SIZE)
    with Control(m) as control:
        assert [one["paused"] for one in control.status("d/slow", "other")["files"]] == [True, False]
        assert not control.mount()["paused"]
    run(m.binary, "resume", m / "d/slow")
    reader.join(PATIENCE)
    assert reader.bytes == content("s", 0, MIB)


def test_a_pause_does_not_use_up_patience(mount, origin):
    url = origin.file("w", MIB)
    m = mount([url], "--retry-for=1", "--paused")
    reader = Reader(m / "data.bin", 0, 1000)
    with Control(m) as control:
        wait_until(lambda: control.status()["files"])
        time.sleep(1.5)  # longer than a read may wait for an origin
        assert not reader.done() and origin.stats(url)["requests"] == 0
        control.ask(do="resume")
    reader.join(PATIENCE)
    assert reader.bytes == content("w", 0, 1000)


def test_paused_reads_may_fail_instead(mount, origin):
    url = origin.file("f", SIZE, "gate=f;hold=64K")
    m = mount([url, origin.file("g", MIB), " out=known"], "--paused-reads=fail")
    assert same_content(m / "known", "g", MIB)
    fd = os.open(m / "data.bin", os.O_RDONLY)
    waiting = Reader(m / "data.bin", 16 * MIB, MIB)
    try:
        wait_until(lambda: b"data.bin" in run(m.binary, "status", m.path).stdout)
        with Control(m) as control:
            wait_until(lambda: control.mount()["waiting"])
        run(m.binary, "pause", m.path)
        waiting.join(PATIENCE)
        assert waiting.error == errno.EAGAIN
        assert errno_of(os.pread, fd, 10, 20 * MIB) == errno.EAGAIN
        assert same_content(m / "known", "g", MIB)
        origin.set(url, "-")
        run(m.binary, "resume", m.path)
        assert os.pread(fd, 10, 20 * MIB) == content("f", 20 * MIB, 10)
    finally:
        os.close(fd)


def test_a_mount_may_begin_paused_and_serves_what_is_cached(mount, origin, scratch):
    url = origin.file("c", MIB)
    cache = scratch / "cache"
    first = mount([url], cache=cache)
    assert same_content(first / "data.bin", "c", MIB)
    first.umount()
    origin.reset(url)
    second = mount([url], "--paused", "--revalidate=always", cache=cache)
    assert same_content(second / "data.bin", "c", MIB)
    assert origin.stats(url)["requests"] == 0
    assert b"paused" in run(second.binary, "status", second.path).stdout


def test_what_came_before_a_pause_survives_a_kill(mount, origin, scratch):
    url = origin.file("k", SIZE, SLOW)
    cache = scratch / "cache"
    m = mount([url], cache=cache)
    reader = Reader(m / "data.bin", 0, SIZE)
    with Control(m) as control:
        wait_until(lambda: came(control, "data.bin") >= 2 * MIB)
        run(m.binary, "pause", m.path)
        told = control.file("data.bin", cells=4096)
        whole = sum(cell == 100 for cell in told["map"]) * told["block_size"]
    m.kill()
    reader.join(PATIENCE)
    assert whole > 0
    again = mount([url], "--paused", cache=cache)
    with Control(again) as control:
        assert control.file("data.bin")["cached"] >= whole


@pytest.mark.parametrize("options", ["gate=i;hold=64K;ranges=ignore", "gate=i;hold=64K"])
def test_an_interrupted_read_ends_while_paused(mount, origin, start, options):
    url = origin.file("i", SIZE, options)
    m = mount([url])
    reader = start("cat", m / "data.bin", stdout=-3)
    origin.wait(url, bytes=1)
    run(m.binary, "pause", m.path)
    reader.terminate()
    assert reader.wait(PATIENCE) != 0


def test_a_lazy_unmount_leaves_nobody_waiting_for_a_resume(mount, origin):
    m = mount([origin.file("l", SIZE), " out=l.bin"])
    assert read_at(m / "l.bin", 0, 1) == content("l", 0, 1)
    with Control(m) as control:
        run(m.binary, "pause", m.path)
        reader = Reader(m / "l.bin", SIZE - 4096, 4096)
        wait_until(lambda: control.file("l.bin")["waiting"] > 0)
        run(m.binary, "umount", "--lazy", m.path)
    reader.join(PATIENCE)
    assert reader.bytes == content("l", SIZE - 4096, 4096)
    m.wait_end()
