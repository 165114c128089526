"""A cache whose disk is full or broken costs the cache, and not the reader: right bytes come past it,
no more of them than needed, and when the disk is well again, caching goes on."""

import concurrent.futures
import contextlib
import os
import random
import resource
import shutil
import subprocess
import tempfile

import pytest

from harness import PATIENCE, check_fetched, fetched, read_at, run, same_content, wait_until, xattr
from pattern import content

MIB = 1 << 20
HERE = os.path.dirname(os.path.abspath(__file__))


@contextlib.contextmanager
def mounted_at(path, *mount):
    path.mkdir()
    run("mount", *mount, path)
    try:
        yield path
    finally:
        run("umount", "-l", path)


@pytest.fixture(params=["ext4", "tmpfs"])
def small_disk(request, fuse, scratch):
    """A file system of 16 MiB, of which 6 are free; with its `ballast` gone, all."""
    disk = scratch / "disk"
    with contextlib.ExitStack() as stack:
        if request.param == "tmpfs":
            stack.enter_context(mounted_at(disk, "-t", "tmpfs", "-o", "size=16m,mode=700", "none"))
        else:
            image = scratch / "image"
            with open(image, "wb") as file:
                file.truncate(16 * MIB)
            run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image)
            stack.enter_context(mounted_at(disk, "-o", "loop", image))
        disk.chmod(0o700)
        free = os.statvfs(disk)
        with open(disk / "ballast", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - 6 * MIB)
        yield disk


@pytest.fixture
def tiny_disk(fuse, scratch):
    with mounted_at(scratch / "disk", "-t", "tmpfs", "-o", "size=2m,mode=700", "none") as disk:
        yield disk


class BrokenDisk:
    """What broken_disk.c does to a mount that is started with it."""

    def __init__(self, control):
        self.control = control
        self.well()

    def fails(self, *words):
        self.control.write_text(" ".join(words))

    def well(self):
        self.fails()


@pytest.fixture(scope="module")
def library():
    with tempfile.TemporaryDirectory(prefix="adlfs-e2e.") as directory:
        path = f"{directory}/broken.so"
        run("cc", "-fPIC", "-shared", "-o", path, f"{HERE}/broken_disk.c", "-ldl")
        yield path


@pytest.fixture
def broken(fuse, library, scratch, monkeypatch):
    if "sandboxed" in os.environ.get("ADLFS", ""):
        pytest.skip("contrib/sandbox hands on no LD_PRELOAD")
    control = scratch / "control"
    monkeypatch.setenv("LD_PRELOAD", library)
    monkeypatch.setenv("BROKEN_DISK", str(control))
    monkeypatch.setenv("BROKEN_BELOW", str(scratch / "cache"))
    monkeypatch.setenv("ASAN_OPTIONS",
                       os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    return BrokenDisk(control)


def forget_pages(path):
    """The next read asks the daemon, and the daemon its disk."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def test_a_full_disk_serves_and_goes_on_when_there_is_room(mount, origin, small_disk, scratch):
    size = 12 * MIB
    url, cache = origin.file("full", size), small_disk / "cache"
    m = mount(url, "--revalidate=never", cache=cache)
    with open(m / "data.bin", "rb"):  # what is in memory goes to the disk while it is open
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda _: same_content(m / "data.bin", "full", size), range(4)))
        wait_until(lambda: "No space left" in m.log())
        (small_disk / "ballast").unlink()
        wait_until(lambda: "can be written to again" in m.log())
        forget_pages(m / "data.bin")
        assert same_content(m / "data.bin", "full", size)
        wait_until(lambda: xattr(m / "data.bin", "cached") == str(size))
    check_fetched(origin, url, 1.2 * size)
    m.umount()
    origin.reset(url)
    m = mount(url, "--revalidate=never", cache=cache)
    assert same_content(m / "data.bin", "full", size)
    assert fetched(origin.stats(url)) == 0


def test_a_copy_larger_than_disk_and_memory_comes_once(mount, origin, tiny_disk, scratch):
    size = 90 * MIB
    url = origin.file("large", size)
    m = mount(url, cache=tiny_disk / "cache")
    run("cp", m / "data.bin", scratch / "copy")
    assert same_content(scratch / "copy", "large", size)
    check_fetched(origin, url, 1.2 * size)
    assert origin.stats(url)["requests"] < 400


@pytest.mark.parametrize("options", ["ranges=ignore", "ranges=ignore;chunked"])
def test_a_stream_past_a_full_disk_waits_for_its_reader(mount, origin, tiny_disk, options):
    size = 72 * MIB
    url = origin.file("stream", size, options)
    m = mount(url, cache=tiny_disk / "cache")
    with open(m / "data.bin", "rb", buffering=0) as file:
        for offset in range(0, size, MIB):
            assert file.read(MIB) == content("stream", offset, MIB)
        check_fetched(origin, url, size + MIB)
        # What has gone by comes again, for who wants it.
        assert os.pread(file.fileno(), 5000, 9 * MIB) == content("stream", 9 * MIB, 5000)


def test_random_readers_of_a_full_disk_get_right_bytes(mount, origin, tiny_disk):
    size, readers = 64 * MIB, 8
    url = origin.file("random", size)
    m = mount(url, cache=tiny_disk / "cache")

    def read(seed):
        at = random.Random(seed)
        for _ in range(20):
            offset, length = at.randrange(size), at.choice([100, 5000, MIB])
            length = min(length, size - offset)
            assert read_at(m / "data.bin", offset, length) == content("random", offset, length)
    with concurrent.futures.ThreadPoolExecutor(readers) as pool:
        list(pool.map(read, range(readers)))


def test_a_disk_that_fails_to_write_is_read_past(mount, origin, broken, scratch):
    size = 4 * MIB
    url = origin.file("write", size, "gate=write;hold=64K")  # nothing else is here too early
    m = mount(url, "--revalidate=never", cache=scratch / "cache")
    # Open all the while: what comes between two opens is lost where it cannot be written, and the
    # kernel may have it and not ask again.
    with open(m / "data.bin", "rb", buffering=0) as file:
        assert file.read(100) == content("write", 0, 100)
        broken.fails("write")
        origin.open("write")
        assert same_content(m / "data.bin", "write", size)
        wait_until(lambda: "Input/output error" in m.log())
        broken.well()
        wait_until(lambda: xattr(m / "data.bin", "cached") == str(size))
    check_fetched(origin, url, 1.2 * size)


@pytest.mark.parametrize("words", [["read"], ["read", "write"]])
def test_what_the_disk_does_not_give_back_is_fetched_again(mount, origin, broken, scratch, words):
    size = 4 * MIB
    url = origin.file("read", size)
    m = mount(url, "--revalidate=never", cache=scratch / "cache")
    with open(m / "data.bin", "rb"):  # not complete when it was opened: not passed through
        assert same_content(m / "data.bin", "read", size)
        broken.fails(*words)
        forget_pages(m / "data.bin")
        assert read_at(m / "data.bin", MIB + 1, 5000) == content("read", MIB + 1, 5000)
        assert same_content(m / "data.bin", "read", size)
        broken.well()
        forget_pages(m / "data.bin")
        assert same_content(m / "data.bin", "read", size)
    check_fetched(origin, url, 3.5 * size)
    m.umount()
    m = mount(url, "--revalidate=never", cache=scratch / "cache")
    assert same_content(m / "data.bin", "read", size)


def test_a_cache_that_cannot_make_files_does_without_until_it_can(mount, origin, broken, scratch):
    size = 4 * MIB
    url, stream = origin.file("make", size), origin.file("made", size, "ranges=ignore;chunked", "s")
    m = mount([url, stream], "--revalidate=never", cache=scratch / "cache")
    broken.fails("make", "full")
    with open(m / "data.bin", "rb"):
        assert same_content(m / "data.bin", "make", size)
        assert same_content(m / "s", "made", size)
        assert not m.files(".data")
        broken.well()
        wait_until(lambda: m.files(".data"))
        forget_pages(m / "data.bin")
        assert same_content(m / "data.bin", "make", size)
        wait_until(lambda: xattr(m / "data.bin", "cached") == str(size))
    assert same_content(m / "s", "made", size)
    m.umount()
    origin.reset(url)
    m = mount([url, stream], "--revalidate=never", cache=scratch / "cache")
    assert same_content(m / "data.bin", "make", size)
    assert fetched(origin.stats(url)) == 0


def test_a_cache_directory_that_was_removed_is_made_anew(mount, origin, scratch):
    """rm -r ~/.cache, while it is mounted."""
    urls = [origin.file(name, MIB, name=name) for name in "ab"]
    m = mount(urls, "--revalidate=never", cache=scratch / "parent" / "cache")
    with open(m / "a", "rb", buffering=0) as file:
        file.read(4096)
        shutil.rmtree(scratch / "parent")
        assert same_content(m / "b", "b", MIB) and same_content(m / "a", "a", MIB)
    assert [path.stat().st_size for path in m.files(".data")] == [MIB]
    assert (m.cache.stat().st_mode & 0o777, "made anew" in m.log()) == (0o700, True)
    wait_until(lambda: xattr(m / "a", "cached") == "0")  # nobody has it open any more
    forget_pages(m / "a")
    assert same_content(m / "a", "a", MIB)
    m.umount()
    for url in urls:
        origin.reset(url)
    m = mount(urls, "--revalidate=never", cache=m.cache)
    assert same_content(m / "a", "a", MIB) and same_content(m / "b", "b", MIB)
    assert [fetched(origin.stats(url)) for url in urls] == [0, 0]


def test_files_that_may_not_grow_are_read_past_and_end_no_process(mount, adlfs, origin, scratch):
    """ulimit -f: the kernel sends SIGXFSZ, which kills who does not expect it."""
    url = origin.file("s", 8 * MIB, name="f")
    m = mount(url)
    resource.prlimit(m.pid, resource.RLIMIT_FSIZE, (MIB, MIB))
    assert same_content(m / "f", "s", 8 * MIB)
    wait_until(lambda: "File too large" in m.log())
    m.umount()
    got = run("prlimit", f"--fsize={MIB}", adlfs, "get", "-o", scratch / "got", url, check=False)
    assert got.returncode == 1 and b"is the disk full?" in got.stderr


@pytest.mark.parametrize("options", ["-", "ranges=ignore"])
def test_a_get_on_a_full_disk_says_so_and_does_not_fetch_the_rest(adlfs, origin, tiny_disk,
                                                                  options):
    url = origin.file("s", 90 * MIB, options, "f")
    got = run(adlfs, "get", "-o", tiny_disk / "got", url, check=False)
    assert got.returncode == 1 and b"is the disk full?" in got.stderr
    assert origin.stats(url)["bytes"] < 80 * MIB and not (tiny_disk / "got").exists()
    assert run(adlfs, "get", "-q", "-o", "-", url).stdout == content("s", 0, 90 * MIB)


def test_a_warm_that_the_disk_does_not_keep_ends_and_says_so(mount, origin, tiny_disk, start):
    """Also where it would fit into memory: that is not the cache, and gone when the warm is."""
    small, large = origin.file("s", 6 * MIB, name="small"), origin.file("l", 90 * MIB, name="large")
    full = mount([small, large], cache=tiny_disk)
    limited = mount([large], "--cache-max=2M")
    warms = [start(m.binary, "warm", m.path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
             for m in (full, limited)]
    for m, warm in zip((full, limited), warms):
        said = warm.communicate(timeout=2 * PATIENCE)[1]
        assert warm.returncode == 1 and b"cannot be kept: " in said, (said, m.log())
        assert read_at(m / "large", 80 * MIB, 4096) == content("l", 80 * MIB, 4096)
    assert origin.stats(large)["bytes"] < 160 * MIB
