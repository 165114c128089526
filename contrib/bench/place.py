"""The folder that a benchmark works in: the origin's files, a mount point, a cache, downloads."""

import contextlib
import os
import random
import shutil
import tempfile
from pathlib import Path

import machine
from machine import Failure

MANY = 64
SMALL = 1000
SMALL_BYTES = 10_000
WRITTEN = 4 << 20  # bytes at a time
CHECKED = 1 << 20


class Place:
    """`with Place(size)`: all of it is there, with `size` bytes in the largest file. Large files
    belong into /var/tmp, which is on a disk where /tmp is memory; TMPDIR names another."""

    def __init__(self, size):
        self.size = size
        self.many_names = [f"many/f{i:02d}.bin" for i in range(MANY)]
        self.small_names = [f"small/s{i:04d}.dat" for i in range(SMALL)]
        # A capped link is slow, a lossy one slower: shorter files take long enough there.
        self.sizes = {"big.bin": size, "mid.bin": size // 4, "low.bin": size // 16}
        self.sizes |= dict.fromkeys(self.many_names, size // MANY)
        self.sizes |= dict.fromkeys(self.small_names, SMALL_BYTES)

    def __enter__(self):
        parent = os.environ.get("TMPDIR", "/var/tmp")
        # The origin's files, a cache or a download beside them, and something to breathe.
        needed = sum(self.sizes.values()) + 2 * self.size + (256 << 20)
        if shutil.disk_usage(parent).free < needed:
            raise Failure(f"{parent} has not the {needed >> 20} MiB that this takes: "
                          "set TMPDIR, or a smaller --size")
        self.root = Path(tempfile.mkdtemp(prefix="adlfs-bench.", dir=parent))
        self.data, self.mount, self.home = (self.root / name for name in ("data", "mount", "home"))
        self.cache, self.downloads = self.root / "cache", self.root / "downloads"
        try:
            for folder in self.data, self.data / "many", self.data / "small", self.mount, self.home:
                folder.mkdir()
            self.clear()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        machine.unmount(self.mount)
        if not machine.is_mounted(self.mount):  # never remove what somebody's mount shows
            shutil.rmtree(self.root, ignore_errors=True)

    def make(self, names):
        """Writes those of the origin's files that are not there yet: bytes that compress as little
        as they repeat, so that no two places can be mistaken for each other."""
        for name in names:
            path = self.data / name
            if path.exists():
                continue
            dice = random.Random(name)
            with path.open("wb") as file:
                for at in range(0, self.sizes[name], WRITTEN):
                    file.write(dice.randbytes(min(WRITTEN, self.sizes[name] - at)))

    def clear(self):
        """What peers kept is gone."""
        for folder in self.cache, self.downloads:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    def settle(self, names, memory):
        """machine.settle(), with the origin's files in memory, where nginx finds them."""
        for name in names:
            machine.read_through(self.data / name)
        machine.settle(self.root, memory)

    def log(self, peer):
        return self.root / f"{peer}.log"

    def last_words(self, peer):
        with contextlib.suppress(OSError):
            lines = self.log(peer).read_text(errors="replace").split("\n")
            return " ".join(line.strip() for line in lines[-4:]).strip()[-200:] or "it says nothing"
        return "it says nothing"

    def check(self, name, path):
        """Every byte. (filecmp.cmp would remember its answer for as long as the mtime stays.)"""
        with (self.data / name).open("rb") as right, open(path, "rb", buffering=0) as read:
            at = 0
            while expected := right.read(CHECKED):
                if read.read(len(expected)) != expected:
                    raise Failure(f"wrong bytes in {name}, in the MiB at {at}")
                at += len(expected)
            if read.read(1):
                raise Failure(f"{name} is too long")
