"""Least privilege: what a daemon costs the machine at rest and under load, and that it works under
the restrictions of the system's service (contrib/systemd). `contrib/test --sandbox` runs all other
tests under them."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from harness import (
    PATIENCE,
    REPOSITORY,
    check_fetched_once,
    content,
    read_at,
    run,
    same_content,
    umount,
    wait_until,
    xattr,
)

UNIT = REPOSITORY / "contrib/systemd/adlfs@.service.in"
SANDBOX = REPOSITORY / "contrib/sandbox"


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def wait_for_rest(pid):
    """Twice the same numbers, with all transfers done."""
    seen = []

    def calm():
        seen.append((threads(pid), descriptors(pid)))
        return len(seen) > 20 and len(set(seen[-20:])) == 1 and seen[-1]

    return wait_until(calm, what=f"calm: {seen[-5:]}")


def test_threads_and_descriptors_are_few_at_rest_and_bounded_under_load(mount, origin):
    """Load: 40 readers at once of 40 files that do not come yet."""
    urls = [origin.file(f"load{i}", "1M", "gate=load;hold=1000") for i in range(40)]
    m = mount("".join(f"{url}\n  out={i}\n" for i, url in enumerate(urls)))
    at_rest = wait_for_rest(m.pid)
    assert at_rest[0] <= 16 and at_rest[1] <= 24, at_rest

    readers = [
        threading.Thread(target=read_at, args=(m.path / str(i), 0, 1 << 20))
        for i in range(len(urls))
    ]
    for reader in readers:
        reader.start()
    wait_until(lambda: sum(origin.stats(url)["requests"] > 0 for url in urls) >= 10, what="load")
    loaded = wait_until(lambda: (threads(m.pid), descriptors(m.pid)))
    origin.open("load")
    for reader in readers:
        reader.join()
    # Two files of the cache for each and a third while it is made, and at most 64 connections.
    assert loaded[0] <= 16 and loaded[1] <= at_rest[1] + 3 * len(urls) + 64, loaded
    after = wait_for_rest(m.pid)
    print(f"threads, descriptors: {at_rest}; {loaded} with 40 files coming; then {after}")
    assert after[0] <= 16 and after[1] <= at_rest[1] + 16 + 64, after


@pytest.fixture(scope="session")
def restricted(adlfs):
    """restricted(COMMAND...) -> the command line that runs it as the service would."""
    if "sandboxed" in os.environ.get("ADLFS", ""):
        pytest.skip("contrib/test --sandbox has every mount so")
    if any(name in Path(adlfs).read_bytes() for name in (b"__asan_init", b"__tsan_init")):
        pytest.skip("a sanitizer makes system calls of its own")
    if subprocess.run(
        ["/usr/bin/python3", "-c", "import seccomp"], stderr=subprocess.DEVNULL, check=False
    ).returncode:
        assert not os.environ.get("CI"), "python3-seccomp is not installed"
        pytest.skip("python3-seccomp is not installed")
    return lambda *command: [SANDBOX, UNIT, *command]


def test_a_mount_works_under_the_service_s_restrictions(
    adlfs, fuse, restricted, scratch, start, origin, nginx
):
    """Ranges, one stream, https, a redirect, the cache, and the end; a system call that is not in the
    unit's list would end the daemon."""
    (nginx.root / "restricted").write_bytes(content("restricted", 0, 300000))
    urls = {
        "split": origin.file("split", "3M"),
        "single": origin.file("single", "1M", "ranges=ignore;length=none"),
        "moved": origin.file("moved", "1M", "redirect=2"),
        "tls": f"{nginx.https}/restricted",
        "failing": origin.file("failing", "1M", "status=503;first=1"),
    }
    (scratch / "urls.txt").write_text(
        "".join(f"{url}\n  out={name}\n" for name, url in urls.items())
    )
    point = scratch / "mnt"
    point.mkdir()
    sandbox, unit, *mount = restricted(
        adlfs,
        "mount",
        "-f",
        f"--cache-dir={scratch}/cache",
        f"--cacert={nginx.ca}",
        f"--log-file={scratch}/log",
        scratch / "urls.txt",
        point,
    )
    for _ in range(2):  # empty, and with what the first one left
        daemon = start(sandbox, "--kill", unit, *mount)
        wait_until(lambda: os.path.ismount(point) or daemon.poll() is not None)
        assert daemon.poll() is None, (scratch / "log").read_text()
        try:
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            assert (
                "NoNewPrivs:\t1" in status
                and "Seccomp:\t2" in status
                and "CapEff:\t0000000000200000" in status
            )
            for seed, size in (
                ("split", 3 << 20),
                ("single", 1 << 20),
                ("moved", 1 << 20),
                ("failing", 1 << 20),
            ):
                assert same_content(point / seed, seed, size)
            assert same_content(point / "tls", "restricted", 300000)
            assert xattr(point / "single", "mode") == "single"
            umount(adlfs, point)
            assert daemon.wait(PATIENCE) == 0
        finally:
            while os.path.ismount(point):
                run("umount", "-l", point)
    check_fetched_once(origin, urls["split"], 3 << 20)


ATTEMPTS = """\
import ctypes, errno, mmap, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, function, *arguments):
    try:
        result = function(*arguments)
        error = ctypes.get_errno() if result == -1 else 0
    except OSError as failure:
        error = failure.errno
    print(name, errno.errorcode.get(error, error))
open("/proc/self/status").close()
attempt("packets", socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
attempt("inet", socket.socket, socket.AF_INET, socket.SOCK_STREAM)
attempt("namespace", libc.unshare, 0x10000000)
attempt("trace", libc.ptrace, 16, 1, 0, 0)
attempt("chroot", os.chroot, "/")
attempt("owner", os.chown, "mine", 1, 1)
attempt("user", os.setuid, 1)
attempt("module", libc.syscall, 175, 0, 0, 0)
both = mmap.PROT_WRITE | mmap.PROT_EXEC
attempt("execute", mmap.mmap, -1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, both)
attempt("suid", os.chmod, "mine", 0o4755)
attempt("mode", os.chmod, "mine", 0o600)
attempt("others", open, "theirs", "rb")
"""


def test_the_service_s_restrictions_hold(restricted, scratch):
    (scratch / "mine").write_text("")
    (scratch / "theirs").write_text("")
    os.chown(scratch / "theirs", 65534, 65534)
    os.chmod(scratch / "theirs", 0o600)
    told = run(
        "env", f"--chdir={scratch}", *restricted("/usr/bin/python3", "-c", ATTEMPTS)
    ).stdout.decode()
    answers = dict(line.split() for line in told.splitlines())
    refused = {
        "packets": "EAFNOSUPPORT",
        "execute": "EPERM",
        "suid": "EPERM",
        "others": "EACCES",
        **dict.fromkeys(("namespace", "trace", "chroot", "owner", "user", "module"), "ENOSYS"),
    }
    # Of two filters that refuse, the kernel gives the answer of either.
    assert answers.pop("namespace") in ("ENOSYS", "EPERM")
    del refused["namespace"]
    assert answers == {**refused, "inet": "0", "mode": "0"}
