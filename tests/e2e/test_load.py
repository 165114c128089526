"""Much at a time: reads, files, processes, names; and that nothing grows for ever."""

import contextlib
import errno
import fcntl
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness import (PATIENCE, REPOSITORY, check_fetched_once, errno_of, read_at, run, slowness,
                     wait_until, write_content)
from origin import content

HERE = Path(__file__).resolve().parent
PAGE = 4096
FIRST_BLOCK = 16  # pages; an open brings them
MANY = 10000
MANY_SIZE = (FIRST_BLOCK + MANY) * PAGE
MIB = 1 << 20


def count(mount, what):
    return len(os.listdir(f"/proc/{mount.pid}/{what}"))


def memory(mount, field="VmRSS"):
    """Bytes."""
    status = Path(f"/proc/{mount.pid}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


def shadows(mount):
    """A sanitizer keeps so many bytes of notes, at most, for one of the daemon's, and itself."""
    return 5 if "san.so" in Path(f"/proc/{mount.pid}/maps").read_text() else 1


@pytest.fixture
def requests_of(scratch):
    """requests_of(MOUNT): how many requests the kernel has given to its daemon and has no answer of."""
    control = scratch / "fusectl"
    control.mkdir()
    run("mount", "-t", "fusectl", "none", control)

    def waiting(mount):
        number = os.minor(os.stat(mount.path).st_dev)
        return int((control / str(number) / "waiting").read_text())
    yield waiting
    run("umount", "-l", control)


@pytest.fixture(scope="module")
def many_readers():
    with tempfile.TemporaryDirectory(prefix="adlfs-e2e.") as directory:
        path = f"{directory}/many_readers"
        run("cc", "-O1", "-pthread", "-o", path, f"{HERE}/many_readers.c")
        yield path


@pytest.fixture
def alone():
    """One test at a time on this machine: it has 32768 process ids as a rule, and each thread takes
    one."""
    with open(Path(tempfile.gettempdir()) / "adlfs-e2e.many", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def begin_reads(alone, start, scratch, requests_of, many_readers):
    """begin_reads(MOUNT, FLAG...): a process whose many threads wait for a page each of `data.bin`."""
    right = scratch / "right"
    write_content(right, "many", MANY_SIZE)

    def begin(m, *flags):
        process = start(many_readers, m / "data.bin", right, FIRST_BLOCK, MANY, *flags,
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_until(lambda: requests_of(m) >= MANY or process.poll() is not None,
                   2 * PATIENCE, "all reads outstanding")
        assert process.poll() is None, process.communicate()[0]
        return process
    return begin


@pytest.mark.parametrize("behaviour,flags", [
    ("-,gate=g;after=1", ["direct"]),
    # Of a file whose size nobody knows, the kernel keeps no pages either.
    ("chunked;ranges=ignore;gate=g;hold=4096", [])], ids=["ranges", "one stream"])
def test_ten_thousand_outstanding_reads_are_all_answered(mount, origin, requests_of, begin_reads,
                                                         behaviour, flags):
    """They wait as notes: no thread waits for each, and little memory. Right, when their bytes come; at
    once, when their process is killed."""
    m = mount([origin.file("many", MANY_SIZE, behaviour)], "--retry-for=10m")
    before = memory(m)
    for killed in True, False:
        process = begin_reads(m, *flags)
        assert count(m, "task") <= 20
        # 10 MiB; AddressSanitizer keeps up to 256 MiB of what was freed.
        assert memory(m) - before < (100 if slowness() == 1 else 400) * MIB
        if killed:
            process.kill()
            wait_until(lambda: requests_of(m) < 10, what="those of a killed process are answered")
    origin.open("g")
    out, _ = process.communicate(timeout=2 * PATIENCE)
    assert (process.returncode, out) == (0, b"%d\n" % MANY), m.log()[-4000:]
    m.umount()


@pytest.mark.parametrize("way", ["SIGTERM", "detached", "aborted"])
def test_a_mount_ends_while_ten_thousand_reads_wait(mount, origin, begin_reads, way):
    """Told to end, the daemon answers them all and goes; taken out of the tree, the mount lives until
    they have their bytes; where the kernel cuts the connection, the daemon goes too, and what is
    left in the tree can be cleared."""
    m = mount([origin.file("many", MANY_SIZE, "-,gate=g;after=1")], "--retry-for=10m")
    process = begin_reads(m, "direct")
    if way == "SIGTERM":
        os.kill(m.pid, signal.SIGTERM)
    elif way == "aborted":
        run("umount", "--force", m.path, check=False)  # it is busy
    else:
        run(m.binary, "umount", "--lazy", m.path)
        origin.open("g")
    out, _ = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 0
    assert int(out.split()[-1]) == (MANY if way == "detached" else 0), out
    if way == "aborted":
        assert m.process.wait(PATIENCE) == 0
        run(m.binary, "umount", m.path)
    m.wait_end()


def test_a_thousand_files_are_open_at_once(mount, nginx):
    """Two descriptors each while they are open, none when they are closed."""
    directory = nginx.root / "thousand"
    directory.mkdir(exist_ok=True)
    for number in range(1000):
        (directory / str(number)).write_bytes(b"%d" % number * 3)
    m = mount([f"{nginx.http}/thousand/{number}" for number in range(1000)])
    idle = count(m, "fd")
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(m / str(number), "rb")) for number in range(1000)]
        for number, file in enumerate(files):
            assert file.read() == b"%d" % number * 3
        assert 2000 <= count(m, "fd") < 2000 + 100 and count(m, "task") <= 20
    wait_until(lambda: count(m, "fd") < idle + 80, what="descriptors given back")  # connections stay


def test_two_hundred_processes_read_one_file(mount, origin, start):
    """All get the same bytes, and the origin sends them once."""
    size = 8 * MIB + 1
    url = origin.file("crowd", size)
    m = mount([url])
    readers = [start("md5sum", m / "data.bin", stdout=subprocess.PIPE) for _ in range(200)]
    wanted = hashlib.md5(content("crowd", 0, size)).hexdigest()
    for reader in readers:
        out, _ = reader.communicate(timeout=2 * PATIENCE)
        assert reader.returncode == 0 and out.split()[0].decode() == wanted
    check_fetched_once(origin, url, size)


def test_a_million_names(mount, scratch):
    """A thousand directories of a thousand files: a list of 70 MB costs little more than itself, and
    looking into it costs what is looked at."""
    lines = "".join(f"http://127.0.0.1:1/{d}/{f}\n  out=d{d}/f{f}\n#adlfs: size={d + f}\n"
                    for d in range(1000) for f in range(1000))
    m = mount(lines, "--log-level=warning")
    assert memory(m) < 1000 * 1000 * 250 * shadows(m)
    assert len(os.listdir(m.path)) == 1000
    assert len(os.listdir(m / "d7")) == 1000
    draw = random.Random(1)
    for _ in range(1000):
        d, f = draw.randrange(1000), draw.randrange(1000)
        assert os.stat(m / f"d{d}/f{f}").st_size == d + f
        assert errno_of(os.stat, m / f"d{d}/f{f}x") == errno.ENOENT
    assert sum(entry.stat().st_size for entry in os.scandir(m / "d999")) == 1000 * 999 + 499500
    assert memory(m) < 1000 * 1000 * 260 * shadows(m)


def test_descriptors_threads_and_memory_level_off(mount, origin, monkeypatch):
    """Of rounds that open, read, fail and close, each of its own files, the later ones add nothing.
    AddressSanitizer would keep 256 MiB of what was freed."""
    monkeypatch.setenv("ASAN_OPTIONS", ":".join(
        [os.environ.get("ASAN_OPTIONS", ""), "quarantine_size_mb=1", "thread_local_quarantine_size_kb=64"]))
    files = [origin.file(f"r{n}", 70000, "status=404" if n % 10 == 0 else "-", name=f"f{n}")
             for n in range(240)]
    m = mount(files)
    levels = []
    for first in range(0, 240, 30):
        for number in range(first, first + 30):
            if number % 10 == 0:
                assert errno_of(read_at, m / f"f{number}", 0, 1) == errno.ENOENT
            else:
                assert read_at(m / f"f{number}", 0, 70000) == content(f"r{number}", 0, 70000)
        wait_until(lambda: count(m, "fd") < 60, what="descriptors given back")
        levels.append((count(m, "fd"), count(m, "task"), memory(m)))
    fds, threads, sizes = zip(*levels)
    assert max(fds[4:]) <= max(fds[:4]) + 20 and max(threads) <= 20, levels
    assert sizes[-1] < sizes[3] + 8 * MIB * slowness(), levels


def test_a_short_soak(adlfs, fuse, scratch, start):
    """contrib/soak for as long as there is time here: it says itself what it found."""
    soak = start(sys.executable, REPOSITORY / "contrib" / "soak", "--seconds=5", "--seed=7",
                 "--readers=4", f"--log={scratch}/soak.log", stdout=subprocess.PIPE,
                 stderr=subprocess.STDOUT, env={**os.environ, "ADLFS": os.fspath(adlfs)})
    out, _ = soak.communicate(timeout=6 * PATIENCE)
    assert soak.returncode == 0, out.decode(errors="replace")[-4000:]
