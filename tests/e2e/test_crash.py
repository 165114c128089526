"""kill -9 at any moment, and power cuts: every byte read afterwards is the origin's, and nothing that
was recorded is fetched again.

ADLFS_KILLS and ADLFS_CUTS say how many there are (contrib/test asks for fewer of a daemon that runs
under a sanitizer, which is several times as slow), ADLFS_SEED repeats a run's choices."""

import contextlib
import ctypes
import os
import random
import subprocess
import threading
import time

import pytest

from harness import SIZE_PROBE, mounted, umount, wait_until
from origin import content
from sidecar import Sidecar, forge_boot

KILLS = int(os.environ.get("ADLFS_KILLS", 200))
CUTS = int(os.environ.get("ADLFS_CUTS", 12))
KIB = 1024
LIFE_LIMIT = 60  # s; a daemon that lives longer hangs, and is ended so that its readers are, too
LIVES = 10  # at most, until a set of files is read to its end and another one takes its place
READERS = 3
MNT_DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)

# seed, size, options of the origin; the last two have no ranges: they begin anew after a kill
FILES = [("kill1", 300 * KIB + 1, "rate=6M"), ("kill2", 64 * KIB, "-"),
         ("kill3", 210 * KIB + 77, "cap=9000"), ("kill4", 999, "latency=0.004"),
         ("kill5", 120 * KIB, "ranges=ignore;rate=8M"),
         ("kill6", 70 * KIB + 5, "ranges=ignore;length=none;rate=8M")]


class File:
    """One of the list's files, as the test knows it."""

    def __init__(self, origin, seed, size, options, name):
        self.url = origin.file(seed, size, options, name)
        self.name, self.size = name, size
        self.truth = content(seed, 0, size)
        self.split = "ranges=ignore" not in options


class Life:
    """One daemon's, from its start to whatever end."""

    def __init__(self, adlfs, place, block_size):
        self.path = place / "mnt"
        self.log = place / "log"
        self.ending = threading.Event()  # from here on reads may fail
        self.problems = []
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [adlfs, "mount", "-f", "--log-level=debug", "--revalidate=never",
                 f"--cache-dir={place / 'cache'}", f"--block-size={block_size}",
                 place / "urls.txt", self.path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.readers = []
        self.over = threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        """Second by second, so that a machine that stood still in between does not count."""
        if not any(self.over.wait(1) for _ in range(LIFE_LIMIT)):
            self.problems.append(f"a hang: alive after {LIFE_LIMIT} s")
            self.process.kill()

    def wait_usable(self):
        wait_until(lambda: mounted(self.path) or self.process.poll() is not None)
        assert self.process.poll() is None, f"adlfs mount ended: {self.log.read_text()[-4000:]}"

    def read(self, file, offset, length):
        """Reads there and compares."""
        fd = os.open(self.path / file.name, os.O_RDONLY)
        try:
            while length > 0 and (part := os.pread(fd, length, offset)):
                assert part == file.truth[offset:offset + len(part)], \
                    f"{file.name}: wrong bytes in [{offset}, {offset + len(part)})"
                offset, length = offset + len(part), length - len(part)
            assert length == 0 or offset == file.size, f"{file.name} ends at {offset}"
        finally:
            with contextlib.suppress(OSError):
                os.close(fd)

    def read_at_random(self, files, seed):
        choose = random.Random(seed)
        try:
            while not self.ending.is_set():
                file = choose.choice(files)
                offset = choose.randrange(file.size)
                self.read(file, offset, min(1 + choose.randrange(40 * KIB), file.size - offset))
        except OSError as error:
            if not self.ending.is_set():
                self.problems.append(f"a read failed: {error}")
        except AssertionError as problem:
            self.problems.append(str(problem))

    def start_readers(self, files, choose):
        for _ in range(READERS):
            reader = threading.Thread(target=self.read_at_random,
                                      args=(files, choose.randrange(1 << 32)), daemon=True)
            reader.start()
            self.readers.append(reader)

    def kill(self):
        """kill -9, and what is left of the mount is taken away."""
        died = self.process.poll()
        self.ending.set()
        self.process.kill()
        self.clear()
        assert died is None, f"the daemon ended with {died}: {self.log.read_text()[-4000:]}"
        assert not self.problems, "\n".join(self.problems)

    def clear(self):
        self.ending.set()
        self.over.set()
        self.process.kill()
        self.process.wait()
        while libc.umount2(os.fsencode(self.path), MNT_DETACH) == 0:
            pass
        self.join_readers()

    def join_readers(self):
        for reader in self.readers:
            for _ in range(LIFE_LIMIT):
                reader.join(1)
                if not reader.is_alive():
                    break
            assert not reader.is_alive(), "a reader hangs, though its daemon was told to end"

    def umount(self, adlfs):
        self.ending.set()
        self.join_readers()
        umount(adlfs, self.path)
        code = self.process.wait(LIFE_LIMIT)
        self.over.set()
        assert code == 0, f"the daemon ended with {code}: {self.log.read_text()[-4000:]}"
        assert not self.problems, "\n".join(self.problems)


class Place:
    """A cache and a mount point; lives follow one another in it."""

    def __init__(self, adlfs, origin, directory, block_size):
        self.adlfs, self.origin, self.directory = adlfs, origin, directory
        self.block_size = block_size
        self.life = None
        self.recorded = {}  # name: intact blocks, when the last life began
        (directory / "mnt").mkdir(parents=True)

    def fill(self, files):
        self.files = files
        self.recorded = {}
        (self.directory / "urls.txt").write_text("".join(f"{one.url}\n" for one in files))

    def begin(self):
        self.origin.reset()
        self.life = Life(self.adlfs, self.directory, self.block_size)
        return self.life

    def sidecars(self):
        """The sidecar of each file that has one, by the file's name."""
        found = {}
        for path in (self.directory / "cache").glob("*.map"):
            sidecar = Sidecar(path)
            if sidecar.valid and sidecar.url:
                found[sidecar.url.rsplit("/", 1)[1]] = sidecar
        return found

    def has_recorded(self):
        return any(sidecar.intact() for sidecar in self.sidecars().values())

    def look(self):
        """What the cache holds now."""
        self.recorded = {name: (sidecar, sidecar.intact())
                         for name, sidecar in self.sidecars().items()}

    def check_not_fetched(self):
        """No byte of what was intact at the last life's beginning was asked for in it."""
        for path, stats in self.origin.everything().items():
            sidecar, blocks = self.recorded.get(path.rsplit("/", 1)[1], (None, ()))
            file = next((one for one in self.files if one.url.endswith(path)), None)
            if not file:
                continue  # of a round before: its daemon was killed, what it had asked came late
            for entry in stats["log"]:
                if not blocks or not file.split or entry["range"] in (SIZE_PROBE, None):
                    continue
                first, last = map(int, entry["range"].removeprefix("bytes=").split("-"))
                again = [block for block in blocks
                         if sidecar.span(block)[0] <= last and sidecar.span(block)[1] > first]
                assert not again, f"{file.name}: {entry['range']} again, though {again} are here"

    def recorded_bytes(self):
        return sum(sidecar.span(block)[1] - sidecar.span(block)[0]
                   for sidecar, blocks in self.recorded.values() for block in blocks)

    def read_recorded(self):
        for file in self.files:
            sidecar, blocks = self.recorded.get(file.name, (None, ()))
            for block in sorted(blocks):
                first, end = sidecar.span(block)
                self.life.read(file, first, end - first)

    def read_all(self):
        for file in self.files:
            self.life.read(file, 0, file.size)

    def close(self):
        if self.life:
            self.life.clear()


@pytest.fixture
def choose():
    seed = int(os.environ.get("ADLFS_SEED", random.randrange(1 << 32)))
    print(f"ADLFS_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def place(adlfs, fuse, origin, scratch, choose):
    """place(), a new one each time."""
    made = []

    def make():
        made.append(Place(adlfs, origin, scratch / str(len(made)),
                          choose.choice([4, 8, 16, 64]) * KIB))
        return made[-1]
    yield make
    for one in made:
        one.close()


def test_every_byte_is_right_after_200_kills_and_what_was_recorded_is_not_fetched_again(
        place, origin, choose):
    """A round is a daemon's life: what the last one left is compared (or not, where the round is
    hasty), readers read at random, and at some moment it is killed; now and then before it even
    stands. When all of a set is recorded, or after a few rounds, a last life reads everything."""
    kills = kept = 0
    while kills < KILLS:
        here = place()
        here.fill([File(origin, *one, f"{kills}-{i}") for i, one in enumerate(FILES)])
        for _ in range(min(choose.randrange(2, LIVES), KILLS - kills)):
            life = here.begin()
            hasty = choose.random()
            if hasty < 0.9:
                life.wait_usable()
            if hasty < 0.6:
                here.read_recorded()
            if hasty < 0.9:
                life.start_readers(here.files, choose)
            if hasty < 0.9 and kills % 3 == 0:  # on a slow machine all would die too early
                wait_until(here.has_recorded)
            time.sleep(choose.random() ** 2 * 0.06)  # no waiting for anything: the moment itself
            life.kill()
            kills += 1
            here.check_not_fetched()
            here.look()
            kept += here.recorded_bytes()
        life = here.begin()
        life.wait_usable()
        here.read_recorded()
        here.read_all()
        life.umount(here.adlfs)
        here.check_not_fetched()
    print(f"{kills} kills; {kept} bytes were found recorded after them, and none fetched again")
    assert kept > kills * KIB  # else they died too early to have anything to lose


def damage(choose, now, then):
    """What a power cut may make of a file: pages that changed lately are as they were then, zeros,
    torn between the two by sectors, or have changed places."""
    pages = [bytearray(now[at:at + 4096]) for at in range(0, len(now), 4096)]
    old = [then[at:at + len(page)].ljust(len(page), b"\0")
           for at, page in zip(range(0, len(now), 4096), pages)]
    recent = [i for i, page in enumerate(pages) if page != old[i] and len(page) == 4096]
    for i in recent:
        how = choose.choice(["written", "written", "rolled back", "zeroed", "torn", "swapped"])
        if how == "rolled back":
            pages[i][:] = old[i]
        elif how == "zeroed":
            pages[i][:] = bytes(4096)
        elif how == "torn":
            for at in range(0, 4096, 512):
                if choose.random() < 0.5:
                    pages[i][at:at + 512] = old[i][at:at + 512]
        elif how == "swapped":
            other = choose.choice(recent)
            pages[i], pages[other] = pages[other], pages[i]
    return b"".join(pages)


def cut_power(choose, before, after):
    """The machine is up again, and has of each file something between `before` and `after`."""
    which = choose.choice([(".data",), (".map",), (".data", ".map")])
    for path, now in after.items():
        if path.suffix in which:
            path.write_bytes(damage(choose, now, before.get(path, b"")))
    for path in after:
        if path.suffix == ".map" and Sidecar(path).valid and path.with_suffix(".data").exists():
            forge_boot(path, choose.randbytes(16))


def test_after_a_power_cut_every_byte_is_right_and_what_is_intact_is_not_fetched_again(
        place, origin, choose):
    kept = 0
    for cut in range(CUTS):
        here = place()
        here.fill([File(origin, seed, size, "-", f"cut{cut}-{i}")
                   for i, (seed, size, _) in enumerate(FILES)])
        cache = here.directory / "cache"
        states = [{}]
        for _ in range(2):
            life = here.begin()
            life.wait_usable()
            for _ in range(6):
                file = choose.choice(here.files)
                offset = choose.randrange(file.size)
                life.read(file, offset, min(40 * KIB, file.size - offset))
            if choose.random() < 0.5:
                life.umount(here.adlfs)
            else:
                life.kill()
            states.append({path: path.read_bytes() for path in cache.iterdir()})
        cut_power(choose, *states[1:])
        here.look()
        kept += here.recorded_bytes()
        life = here.begin()
        life.wait_usable()
        here.read_all()
        life.umount(here.adlfs)
        here.check_not_fetched()
    assert kept > 0
