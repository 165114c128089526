"""A daemon that is stopped, or hangs, keeps no command for ever: it says so and ends."""

import errno
import os
import socket
import subprocess
from pathlib import Path

import pytest

from control import socket_of
from harness import PATIENCE, errno_of, run, stopped, wait_until

# Commands that wait for as long as it takes when the daemon shows that it is alive, and such that
# have to look up a path inside the mount before they can ask anything.
COMMANDS = [("evict", "--yes", ""), ("verify", ""), ("reload", ""), ("status", ""), ("umount", ""),
            ("evict", "--yes", "data.bin"), ("verify", "data.bin"), ("reload", "data.bin"),
            ("status", "data.bin"), ("pause", "data.bin"), ("warm", "data.bin"),
            ("umount", "data.bin"), ("umount", "--lazy", "data.bin"),
            ("mount", "http://127.0.0.1:1/f", "d")]
QUEUE_MAX = 10000  # connections that nobody takes, at most


@pytest.fixture
def hasty(scratch):
    """An environment in which commands wait a twentieth of the time."""
    library = scratch / "hasty.so"
    run("cc", "-fPIC", "-shared", "-o", library, Path(__file__).with_name("hasty.c"), "-ldl")
    return {**os.environ, "LD_PRELOAD": str(library), "ASAN_OPTIONS":
            os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def fill_queue(path):
    """Connections, each given up at once, until the daemon's queue has no room for another."""
    for _ in range(QUEUE_MAX):
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            if errno_of(client.connect, os.fspath(path)) == errno.EAGAIN:
                return
    raise AssertionError("the queue has no end")


@pytest.mark.parametrize("full", [False, True])
def test_no_command_waits_for_ever_for_a_daemon_that_is_stopped(mount, origin, start, hasty, full):
    m = mount([origin.file("s", 10), " out=data.bin", origin.file("s", 10), " out=d/data.bin"])
    path = socket_of(m)
    with stopped(m.pid):
        if full:
            fill_queue(path)
        begun = [start(m.binary, *words, m.path / path, env=hasty, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                 for *words, path in COMMANDS]
        said = [process.communicate(timeout=PATIENCE)[1].decode() for process in begun]
    for words, process, text in zip(COMMANDS, begun, said):
        assert process.returncode == 1 and "does not answer" in text, (words, text)
    wait_until(lambda: run(m.binary, "evict", "--yes", m / "data.bin", check=False).returncode == 0)


def test_a_parent_that_ignores_its_children_changes_nothing(mount, origin):
    """SIGCHLD is ignored in what it starts, too; then there is nothing to wait for."""
    m = mount([origin.file("s", 10)])
    ignoring = ["sh", "-c", "trap '' CHLD; exec \"$@\"", "-"]
    run(*ignoring, m.binary, "reload", m.path)
    run(*ignoring, m.binary, "umount", m.path)
    m.wait_end()
