"""What contrib/soak asks of its mounts, at random, while others read from them: every command, in the
middle of the daemon's end as at any other moment."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

COMING = 24  # files from this number on are taken out of the manifest and put back
PATIENCE = 100  # s; no command may take so long
GARBAGE = [b"{", b"null\n", b'{"adlfs":1,"do":"status","every":100}\n{"adlfs":1,"id"', b"\0" * 70000,
           b'{"adlfs":1,"do":"warm","paths":["d0/../d1"]}\n' * 30, b'{"adlfs":2,"do":"hello"}\n']


class Failure(Exception):
    """What must not happen."""


class Orders(threading.Thread):
    """Gives orders, one after another, to the one mount or the other. `since`, as a reader's: when its
    present operation began; None: it rests."""

    KINDS = {"status": 4, "pause": 4, "warm": 3, "evict": 3, "reload": 2, "limit": 2, "verify": 2,
             "subscribe": 2, "garbage": 1, "cache": 1, "fill_disk": 1}

    def __init__(self, soak, number):
        super().__init__(name=f"o{number}", daemon=True)
        self.soak = soak
        self.random = random.Random(f"{soak.arguments.seed} {self.name}")
        self.since = None
        self.operations = 0
        self.did = {}

    def run(self):
        try:
            while not self.soak.over.is_set():
                if self.soak.quiet.wait(0.02):
                    continue
                self.since = time.monotonic()
                if not self.soak.quiet.is_set():
                    self.operate()
                self.since = None
                self.soak.over.wait(self.random.uniform(0, 0.2))
        except Failure as failure:
            self.soak.fail(f"{self.name}: {failure}")
        except Exception as wrong:  # pylint: disable=broad-except
            self.soak.fail(f"{self.name}: {type(wrong).__name__}: {wrong}")

    def operate(self):
        """One operation, drawn whole before anything is done, so that outcomes change no draw."""
        draw = self.random
        kind = draw.choices(list(self.KINDS), self.KINDS.values())[0]
        life = draw.choice([self.soak.steady, self.soak.brief])
        target = draw.choice([*self.soak.files] + ["", "d0", "d1", "d2"] * 3)
        name = target if isinstance(target, str) else target.name
        seed = draw.getrandbits(32)
        self.operations += 1
        self.did[kind] = self.did.get(kind, 0) + 1
        self.soak.note(f"{self.name} #{self.operations} {kind} "
                       f"{'steady' if life is self.soak.steady else 'brief'} '{name}' {seed:08x}")
        getattr(self, kind)(life, name, random.Random(seed))

    def fault(self, life, name, text):
        """What is no fault: a mount that has ended, or a name that is not there."""
        if life.ended or life.lacks(name, self.since):
            return
        raise Failure(f"#{self.operations}: {text}")

    def ask(self, life, name, *command, good=(0,), limit=None):
        """A command to its end, or interrupted after `limit` s; what it printed."""
        command = [str(part) for part in (self.soak.binary, *command)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, start_new_session=True) as process:
            try:
                out, err = process.communicate(timeout=limit or PATIENCE)
            except subprocess.TimeoutExpired:
                if not limit:
                    self.hangs(process, command)
                process.send_signal(signal.SIGINT)
                good = *good, 130, -signal.SIGINT  # before it had a handler, too
                try:
                    out, err = process.communicate(timeout=PATIENCE)
                except subprocess.TimeoutExpired:
                    self.hangs(process, command)
        if process.returncode not in good:
            self.fault(life, name, f"status {process.returncode} of {command}: "
                       f"{err.decode(errors='replace')[-500:]}")
        return process.returncode, out

    def hangs(self, process, command):
        """Says where."""
        where = []
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                where.append((task / "syscall").read_text() + (task / "stack").read_text())
        process.kill()
        process.communicate(timeout=PATIENCE)
        raise Failure(f"#{self.operations}: hangs: {command}: {where}")

    # The orders.

    def status(self, life, name, draw):
        how = draw.choice(["--json", "--json", "--format=prometheus", "--watch", None])
        path = life.mount / name
        if how == "--watch":
            self.ask(life, name, "status", how, path, limit=draw.choice([0.1, 0.5]))
            return
        if how == "--format=prometheus":
            path = life.mount.path
        code, out = self.ask(life, name, "status", *filter(None, [how]), path)
        if how == "--json" and code == 0:
            json.loads(out)

    def pause(self, life, name, draw):
        long = draw.choice([0.05, 0.3, 1.5])
        with life.paused():
            self.ask(life, name, "pause", life.mount / name)
            self.soak.quiet.wait(long)
            while self.ask(life, name, "resume", life.mount / name)[0] and not life.ended:
                # Its name is not there: all of them go on.
                if self.ask(life, "", "resume", life.mount.path)[0] == 0:
                    break

    def warm(self, life, name, draw):
        how = draw.choice([["--detach"], [], ["--range=0-200000"], ["--jobs=2"]])
        self.ask(life, name, "warm", *how, life.mount / name, good=(0, 1),
                 limit=draw.choice([0.05, 0.5, 3]))

    def evict(self, life, name, _draw):
        self.ask(life, name, "evict", "--yes", life.mount / name, good=(0, 1))

    def limit(self, life, _name, draw):
        self.ask(life, "", "set", life.mount.path, f"limit-rate={draw.choice(['0', '0', '8M', '20M'])}")

    def verify(self, life, name, draw):
        """Nobody damages the steady mount's cache."""
        if draw.random() < 0.3:
            cache = draw.choice(self.soak.caches)
            self.ask(life, name, "verify", f"--cache-dir={cache}", good=(0, 1))
        else:
            good = (0,) if life is self.soak.steady else (0, 1)
            self.ask(life, name, "verify", life.mount / name, good=good)

    def cache(self, life, _name, draw):
        cache = draw.choice(self.soak.caches)
        self.ask(life, "", "cache", draw.choice(["ls", "gc"]), f"--cache-dir={cache}", good=(0, 1))

    def reload(self, life, _name, draw):
        coming = self.soak.files[COMING:]
        absent = {file.name for file in coming if draw.random() < 0.4}
        hup = draw.random() < 0.2
        with life.reloading:
            life.expect(absent)
            life.write_manifest([file for file in self.soak.files if file.name not in absent])
            if hup and not life.ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(life.mount.pid, signal.SIGHUP)
            code, _ = self.ask(life, "", "reload", life.mount.path)
            if code == 0:
                life.reloaded(absent)

    def subscribe(self, life, name, draw):
        """A client that listens for a while, or is too slow, and hangs up."""
        lines = draw.choice([0, 1, 3])
        slow = draw.random() < 0.3
        order = {"adlfs": 1, "do": "status", "every": 100, "paths": [name] if name else [],
                 "cells": 60}
        try:
            with self.client(life) as client, client.makefile("rb") as answers:
                client.sendall(json.dumps(order).encode() + b"\n")
                if slow:
                    self.soak.quiet.wait(1)
                for _ in range(lines):
                    line = answers.readline()
                    if not line or not json.loads(line)["more"]:
                        break
        except OSError as error:
            self.fault(life, name, f"the control socket: {error}")

    def garbage(self, life, _name, draw):
        """A client that means no good. What becomes of it is its own business."""
        what = draw.choice(GARBAGE)
        with contextlib.suppress(OSError), self.client(life) as client:
            client.sendall(what)
            if draw.random() < 0.5:
                client.shutdown(socket.SHUT_WR)
                client.recv(1000)

    @contextlib.contextmanager
    def client(self, life):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(self.path_of(life))
            yield client

    @staticmethod
    def path_of(life):
        """Of its control socket, which is there a moment after its mount."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return os.getxattr(life.mount.path, "user.adlfs.control").decode()
            except OSError:
                if life.ended or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def fill_disk(self, _life, _name, draw):
        """The small disk: something else takes room on it, or gives it back."""
        size = draw.choice([0, 1 << 20, 16 << 20])
        ballast = self.soak.disk / "ballast"
        with contextlib.suppress(OSError):
            ballast.unlink()
        with contextlib.suppress(OSError), open(ballast, "wb") as out:
            os.posix_fallocate(out.fileno(), 0, min(size, os.statvfs(self.soak.disk).f_bavail * 4096))
