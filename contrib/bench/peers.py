"""The programs that are compared, and how each is asked to do its best."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import machine
from machine import Failure

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS_TO_MOUNT = 60
SECONDS_TO_END = 20


class Peer:
    """`kinds` names the works (see works.py) that it can do."""

    name = about = program = ""
    kinds = frozenset()
    one_at_a_time = False  # a request for each read, and none ahead: long files take for ever

    @property
    def path(self):
        """Of the program, which the environment may name: RCLONE=..., ADLFS=...; None without."""
        return shutil.which(os.environ.get(self.program.upper(), self.program))

    def hindrance(self):
        """Why it cannot take part; None if it can."""
        return None if self.path else f"{self.program} is not installed"

    def version(self):
        return first_number(self.path, "--version")

    def knows(self, option, *command):
        said = subprocess.run([self.path, *command, "--help"], capture_output=True, text=True,
                              timeout=20, check=False, stdin=subprocess.DEVNULL)
        return option in said.stdout + said.stderr


def first_number(*command, stream="stdout"):
    """Programs say their version in many ways; all begin with the number or come soon to it."""
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                          stdin=subprocess.DEVNULL)
    found = re.search(r"\d+(\.\d+)+", getattr(said, stream))
    return found[0] if found else "?"


# ---- those that mount


class MountingPeer(Peer):
    mounts = True
    kinds = frozenset({"sequential", "first", "random", "warm", "many", "small"})

    def command(self, origin, place, files):
        """Stays in the foreground, keeps its cache in place.cache and mounts place.mount."""
        raise NotImplementedError

    def file(self, place, name):
        return place.mount / name

    def mount(self, origin, place, processes, files):
        return Mount(self, origin, place, processes, files)


class Mount:
    """`with peer.mount(...)`: the origin's files, mounted."""

    def __init__(self, peer, origin, place, processes, files):
        self.peer, self.place, self.processes = peer, place, processes
        self.command = [*origin.client, *peer.command(origin, place, files)]

    def __enter__(self):
        self.log = self.place.log(self.peer.name).open("w")
        self.process = self.processes.start(self.command, stdout=self.log, stderr=self.log)
        give_up = time.monotonic() + SECONDS_TO_MOUNT
        while not machine.is_mounted(self.place.mount):
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.__exit__()
                raise Failure(f"does not mount: {self.place.last_words(self.peer.name)}")
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        machine.unmount(self.place.mount)
        self.processes.stop(self.process, SECONDS_TO_END)
        machine.unmount(self.place.mount)  # what a killed one leaves behind
        self.log.close()

    def file(self, name):
        return self.peer.file(self.place, name)

    def cpu_seconds(self):
        return machine.cpu_seconds(self.process.pid)

    def peak_MB(self):
        return machine.peak_bytes(self.process.pid) / 1e6


class Adlfs(MountingPeer):
    name, about = "adlfs", "this program"

    @property
    def path(self):
        return shutil.which(os.environ.get("ADLFS", REPOSITORY / "build" / "adlfs"))

    def hindrance(self):
        return None if self.path else "build it, or say where it is with ADLFS="

    def command(self, origin, place, files):
        manifest = place.root / "urls.txt"
        manifest.write_text("".join(f"{origin.url(name)}\n  out={name}\n" for name in files))
        return [self.path, "mount", "-f", f"--cache-dir={place.cache}", manifest, place.mount]


class Httpdirfs(MountingPeer):
    name = program = "httpdirfs"
    about = "its cache, 16 connections"

    def version(self):
        # Its libraries' numbers come first, on another stream.
        return first_number(self.path, "--version", stream="stderr")

    def command(self, origin, place, files):
        # 1.2.5 does not believe in nginx's ranges, and would end at the first read.
        checks = ["--no-range-check"] if self.knows("--no-range-check") else []
        return [self.path, "-f", "--cache", "--cache-location", place.cache, "--max-conns", "16",
                *checks, origin.url(), place.mount]


class Rclone(MountingPeer):
    name = program = "rclone"
    about = "rclone mount, full cache"
    options = ()

    def version(self):
        return first_number(self.path, "version")

    def command(self, origin, place, files):
        return [self.path, "mount", "--config", os.devnull, "--read-only",
                "--vfs-cache-mode", "full", "--cache-dir", place.cache,
                "--http-url", origin.url(), *self.options, ":http:", place.mount]


class RcloneStreams(Rclone):
    name = "rclone-16"
    about = "the same with 16 streams for each file"
    options = ("--vfs-read-chunk-streams", "16", "--vfs-read-chunk-size", "4M",
               "--vfs-read-ahead", "128M")

    def hindrance(self):
        if reason := super().hindrance():
            return reason
        option = self.options[0]
        return None if self.knows(option, "mount") else f"this rclone has no {option}"


class Nbdfuse(MountingPeer):
    name = program = "nbdfuse"
    about = "nbdfuse over nbdkit's curl plugin with its cache filter"
    kinds = frozenset({"sequential", "first", "random"})
    one_at_a_time = True

    def hindrance(self):
        if reason := super().hindrance():
            return reason
        return None if shutil.which("nbdkit") else "nbdkit is not installed"

    def command(self, origin, place, files):
        return [self.path, "-r", place.mount, "[", "nbdkit", "-r", "--filter=cache", "curl",
                f"url={origin.url(files[0])}", "cache-on-read=true", "]"]

    def file(self, place, name):
        return place.mount / "nbd"


# ---- those that download


class DownloadingPeer(Peer):
    mounts = False
    kinds = frozenset({"sequential", "many"})

    def download(self, origin, place, name):
        """The command that fetches one file into place.downloads / name."""
        raise NotImplementedError

    def download_many(self, origin, place, names):
        """The command that fetches files into place.downloads, 16 at a time."""
        raise NotImplementedError


class Curl(DownloadingPeer):
    name = program = "curl"
    about = "one stream to a file; curl -Z for many"
    kinds = DownloadingPeer.kinds | {"first"}

    def download(self, origin, place, name):
        return [self.path, "-sSfo", place.downloads / name, origin.url(name)]

    def download_many(self, origin, place, names):
        pairs = [word for name in names
                 for word in ("-o", place.downloads / Path(name).name, origin.url(name))]
        return [self.path, "-sSfZ", "--parallel-max", "16", *pairs]

    def download_range(self, origin, name, first, last, target):
        """... and prints the seconds that it took."""
        return [self.path, "-sSf", "-r", f"{first}-{last}", "-o", target, "-w", "%{time_total}",
                origin.url(name)]


class Aria2(DownloadingPeer):
    name = program = "aria2c"
    about = "16 connections to a file"
    settings = ("-q", "--no-conf", "--file-allocation=none")

    def download(self, origin, place, name):
        return [self.path, *self.settings, "-x16", "-s16", "-k1M", "-d", place.downloads,
                "-o", name, origin.url(name)]

    def download_many(self, origin, place, names):
        manifest = place.root / "urls.txt"
        manifest.write_text("".join(origin.url(name) + "\n" for name in names))
        return [self.path, *self.settings, "-x1", "-s1", "-j16", "-d", place.downloads,
                "-i", manifest]


PEERS = {peer.name: peer for peer in (
    Adlfs(), Httpdirfs(), Rclone(), RcloneStreams(), Nbdfuse(), Curl(), Aria2())}
