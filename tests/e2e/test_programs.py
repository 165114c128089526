"""What is a program is seen by its first byte, and the mode waits for that: with its head alone, an
answer says nothing of it. But nothing waits for longer than the transfer that is to bring it."""

import concurrent.futures
import errno
import os
import signal
import stat
import subprocess
import sys

import pytest

from harness import PATIENCE, SIZE_PROBE, read_at, run, wait_until, xattr
from origin import content

SEED = "program26"
SIZE = 1 << 20
PATIENT = "--stall-timeout=600"  # nothing ends that the test does not end

EXECUTE = """
import os, sys
try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError as error:
    print(error.errno)
"""


@pytest.fixture
def asked():
    """asked(PATH) -> a future of os.stat()'s answer, in a thread of its own."""
    pool = concurrent.futures.ThreadPoolExecutor(16)
    yield lambda path: pool.submit(os.stat, path)
    pool.shutdown(wait=False)


def told(future):
    status = future.result(PATIENCE)
    return status.st_size, stat.S_IMODE(status.st_mode)


def head_came(path):
    """Asks nobody, and waits for nothing."""
    return xattr(path, "mode") != "unknown"


def mount_all(mount, origin, options, *arguments, **more):
    """A mount of a program for each of the options; its paths, and URLs."""
    assert content(SEED, 0, 1) == b"\x7f"
    names = [f"p{n}" for n in range(len(options))]
    urls = [origin.file(SEED, SIZE, one, name) for one, name in zip(options, names)]
    m = mount(urls, *arguments, **more)
    return m, [m / name for name in names], urls


def test_the_first_exec_of_a_program_waits_for_the_byte_that_tells_it(mount, origin, asked, start):
    held = "hold=0;gate=byte;first=1"
    m, paths, urls = mount_all(mount, origin, [
        held, held, f"{held},chunked", f"{held},ranges=ignore", f"{held},ranges=ignore;size=20K",
        held], PATIENT)
    futures = [asked(path) for path in paths[:-1]]
    program = start(sys.executable, "-c", EXECUTE, paths[-1], stdout=subprocess.PIPE)
    for path in paths:
        wait_until(lambda: head_came(path), what="a head")
    # Who opens and reads does not wait, and while nobody has read the beginning, who asks does.
    assert read_at(paths[0], SIZE // 2, 1000) == content(SEED, SIZE // 2, 1000)
    assert not [future for future in futures if future.done()] and program.poll() is None
    assert [origin.stats(url)["requests"] for url in urls[1:]] == [1] * 5
    assert read_at(paths[1], 0, 1000) == content(SEED, 0, 1000)
    assert told(futures[1]) == (SIZE, 0o555), "a read brings the byte as well"
    assert not futures[0].done() and not futures[2].done()
    origin.open("byte")
    assert [told(future) for future in futures] == [(20 << 10 if path == paths[4] else SIZE, 0o555)
                                                    for path in paths[:-1]]
    assert [origin.stats(url)["requests"] for url in urls[2:5]] == [1] * 3
    # It is no real program, but not for want of a mode.
    assert int(program.communicate(timeout=PATIENCE)[0]) == errno.ENOEXEC
    ranges = [entry["range"] for entry in origin.stats(urls[-1])["log"]]
    assert ranges.count(SIZE_PROBE) == 1


def test_a_stat_ends_with_the_transfer_that_was_to_bring_the_byte(mount, origin, asked, adlfs,
                                                                  start):
    """Then size and time are all that is known; nobody asks again for the byte."""
    held = "hold=0;gate=end"
    m, paths, urls = mount_all(mount, origin, [
        f"{held};reset=0", f"{held};truncate=0", f"{held};ranges=ignore;reset=0", "hold=0;silent",
        "hold=0;silent", "hold=0;silent"], PATIENT)
    futures = [asked(path) for path in paths[:4]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    impatient, last = start("stat", paths[4], **quiet), start("stat", paths[5], **quiet)
    for path in paths:
        wait_until(lambda: head_came(path), what="a head")
    assert not [future for future in futures if future.done()]
    assert impatient.poll() is None and last.poll() is None
    origin.open("end")
    run(adlfs, "pause", paths[3])
    assert [told(future) for future in futures] == [(SIZE, 0o444)] * 4
    impatient.send_signal(signal.SIGINT)
    assert impatient.wait(PATIENCE) == -signal.SIGINT
    assert [told(asked(path)) for path in paths[:4]] == [(SIZE, 0o444)] * 4
    assert [origin.stats(url)["requests"] for url in urls] == [1] * 6
    os.kill(m.pid, signal.SIGTERM)
    m.wait_end()
    last.wait(PATIENCE)


def test_a_stat_does_not_outwait_an_origin_that_stalls_behind_its_head(mount, origin, asked):
    _, paths, _ = mount_all(mount, origin, ["hold=0;silent", "ranges=ignore;hold=0;silent"],
                            "--stall-timeout=2")
    assert [told(future) for future in [asked(path) for path in paths]] == [(SIZE, 0o444)] * 2


def test_nothing_waits_for_a_byte_that_tells_nothing(mount, origin):
    """Where every file is a program; and where the head promises none."""
    _, paths, urls = mount_all(mount, origin, ["hold=0;silent"], PATIENT, "--exec")
    _, more, _ = mount_all(mount, origin, ["ranges=ignore;chunked;hold=0;silent"], PATIENT)
    assert stat.S_IMODE(os.stat(paths[0]).st_mode) == 0o555
    assert stat.S_IMODE(os.stat(more[0]).st_mode) == 0o444
    assert origin.stats(urls[0])["active"] == 1


@pytest.mark.parametrize("options", ["-", "ranges=ignore"])
def test_what_is_a_program_is_known_the_next_time(mount, origin, scratch, options):
    for _ in range(2):
        m, paths, urls = mount_all(mount, origin, [options], cache=scratch / "cache")
        assert stat.S_IMODE(os.stat(paths[0]).st_mode) == 0o555
        m.umount()
    assert origin.stats(urls[0])["requests"] == 1
