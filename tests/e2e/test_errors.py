"""What goes wrong is told by the right errno, tried again when that may help, and never hangs."""

import errno
import os
import signal
import subprocess

import pytest

from harness import (PATIENCE, Pid, check_fetched, errno_of, mounted, read_at, run, running,
                     same_content, umount, wait_until, xattr)
from origin import content

MIB = 1 << 20
SIZE = 6 * MIB


@pytest.mark.parametrize("status, error", [
    (404, errno.ENOENT), (410, errno.ENOENT), (401, errno.EACCES), (403, errno.EACCES),
    (407, errno.EACCES), (400, errno.EIO), (451, errno.EIO), (501, errno.EIO), (505, errno.EIO),
])
def test_refusals_are_told_at_once_and_remembered(mount, origin, status, error):
    url = origin.file("refused", SIZE, f"status={status}")
    file = mount([url]) / "data.bin"
    assert errno_of(read_at, file, 0, 10) == error
    assert str(status) in xattr(file, "error")
    assert xattr(file, "status") == str(status)
    seen = origin.stats(url)["requests"]
    assert seen <= 2
    assert errno_of(read_at, file, 0, 10) == error
    assert origin.stats(url)["requests"] == seen


def test_one_bad_file_does_not_harm_the_others(mount, origin):
    m = mount([origin.file("bad", 10, "status=404"), " out=bad", origin.file("good", SIZE),
               " out=good"])
    assert same_content(m / "good", "good", SIZE)
    assert sorted(os.listdir(m.path)) == ["bad", "good"]


@pytest.mark.parametrize("options", [
    "status=500;first=2", "status=503;first=2", "status=502;every=2", "status=429;first=1",
    "status=408;first=1", "reset=0;first=2", "reset=300000;first=3", "truncate=300000;first=3",
    "truncate=1;every=2", "length=none;truncate=70000;every=2", "chunked;truncate=200000;first=2",
    "ranges=ignore;truncate=1M;first=2", "ranges=ignore;reset=1M;first=2",
    "status=500;first=1;after=0,reset=100000;every=3",
])
def test_transient_failures_are_retried_until_the_bytes_are_right(mount, origin, options):
    url = origin.file("retry", SIZE, options)
    file = mount([url]) / "data.bin"
    assert same_content(file, "retry", SIZE)


def test_what_came_before_a_reset_is_kept(mount, origin):
    url = origin.file("kept", SIZE, "reset=500000;first=4")
    file = mount([url]) / "data.bin"
    assert same_content(file, "kept", SIZE)
    # a reset throws away what was on the wire, at most all of those bodies
    check_fetched(origin, url, SIZE + 4 * 500000)


@pytest.mark.parametrize("value, least", [("2", 2), ("date:3", 2)])
def test_retry_after_is_respected(mount, origin, value, least):
    url = origin.file("patience", 1000, f"status=503;retry-after={value};first=1")
    file = mount([url]) / "data.bin"
    assert same_content(file, "patience", 1000)
    first, second = origin.stats(url)["log"][:2]
    assert second["time"] - first["time"] >= least - 0.05


@pytest.mark.parametrize("options, errors", [
    # On a busy machine it may be that nothing has come at all.
    ("status=503", {errno.EIO, errno.ETIMEDOUT}), ("status=504", {errno.ETIMEDOUT}),
    ("silent", {errno.ETIMEDOUT}), ("reset=0", {errno.EIO, errno.ETIMEDOUT}),
])
def test_without_progress_a_read_fails_after_retry_for(mount, origin, options, errors):
    url = origin.file("stuck", SIZE, options)
    file = mount([url], "--retry-for=4", "--stall-timeout=1") / "data.bin"
    assert errno_of(read_at, file, 0, 10) in errors
    assert origin.stats(url)["requests"] > 1
    assert xattr(file, "error")


def test_a_stalled_transfer_is_tried_again(mount, origin):
    url = origin.file("stall", SIZE, "gate=nobody;hold=100000;first=2")
    file = mount([url], "--stall-timeout=1") / "data.bin"
    assert same_content(file, "stall", SIZE)


def test_a_slow_drip_is_progress_and_no_error(mount, origin):
    url = origin.file("drip", 100, "drip=0.05")
    file = mount([url], "--retry-for=3") / "data.bin"
    assert file.read_bytes() == content("drip", 0, 100)


def test_nobody_listens(mount):
    file = mount(["http://127.0.0.1:1/a"], "--retry-for=1") / "a"
    assert errno_of(read_at, file, 0, 10) in (errno.EIO, errno.ETIMEDOUT)


def test_a_certificate_that_is_not_trusted_is_an_error(mount, nginx):
    file = mount([f"{nginx.https}/x"], "--retry-for=1") / "x"
    assert errno_of(read_at, file, 0, 10) == errno.EIO
    assert "certificate" in xattr(file, "error").lower()


@pytest.mark.parametrize("where", ["before the probe's answer", "within the body"])
def test_an_interrupt_ends_a_waiting_cat_at_once(mount, origin, start, where):
    url = origin.file("waits", SIZE, "silent" if "probe" in where else "gate=no;hold=200000")
    file = mount([url], "--retry-for=10m", "--stall-timeout=10m") / "data.bin"
    cat = start("cat", file, stdout=subprocess.DEVNULL)
    if "probe" in where:
        origin.wait(url, requests=1)
    else:
        origin.wait(url, bytes=200000)
        wait_until(lambda: waits_in_fuse(cat.pid))
    cat.send_signal(signal.SIGINT)
    assert cat.wait(PATIENCE) == -signal.SIGINT


def waits_in_fuse(pid):
    with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
        return "wait" in (name := file.read()) or "fuse" in name


CHANGING = {
    "write": lambda m: os.open(m / "data.bin", os.O_WRONLY),
    "read and write": lambda m: os.open(m / "data.bin", os.O_RDWR),
    "append": lambda m: os.open(m / "data.bin", os.O_WRONLY | os.O_APPEND),
    "truncating open": lambda m: os.open(m / "data.bin", os.O_WRONLY | os.O_TRUNC),
    "create": lambda m: os.open(m / "new", os.O_CREAT | os.O_WRONLY),
    "mkdir": lambda m: os.mkdir(m / "new"),
    "mknod": lambda m: os.mknod(m / "new"),
    "symlink": lambda m: os.symlink("x", m / "new"),
    "link": lambda m: os.link(m / "data.bin", m / "new"),
    "unlink": lambda m: os.unlink(m / "data.bin"),
    "rmdir": lambda m: os.rmdir(m / "sub"),
    "rename": lambda m: os.rename(m / "data.bin", m / "new"),
    "truncate": lambda m: os.truncate(m / "data.bin", 0),
    "chmod": lambda m: os.chmod(m / "data.bin", 0o644),
    "chown": lambda m: os.chown(m / "data.bin", 1, 1),
    "utime": lambda m: os.utime(m / "data.bin", (0, 0)),
    "setxattr": lambda m: os.setxattr(m / "data.bin", "user.x", b"1"),
    "removexattr": lambda m: os.removexattr(m / "data.bin", "user.adlfs.url"),
}


def test_everything_that_would_write_gets_erofs(mount, origin):
    m = mount([origin.file("ro", 1000), origin.file("ro2", 1000), "  out=sub/x"])
    got = {name: errno_of(change, m) for name, change in CHANGING.items()}
    assert got == {name: errno.EROFS for name in CHANGING}
    assert same_content(m / "data.bin", "ro", 1000)


def test_names_that_are_not_there(mount, origin):
    m = mount([origin.file("a", 10), " out=sub/x"])
    for name in "none", "sub/none", "sub/x/y", "n" * 256:
        assert errno_of(os.stat, m / name) in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


@pytest.mark.parametrize("options", ["silent", "gate=no;hold=100000", "status=503", "drip=1"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unmounts_also_while_a_reader_waits_for_a_dead_origin(mount, origin, start,
                                                                       options, number):
    url = origin.file("dead", SIZE, options)
    m = mount([url])
    reader = start("cat", m / "data.bin", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    origin.wait(url, requests=1)
    os.kill(m.pid, number)
    m.wait_end()
    assert reader.wait(PATIENCE) != 0


def test_umount_does_not_hang_on_an_origin_that_never_answers(mount, origin, start):
    url = origin.file("never", SIZE, "silent")
    m = mount([url], foreground=False)
    reader = start("cat", m / "data.bin", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    origin.wait(url, requests=1)
    reader.send_signal(signal.SIGINT)
    reader.wait(PATIENCE)
    m.umount()


@pytest.mark.parametrize("how", ["umount", "fusermount3", "SIGTERM", "SIGINT"])
def test_each_way_to_unmount_leaves_a_cache_that_resumes(mount, origin, scratch, how):
    url = origin.file("ways", SIZE)
    m = mount([url], "--revalidate=never", cache=scratch / "cache", foreground=False)
    assert same_content(m / "data.bin", "ways", SIZE)
    if how == "umount":
        m.umount()
    elif how == "fusermount3":
        run("fusermount3", "-u", m.path)
        m.wait_end()
    else:
        os.kill(m.pid, getattr(signal, how))
        m.wait_end()
    origin.reset(url)
    m = mount([url], "--revalidate=never", cache=scratch / "cache")
    assert same_content(m / "data.bin", "ways", SIZE)
    assert origin.stats(url)["bytes"] == 0


def test_umount_of_a_busy_mount_says_so(mount, origin, adlfs):
    m = mount([origin.file("busy", 1000)])
    with open(m / "data.bin", "rb"):
        result = run(adlfs, "umount", m.path, check=False)
        assert result.returncode == 1 and b"busy" in result.stderr
        assert mounted(m.path)
    m.umount()


def test_umount_of_what_is_no_mount_fails(adlfs, scratch):
    result = run(adlfs, "umount", scratch, check=False)
    assert result.returncode == 1 and b"not an adlfs mount" in result.stderr


def test_a_mount_over_a_dead_one_recovers_and_says_so(mount, origin, adlfs):
    url = origin.file("dead", SIZE)
    m = mount([url])
    assert same_content(m / "data.bin", "dead", SIZE)
    m.kill_only()
    assert errno_of(os.listdir, m.path) == errno.ENOTCONN
    result = run(adlfs, "mount", f"--cache-dir={m.cache}", url, m.path)
    assert b"dead mount" in result.stderr
    assert same_content(m / "data.bin", "dead", SIZE)
    pid = Pid(xattr(m.path, "pid"))
    umount(adlfs, m.path)
    assert not mounted(m.path) and not running(pid)


def test_a_mount_point_in_use_is_refused(mount, origin, adlfs):
    url = origin.file("twice", 1000)
    m = mount([url])
    result = run(adlfs, "mount", f"--cache-dir={m.cache}", url, m.path, check=False)
    assert result.returncode == 1 and b"mounted already" in result.stderr
    assert same_content(m / "data.bin", "twice", 1000)


@pytest.mark.parametrize("over", ["", ";over=429", ";over=503"])
def test_a_connection_limit_at_the_origin_is_lived_with(mount, origin, over):
    file = mount([origin.file("limit", "24M", f"connections=2{over}")]) / "data.bin"
    assert same_content(file, "limit", 24 * MIB)
