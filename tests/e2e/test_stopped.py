"""A daemon that is stopped, or hangs, keeps no command for ever: it says so and ends."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from control import socket_of
from harness import PATIENCE, run

# Commands that wait for as long as it takes when the daemon shows that it is alive, and such that
# have to look up a path inside the mount before they can ask anything.
COMMANDS = [("evict", "--yes", ""), ("verify", ""), ("reload", ""), ("status", ""), ("umount", ""),
            ("evict", "--yes", "data.bin"), ("verify", "data.bin"), ("reload", "data.bin"),
            ("status", "data.bin"), ("pause", "data.bin"), ("warm", "data.bin")]


@pytest.fixture
def hasty(scratch):
    """An environment in which commands wait a twentieth of the time."""
    library = scratch / "hasty.so"
    run("cc", "-fPIC", "-shared", "-o", library, Path(__file__).with_name("hasty.c"), "-ldl")
    return {**os.environ, "LD_PRELOAD": str(library), "ASAN_OPTIONS":
            os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_no_command_waits_for_ever_for_a_daemon_that_is_stopped(mount, origin, start, hasty):
    m = mount([origin.file("s", 10)])
    assert socket_of(m)
    with stopped(m.pid):
        begun = [start(m.binary, *words, m.path / path, env=hasty, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                 for *words, path in COMMANDS]
        said = [process.communicate(timeout=PATIENCE)[1].decode() for process in begun]
    for words, process, text in zip(COMMANDS, begun, said):
        assert process.returncode == 1 and "does not answer" in text, (words, text)
    run(m.binary, "evict", "--yes", m / "data.bin")  # it is well again, and nothing is left of it
