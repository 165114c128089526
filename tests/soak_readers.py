"""Who reads in contrib/soak: in every way there is, and every byte is compared."""

import contextlib
import errno
import hashlib
import os
import random
import subprocess
import sys
import threading
import time

from pattern import content
from soak_orders import Failure

HANG = 120  # s; no read may take so long
LOST = {errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENODEV, errno.ENOENT, errno.EINTR,
        errno.EBADF, errno.ESTALE, errno.ETIMEDOUT}

# Maps the file of its argument and writes its MD5.
MAPPER = ("import hashlib, mmap, sys\n"
          "with open(sys.argv[1], 'rb') as f:\n"
          "    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n"
          "sys.stdout.buffer.write(hashlib.md5(m).digest())\n")


class Reader(threading.Thread):
    """Reads this and that, and compares."""

    def __init__(self, soak, number):
        super().__init__(name=f"r{number}", daemon=True)
        self.soak = soak
        self.random = random.Random(f"{soak.arguments.seed} {self.name}")
        self.since = None  # when its present operation began; None: it rests
        self.operations = self.bytes = 0
        self.errors = {}

    def run(self):
        try:
            while not self.soak.over.is_set():
                while self.soak.quiet.is_set() and not self.soak.over.is_set():
                    time.sleep(0.02)
                self.since = time.monotonic()
                if not self.soak.quiet.is_set():
                    self.operate()
                self.since = None
        except Failure as failure:
            self.soak.fail(f"{self.name}: {failure}")
        except Exception as wrong:  # pylint: disable=broad-except
            self.soak.fail(f"{self.name}: {type(wrong).__name__}: {wrong}")

    def operate(self):
        """One operation, drawn whole before anything is done, so that outcomes change no draw."""
        draw = self.random
        file = draw.choice(self.soak.files)
        life = draw.choice([self.soak.steady, self.soak.steady, self.soak.brief])
        kind = draw.choice([self.sequential, self.sequential, self.scattered, self.scattered,
                            self.look, self.open_close, self.mapped, self.interrupted])
        seed = draw.getrandbits(32)
        self.operations += 1
        self.soak.note(f"{self.name} #{self.operations} {kind.__name__} {file.name} "
                       f"{'steady' if life is self.soak.steady else 'brief'} {seed:08x}")
        since, frozen = self.since, self.soak.frozen
        try:
            kind(life.mount / file.name, file, random.Random(seed))
        except OSError as error:
            self.errors[error.errno] = self.errors.get(error.errno, 0) + 1
            excused = (file.excuses(error.errno, since) or
                       life.excuses(file.name, error.errno, since) or
                       (life.ended and error.errno in LOST) or self.soak.frozen != frozen)
            if not excused:
                raise Failure(f"#{self.operations} {kind.__name__} {file.name}: {error}; kind "
                              f"{file.kind}, trouble {file.trouble}, version {file.version}") from None

    def compare(self, file, offset, data, versions):
        """Strikes out the versions that it is not: one must be left for all that a handle reads."""
        self.bytes += len(data)
        versions -= {v for v in versions
                     if content(file.seed, offset, len(data), str(v)) != data}
        if not versions:
            raise Failure(f"#{self.operations}: wrong bytes of {file.name} at {offset}, "
                          f"{len(data)} of them")

    def pread(self, fd, file, offset, length, versions):
        """To the length asked for or the end: a read that failed in its middle is a short one."""
        data = b""
        while len(data) < length and (part := os.pread(fd, length - len(data), offset + len(data))):
            data += part
        wanted = max(0, min(length, file.size - offset))
        if len(data) != wanted:
            raise Failure(f"#{self.operations}: {len(data)} bytes of {file.name} at {offset}, "
                          f"not {wanted}")
        self.compare(file, offset, data, versions)
        return len(data)

    @contextlib.contextmanager
    def opened(self, path, file):
        """A descriptor, and the versions that it may be of: those until now."""
        fd = os.open(path, os.O_RDONLY)
        try:
            yield fd, set(range(file.version + 1))
        finally:
            os.close(fd)

    def sequential(self, path, file, draw):
        step = draw.choice([4096, 65536, 131072, 1 << 20, 12345])
        start = draw.choice([0, 0, draw.randrange(file.size + 1)])
        most = draw.choice([file.size, 256 * 1024])
        with self.opened(path, file) as (fd, versions):
            offset = start
            while offset < min(file.size, start + most):
                offset += self.pread(fd, file, offset, step, versions)
            if offset >= file.size:
                self.pread(fd, file, offset, 4096, versions)

    def scattered(self, path, file, draw):
        places = [(draw.randrange(file.size + 1), draw.choice([1, 4096, 10000, 70000]))
                  for _ in range(draw.choice([1, 5, 20]))]
        with self.opened(path, file) as (fd, versions):
            for offset, length in places:
                self.pread(fd, file, offset, length, versions)

    def look(self, path, file, draw):
        if draw.random() < 0.3:
            os.listdir(path.parent)
        size = os.stat(path).st_size
        if size != file.size and not ("chunked" in file.kind and size == 0):
            raise Failure(f"#{self.operations}: size {size} of {file.name}, not {file.size}")
        for name in os.listxattr(path):
            with contextlib.suppress(OSError):
                os.getxattr(path, name)

    def open_close(self, path, file, draw):
        for _ in range(draw.randrange(1, 12)):
            with self.opened(path, file) as (fd, versions):
                if draw.random() < 0.3:
                    self.pread(fd, file, 0, 1, versions)

    def outside(self, path, limit, *command):
        """Another program's reading, so that a signal or a page fault is not this process'. What it
        printed, if it came to its end."""
        with subprocess.Popen([*command, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            try:
                out, _ = process.communicate(timeout=limit)
                return out if process.returncode == 0 else None
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate(timeout=HANG)
                return None

    def interrupted(self, path, _file, draw):
        self.outside(path, draw.choice([0.01, 0.1, 0.5]), "md5sum")

    def mapped(self, path, file, draw):
        """By page faults; an end of the daemon is a SIGBUS there."""
        out = self.outside(path, draw.choice([0.1, 3]), sys.executable, "-c", MAPPER)
        if out:
            for version in range(file.version + 1):
                if out == hashlib.md5(content(file.seed, 0, file.size, str(version))).digest():
                    self.bytes += file.size
                    return
            raise Failure(f"#{self.operations}: wrong bytes in the mapping of {file.name}")
