"""Talks to a mount's control socket, as any program might (src/control.md)."""

import json
import os
import socket
from pathlib import Path

from harness import PATIENCE, wait_until


def socket_of(mount):
    """Where the mount says that its socket is, once it is there."""
    def told():
        try:
            return os.getxattr(mount.path, "user.adlfs.control").decode()
        except OSError:
            return None
    return Path(wait_until(told, what="the control socket"))


class Control:
    def __init__(self, mount):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(socket_of(mount)))
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def send(self, **order):
        self.socket.sendall(json.dumps({"adlfs": 1, **order}).encode() + b"\n")

    def next(self):
        """The next answer; None when the daemon has hung up."""
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def ask(self, **order):
        self.send(**order)
        return self.next()

    def status(self, *paths, **more):
        answer = self.ask(do="status", paths=list(paths), **more)
        assert answer["ok"], answer
        return answer

    def file(self, path, **more):
        return self.status(path, **more)["files"][0]

    def mount(self):
        return self.status(limit=0)["mount"]
