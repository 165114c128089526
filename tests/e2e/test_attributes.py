"""Extended attributes tell what is known of a file, and nothing anywhere tells a secret."""

import contextlib
import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import errno_of, per_thread, read_at, run, same_content, wait_until, xattr
from origin import content

MIB = 1 << 20
SIZE = 8 * MIB


def test_a_file_tells_what_is_known(mount, origin):
    url = origin.file("told", SIZE, "redirect=1")
    file = mount([url]) / "data.bin"
    assert same_content(file, "told", SIZE)
    assert xattr(file, "url") == url
    assert xattr(file, "final_url").startswith(url)
    assert xattr(file, "mode") == "split"
    wait_until(lambda: xattr(file, "state") == "complete")
    assert xattr(file, "size") == xattr(file, "cached") == str(SIZE)
    assert xattr(file, "etag").startswith('"')
    assert xattr(file, "mirrors") == "1"
    wait_until(lambda: xattr(file, "transfers") == "0")
    assert xattr(file, "status") == "206"
    assert xattr(file, "mtime") in ("1700000000", "2023-11-14T22:13:20Z")
    assert errno_of(os.getxattr, file, "user.adlfs.error") == errno.ENODATA


def test_getfattr_lists_them(mount, origin):
    file = mount([origin.file("listed", SIZE)]) / "data.bin"
    read_at(file, 0, 10)
    listing = run("getfattr", "-d", file).stdout.decode()
    for name in "url", "mode", "state", "size", "etag", "cached":
        assert f"user.adlfs.{name}=" in listing


def test_asking_needs_no_request(mount, origin):
    url = origin.file("unasked", SIZE)
    file = mount([url]) / "data.bin"
    known = {name: xattr(file, name) for name in ("url", "mode", "state", "cached")}
    assert known == {"url": url, "mode": "unknown", "state": "unknown", "cached": "0"}


def test_bytes_cached_grow_with_what_is_read(mount, origin):
    file = mount([origin.file("grows", SIZE)]) / "data.bin"
    read_at(file, 0, 10)
    some = int(xattr(file, "cached"))
    assert 10 <= some < SIZE
    assert same_content(file, "grows", SIZE)
    assert int(xattr(file, "cached")) == SIZE


def test_the_root_tells_process_and_version(mount, origin, adlfs):
    m = mount([origin.file("root", 10)])
    assert xattr(m.path, "pid") == str(m.pid)
    assert f"adlfs {xattr(m.path, 'version')}" == run(adlfs, "--version").stdout.decode().strip()


def test_attributes_that_are_not_there(mount, origin):
    m = mount([origin.file("none", 10)])
    for path in m.path, m / "data.bin":
        for name in "user.nothing", "user.adlfs.nothing", "security.capability":
            assert errno_of(os.getxattr, path, name) in (errno.ENODATA, errno.EOPNOTSUPP)


SECRETS = "hunter2", "sIgNaTuRe", "t0ken", "basicpass"


@pytest.mark.parametrize("options", ["-", "status=403", "status=503", "redirect=1",
                                     "redirect=%2Felsewhere%3Fkey%3DsIgNaTuRe"])
def test_secrets_are_told_nowhere(mount, origin, adlfs, options):
    url = origin.file("secret", 100000, name="a.bin?sig=sIgNaTuRe#t0ken")
    origin.set(url, options)
    url = url.replace("http://", "http://user:hunter2@")
    m = mount([url, "  header=Authorization: Bearer t0ken", "  http-user=u",
               "  http-passwd=basicpass"], "--retry-for=1")
    file = m / "a.bin"
    errno_of(read_at, file, 0, 100000)
    told = "".join(os.getxattr(file, name).decode() for name in os.listxattr(file))
    assert "secret/100000" in told
    for extra in (), ("--json",):
        result = run(adlfs, "probe", *extra, "--retry-for=1", "--log-level=debug",
                     "--header", "Authorization: Bearer t0ken", url, check=False)
        told += (result.stdout + result.stderr).decode()
    m.umount()
    told += m.log()
    for name in os.listdir(m.cache):
        told += name
        if name.endswith(".map"):
            told += (m.cache / name).read_bytes().decode("latin-1")
    assert [secret for secret in SECRETS if secret in told] == []


@pytest.mark.parametrize("kind", ["md5", "sha-1", "sha-224", "sha-256", "sha-384", "sha-512"])
def test_a_right_checksum_is_no_news(mount, origin, kind):
    digest = hashlib.new(kind.replace("sha-", "sha"), content("sum", 0, SIZE)).hexdigest()
    file = mount([origin.file("sum", SIZE), f"  checksum={kind}={digest}"]) / "data.bin"
    assert same_content(file, "sum", SIZE)
    assert same_content(file, "sum", SIZE)
    assert errno_of(os.getxattr, file, "user.adlfs.error") == errno.ENODATA


def test_a_wrong_checksum_is_an_error_and_the_copy_is_dropped(mount, origin):
    digest = hashlib.sha256(content("right", 0, SIZE)).hexdigest()
    m = mount([origin.file("wrong", SIZE), f"  checksum=sha-256={digest}"])
    file = m / "data.bin"
    errno_of(file.read_bytes)
    wait_until(lambda: errno_of(xattr, file, "error") is None)
    assert "checksum" in xattr(file, "error")
    wait_until(lambda: "checksum" in m.log())
    wait_until(lambda: not m.files(".data"))


# Each goes on when it is told to, and says what came of it.
LOOKER = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[2])})
print("ready", flush=True)
sys.stdin.readline()
try:
    os.open(sys.argv[1], os.O_CREAT | os.O_EXCL)  # asks for the name, however well it is known
except OSError:
    pass
"""
READER = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print("ready", flush=True)
sys.stdin.readline()
print(len(os.pread(fd, 4096, 0)))
"""
RUNNER = """
import errno, os, sys
print("ready", flush=True)
sys.stdin.readline()
try:
    os.execv(sys.argv[1], ["program"])
except OSError as error:
    print(errno.errorcode[error.errno])
"""
HOG = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
except PermissionError:
    os.nice(-20)
print("ready", flush=True)
end = time.monotonic() + 5
while time.monotonic() < end:
    pass
"""


@contextlib.contextmanager
def kept_busy(start, cpu):
    """Nothing else runs there; not for long, or all that waits for it would."""
    hog = start(sys.executable, "-c", HOG, cpu, stdout=subprocess.PIPE)
    try:
        assert hog.stdout.readline() == b"ready\n"
        yield
    finally:
        hog.kill()
        hog.wait()


def states_of(pid):
    """Each thread's."""
    return {thread: stat.rsplit(")", 1)[1].split()[0]
            for thread, stat in per_thread(pid, "stat").items()}


def keep_on(pid, cpus):
    for thread in states_of(pid):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(thread, cpus)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: set(states_of(pid).values()) == {"T"})


def call_of(pid):
    """The system call that it waits in, with its arguments (proc(5)); None where it waits in none."""
    told = Path(f"/proc/{pid}/syscall").read_text().split()
    return told if told and told[0].isdigit() else None


def go_on(process):
    """Tells it to, and waits until it waits for another thing than that."""
    asks = wait_until(lambda: call_of(process.pid))
    process.stdin.write(b"\n")
    process.stdin.flush()
    wait_until(lambda: call_of(process.pid) not in (None, asks))


@pytest.mark.parametrize("program, said", [(READER, "4096"), (RUNNER, "ENOEXEC")],
                         ids=["read", "run"])
def test_nobody_is_misled_by_what_a_name_said_before_more_was_known(mount, origin, start, program,
                                                                   said):
    """The kernel drops the attributes that a call asks for where others, asked for no later, came to
    the inode meanwhile. Here they are those of a name: their thread does not get to run with them
    before the call has asked for its own. A read must not find the end of the file in them, nor
    exec(2) that it is no program."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) == 1:
        pytest.skip("takes a processor that can be kept busy")
    m = mount([origin.file("program26", 70000)])  # begins with the first byte of one
    file = m / "data.bin"

    def begin(program, *arguments):
        process = start(sys.executable, "-c", program, *arguments, stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        return process

    known = os.open(file, os.O_PATH)
    try:
        keep_on(m.pid, cpus[:1])
        os.sched_setaffinity(0, cpus[:1])
        looker = begin(LOOKER, file, cpus[1])
        stop(m.pid)
        go_on(looker)
        with kept_busy(start, cpus[1]):
            os.kill(m.pid, signal.SIGCONT)
            wait_until(lambda: states_of(looker.pid)[looker.pid] not in "SD")  # it has its answer
            asks = begin(program, file)
            stop(m.pid)
            go_on(asks)
        looker.wait()
    finally:
        os.kill(m.pid, signal.SIGCONT)
        os.sched_setaffinity(0, cpus)
        os.close(known)
    assert asks.communicate()[0].decode() == f"{said}\n"
