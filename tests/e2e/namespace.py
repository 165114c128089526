"""A small world of its own: mount and process name spaces in which a test may install things where
the system looks for them (/usr/sbin, /run) without anybody noticing. What is started or mounted in
there ends with it."""

import contextlib
import os
import subprocess
from pathlib import Path

from harness import REPOSITORY, Pid, kill_group, mount_table, run, running, wait_until

SETUP = f"""\
set -e
'{REPOSITORY}/contrib/let-go'
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$1/upper,workdir=$1/work" /usr/sbin
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal
echo ready
exec sleep 1000
"""


class World:
    """`run(COMMAND...)` runs in it; `path(PATH)` is how its files are reached from outside."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir()
        self.outer = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                "-c",
                SETUP,
                "sh",
                self.directory,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        said = self.outer.stdout.readline()
        self.pid = None
        if said != b"ready\n":
            said += self.outer.stdout.read()
            self.close()
            raise AssertionError(f"no name spaces: {said.decode()}")
        inner = run("ps", "--no-headers", "-o", "pid", "--ppid", self.outer.pid).stdout.split()
        self.pid = Pid(inner[0])

    def path(self, path):
        return Path(f"/proc/{self.pid}/root{path}")

    def command(self, *command):
        return [
            "nsenter",
            f"--target={self.pid}",
            "--mount",
            "--pid",
            f"--wdns={os.getcwd()}",
            "--",
            *command,
        ]

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def mounted(self, point):
        """The line of mountinfo of what is mounted on `point`, "" if nothing is."""
        for line in mount_table(self.pid):
            if line.split(" ")[4] == os.fspath(point):
                return line
        return ""

    def close(self):
        kill_group(self.outer)
        self.outer.stdout.close()
        if self.pid:
            wait_until(lambda: not running(self.pid), what="the end of the name spaces")


@contextlib.contextmanager
def world(directory):
    one = World(directory)
    try:
        yield one
    finally:
        one.close()
