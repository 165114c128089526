"""Complete files are read by the kernel from their cache files, and nobody can tell the difference.

It takes Linux 6.9. Without, these tests are skipped; with ADLFS_REQUIRE=passthrough that is a
failure."""

import concurrent.futures
import errno
import mmap
import os
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness import (PATIENCE, REPOSITORY, Tracer, errno_of, kill_group, mounted, read_at, run,
                     same_content, shows, umount, wait_until)
from origin import content

MIB = 1 << 20
SIZE = 8 * MIB
PASSED = "opened, passed through"
REFUSED = "are not passed through"


def version(text):
    return tuple(map(int, re.search(r"(\d+)\.(\d+)", text).groups()))


@pytest.fixture(scope="module", autouse=True)
def passthrough():
    missing = None
    if version(os.uname().release) < (6, 9):
        missing = f"Linux {os.uname().release} has no passthrough"
    if missing and "passthrough" in os.environ.get("ADLFS_REQUIRE", ""):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


def passed(m):
    """How many opens were passed through so far."""
    return m.log().count(PASSED)


def open_passed(m, name="data.bin"):
    """A file descriptor that is passed through. The kernel tells of the last close(2) of one that
    was not when it likes to."""
    def attempt():
        before = passed(m)
        fd = os.open(m / name, os.O_RDONLY)
        if passed(m) > before:
            return [fd]
        os.close(fd)
        return None
    return wait_until(attempt, what="an open that is passed through")[0]


@pytest.fixture
def complete(mount, origin, scratch):
    """complete(SEED, OPTION...) -> a mount of which data.bin is all here, and was not open yet."""
    def begin(seed, *options, url=None):
        url = url or origin.file(seed, SIZE)
        m = mount([url], "--revalidate=never", cache=scratch / "cache")
        assert same_content(m / "data.bin", seed, SIZE)
        m.umount()
        origin.reset(url)
        return mount([url], *(options or ["--revalidate=never"]), cache=scratch / "cache")
    return begin


def test_a_complete_file_is_read_without_the_daemon(complete, scratch):
    m = complete("silent")
    with Tracer(m.pid, "read,readv,write,writev,splice,ioctl", scratch) as tracer:
        assert same_content(m / "data.bin", "silent", SIZE)
        calls = tracer.end()
    assert passed(m) == 1
    assert "/dev/fuse" in calls  # the open, at least
    sent = re.findall(r"\b(?:write|writev|splice)\(.*/dev/fuse>.*= (\d+)$", calls, re.MULTILINE)
    assert sum(map(int, sent)) < 4096


def test_after_a_remount_nothing_is_fetched_and_the_first_open_is_passed_through(complete, origin):
    url = origin.file("again", SIZE)
    m = complete("again", url=url)
    assert same_content(m / "data.bin", "again", SIZE)
    assert passed(m) == 1
    assert origin.stats(url)["requests"] == 0


def test_a_file_that_becomes_complete_is_passed_through_once_it_is_closed(mount, origin):
    m = mount([origin.file("grow", SIZE)], "--revalidate=never")
    assert same_content(m / "data.bin", "grow", SIZE)
    assert passed(m) == 0
    fd = open_passed(m)
    assert os.pread(fd, SIZE, 0) == content("grow", 0, SIZE)
    os.close(fd)


def test_while_an_early_handle_is_open_later_ones_are_served_beside_it(mount, origin):
    m = mount([origin.file("beside", SIZE)], "--revalidate=never")
    early = os.open(m / "data.bin", os.O_RDONLY)
    try:
        assert same_content(m / "data.bin", "beside", SIZE)
        for _ in range(3):
            assert same_content(m / "data.bin", "beside", SIZE)
        assert passed(m) == 0
        assert os.pread(early, SIZE, 0) == content("beside", 0, SIZE)
    finally:
        os.close(early)
    os.close(open_passed(m))


def test_an_early_mapping_counts_as_an_early_handle(mount, origin):
    m = mount([origin.file("map", SIZE)], "--revalidate=never")
    with open(m / "data.bin", "rb") as early:
        view = mmap.mmap(early.fileno(), 0, prot=mmap.PROT_READ)
    assert view[:] == content("map", 0, SIZE)
    assert same_content(m / "data.bin", "map", SIZE)
    assert passed(m) == 0
    view.close()
    os.close(open_passed(m))


@pytest.mark.parametrize("mapped", [False, True], ids=["read", "mapped"])
def test_a_handle_from_before_the_size_was_known_counts_as_an_early_one(mount, origin, mapped):
    m = mount([origin.file("unknown", SIZE, "chunked;ranges=ignore")], "--revalidate=never")
    early = os.open(m / "data.bin", os.O_RDONLY)
    view = None
    try:
        assert b"".join(iter(lambda: os.read(early, MIB), b"")) == content("unknown", 0, SIZE)
        if mapped:
            view = mmap.mmap(early, MIB, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
            assert view[:] == content("unknown", 0, MIB)
        for _ in range(3):
            assert same_content(m / "data.bin", "unknown", SIZE)
        assert os.pread(early, MIB, MIB) == content("unknown", MIB, MIB)
        assert passed(m) == 0
    finally:
        if view:
            view.close()
        os.close(early)
    fd = open_passed(m)
    assert os.pread(fd, SIZE, 0) == content("unknown", 0, SIZE)
    os.close(fd)


def test_no_open_fails_while_the_file_becomes_complete(mount, origin):
    m = mount([origin.file("race", SIZE, "rate=8M")], "--revalidate=never")

    def reader(number):
        for turn in range(150):
            offset = (number * 37 + turn * 61) % 127 * 65536
            if read_at(m / "data.bin", offset, 4096) != content("race", offset, 4096):
                return False
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        whole = pool.submit(same_content, m / "data.bin", "race", SIZE)
        assert all(pool.map(reader, range(8)))
        assert whole.result()
    os.close(open_passed(m))


def test_a_thousand_opens_share_one_backing_file(complete, scratch):
    m = complete("thousand")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2000)), hard))
    with Tracer(m.pid, "ioctl", scratch) as tracer:
        fds = [os.open(m / "data.bin", os.O_RDONLY) for _ in range(1000)]
        for number, fd in enumerate(fds):
            assert os.pread(fd, 4096, number * 4096) == content("thousand", number * 4096, 4096)
        for fd in fds:
            os.close(fd)
        wait_until(lambda: re.search(r"BACKING_CLOSE|0xe5, 0x0?2,", tracer.calls()))
        calls = tracer.end()
    assert passed(m) == 1000
    assert len(re.findall(r"BACKING_OPEN|0xe5, 0x0?1,", calls)) == 1
    assert len(re.findall(r"BACKING_CLOSE|0xe5, 0x0?2,", calls)) == 1


def test_no_open_fails_while_the_last_handle_goes_and_the_first_comes(complete):
    """Releases come when the kernel likes: the backing file is closed and opened in between."""
    m = complete("between")
    want = content("between", 0, SIZE)

    def reader(number):
        for turn in range(100):
            offset = (number * 37 + turn * 61) % 127 * 65536
            if read_at(m / "data.bin", offset, 4096) != want[offset:offset + 4096]:
                return False
        return True

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(reader, range(4)))
    assert passed(m) == 400


def test_mapped_pages_are_right_and_outlive_their_handle(complete):
    m = complete("pages")
    fd = open_passed(m)
    shared = mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    private = mmap.mmap(fd, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    os.close(fd)
    private[0:4] = b"mine"
    assert shared[:] == content("pages", 0, SIZE)
    assert private[4:] == content("pages", 0, SIZE)[4:]
    shared.close()
    private.close()
    assert same_content(m / "data.bin", "pages", SIZE)


def test_a_complete_binary_executes(mount, nginx, scratch):
    shutil.copy("/bin/echo", nginx.root / "say")
    lines = [f"{nginx.http}/say"]
    for expected in 0, 1:
        m = mount(lines, "--exec", "--revalidate=never", cache=scratch / "cache")
        if not expected:
            (m / "say").read_bytes()
        else:
            assert run(m / "say", "hello").stdout == b"hello\n"
            assert passed(m) >= 1
        m.umount()


def test_nobody_can_write_through_it(complete):
    m = complete("write")
    for flags in os.O_RDWR, os.O_WRONLY:
        assert errno_of(os.open, m / "data.bin", flags) == errno.EROFS
    fd = open_passed(m)
    try:
        assert errno_of(os.write, fd, b"x") == errno.EBADF
        assert errno_of(os.ftruncate, fd, 0) == errno.EINVAL
        assert errno_of(mmap.mmap, fd, 0, mmap.MAP_SHARED, mmap.PROT_WRITE) == errno.EACCES
        assert errno_of(os.open, f"/proc/self/fd/{fd}", os.O_RDWR) == errno.EROFS
        assert os.pread(fd, SIZE, 0) == content("write", 0, SIZE)
    finally:
        os.close(fd)
    assert same_content(m.files(".data")[0], "write", SIZE)


def test_size_and_offsets_are_those_of_the_file(complete):
    m = complete("size")
    fd = open_passed(m)
    try:
        assert os.fstat(fd).st_size == SIZE
        assert os.lseek(fd, 0, os.SEEK_END) == SIZE
        assert os.pread(fd, 100, SIZE) == b""
        assert os.pread(fd, 100, SIZE - 10) == content("size", SIZE - 10, 10)
        assert os.fstat(fd).st_blocks * 512 >= SIZE
    finally:
        os.close(fd)


def test_a_change_at_the_origin_leaves_the_open_version_and_shows_the_new(complete, origin):
    url = origin.file("change", SIZE)
    m = complete("change", "--revalidate=always", url=url)
    old = open_passed(m)
    try:
        origin.set(url, "version=1")
        wait_until(lambda: shows(m, "data.bin", "change", SIZE, "1"))
        new = open_passed(m)
        try:
            assert os.pread(new, SIZE, 0) == content("change", 0, SIZE, "1")
            assert os.pread(old, SIZE, 0) == content("change", 0, SIZE, "0")
            assert os.fstat(old).st_size == SIZE
        finally:
            os.close(new)
    finally:
        os.close(old)
    wait_until(lambda: shows(m, "data.bin", "change", SIZE, "1"))


def test_an_unmount_waits_for_who_has_it_open_and_a_lazy_one_leaves_the_handle(complete, adlfs):
    m = complete("busy")
    fd = open_passed(m)
    try:
        assert run(adlfs, "umount", m.path, check=False).returncode != 0
        assert mounted(m.path)
        run("umount", "--lazy", m.path)
        assert os.pread(fd, SIZE, 0) == content("busy", 0, SIZE)
    finally:
        os.close(fd)
    m.wait_end()


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_a_handle_outlives_its_daemon_and_the_place_can_be_mounted_again(complete, adlfs, how):
    m = complete("outlives")
    fd = open_passed(m)
    try:
        if how == "SIGKILL":
            m.kill_only()
            assert mounted(m.path)
        else:
            os.kill(m.pid, signal.SIGTERM)
            m.wait_end()
        assert os.pread(fd, SIZE, 0) == content("outlives", 0, SIZE)
        run(adlfs, "mount", "--revalidate=never", "--log-level=debug", f"--log-file={m.log_file}",
            f"--cache-dir={m.cache}", m.directory / "urls.txt", m.path)
        assert same_content(m / "data.bin", "outlives", SIZE)
        os.close(open_passed(m))
        assert os.pread(fd, SIZE, 0) == content("outlives", 0, SIZE)
        umount(adlfs, m.path)
        assert not mounted(m.path)
    finally:
        assert errno_of(os.close, fd) in (None, errno.ENOTCONN)  # close(2) asks the daemon


def test_an_overlay_fits_on_the_mount(complete, scratch):
    m = complete("overlay")
    over = scratch / "over"
    over.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", over)
    try:
        for name in "upper", "work", "both":
            (over / name).mkdir()
        run("mount", "-t", "overlay", "-o", f"lowerdir={m.path},upperdir={over}/upper,"
            f"workdir={over}/work", "overlay", over / "both")
        try:
            assert same_content(over / "both" / "data.bin", "overlay", SIZE)
            with open(over / "both" / "data.bin", "r+b") as file:
                file.write(b"mine")
            assert (over / "both" / "data.bin").read_bytes()[4:] == content("overlay", 0, SIZE)[4:]
        finally:
            run("umount", over / "both")
    finally:
        run("umount", over)
    assert same_content(m / "data.bin", "overlay", SIZE)


def test_a_cache_on_an_overlay_is_passed_through_too(mount, origin, scratch):
    over = scratch / "over"
    over.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", over)
    try:
        for name in "lower", "upper", "work", "both":
            (over / name).mkdir()
        run("mount", "-t", "overlay", "-o", f"lowerdir={over}/lower,upperdir={over}/upper,"
            f"workdir={over}/work", "overlay", over / "both")
        try:
            m = mount([origin.file("under", SIZE)], "--revalidate=never",
                      cache=over / "both" / "cache")
            assert same_content(m / "data.bin", "under", SIZE)
            fd = open_passed(m)
            assert os.pread(fd, SIZE, 0) == content("under", 0, SIZE)
            os.close(fd)
            m.umount()
        finally:
            run("umount", "-l", over / "both")
    finally:
        run("umount", "-l", over)


# Copies of the mounts of tests beside this one would keep their daemons from ending; the name space
# of another user could not take them away.
FORGET = '"$0"; exec "$@"'


def test_without_the_privilege_the_daemon_serves(adlfs, fuse, origin, scratch):
    """In a user name space of its own, root may mount but not pass files through: that is tried
    once."""
    at, log = scratch / "mnt", scratch / "log"
    at.mkdir()
    with open(log, "wb") as out:
        daemon = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", FORGET, REPOSITORY / "contrib" / "let-go",
             "unshare", "--user", "--map-root-user", "--mount", adlfs, "mount", "-f",
             "--log-level=debug", "--revalidate=never", f"--cache-dir={scratch}/cache",
             origin.file("alone", SIZE), at],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        wait_until(lambda: "mounted" in log.read_text() or daemon.poll() is not None)
        assert daemon.poll() is None, log.read_text()
        file = Path(f"/proc/{daemon.pid}/root{at}/data.bin")
        wait_until(lambda: same_content(file, "alone", SIZE) and REFUSED in log.read_text())
        assert same_content(file, "alone", SIZE)
        assert log.read_text().count(REFUSED) == 1
        assert PASSED not in log.read_text()
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0
    finally:
        kill_group(daemon)
