"""Bytes of two versions never mix, and the next open sees the new one."""

import concurrent.futures
import errno
import os
import random

import pytest

from harness import errno_of, read_at, run, same_content, shows, wait_until, xattr
from origin import Origin, content

MIB = 1 << 20
SIZE = 24 * MIB
LOOSE = MIB  # the size of a file that nothing pins

# what differs in the answers of the second version, beside its bytes
CHANGES = {
    "etag": ("modified=none", "version=1;modified=none"),
    "weak etag": ("etag=weak;modified=none", "etag=weak;version=1;modified=none"),
    "last-modified": ("etag=none", "etag=none;version=1"),
    "size": ("etag=none;modified=none", "etag=none;modified=none;version=1;size=20M"),
    "all": ("-", "version=1;size=25M"),
    "etag gone": ("-", "version=1;etag=none"),
}


def new_size(options):
    return {"20M": 20, "25M": 25}.get(options.partition("size=")[2], 24) * MIB


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("ranges", ["", ";if-range=ignore"], ids=["if-range", "no if-range"])
def test_an_open_file_never_mixes_and_the_next_open_is_new(mount, origin, change, ranges):
    before, after = (options + ranges for options in CHANGES[change])
    url = origin.file("change", SIZE, before)
    file = mount([url], "--revalidate=never") / "data.bin"
    fd = os.open(file, os.O_RDONLY)
    try:
        assert os.pread(fd, 4096, 0) == content("change", 0, 4096)
        origin.set(url, after)
        assert errno_of(os.pread, fd, 4096, 16 * MIB) == errno.ESTALE
        assert errno_of(os.pread, fd, 4096, 18 * MIB) == errno.ESTALE
        assert os.pread(fd, 4096, 0) == content("change", 0, 4096)
        size = new_size(after.replace(ranges, ""))
        assert same_content(file, "change", size, "1")
        assert errno_of(os.pread, fd, 4096, 16 * MIB) == errno.ESTALE
    finally:
        os.close(fd)
    assert same_content(file, "change", size, "1")
    assert os.stat(file).st_size == size


def read_some(path, number):
    """Opens it, reads a page, closes it; over and over. What was wrong, as text."""
    draw = random.Random(number)
    for _ in range(150):
        page = draw.randrange(LOOSE // 4096)
        try:
            if read_at(path, page * 4096, 4096) != content("loose", page * 4096, 4096):
                return f"page {page}"
        except OSError as error:
            return str(error)
    return None


@pytest.mark.parametrize("revalidate", ["1h", "always"])
def test_what_nothing_pins_and_does_not_change_is_never_stale(mount, origin, revalidate):
    """Though it counts as another file whenever nobody had it open, no opener is told so."""
    url = origin.file("loose", LOOSE, "etag=none;modified=none")
    file = mount([url], f"--revalidate={revalidate}") / "data.bin"
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert not any(pool.map(read_some, [file] * 6, range(6)))


@pytest.mark.parametrize("first", [4096, LOOSE], ids=["a page", "all"])
def test_of_what_nothing_pins_no_page_of_an_earlier_open_is_seen(mount, origin, first):
    """Nor what is cached of it; in the kernel there may be pages under the same name."""
    url = origin.file("loose", LOOSE, "etag=none;modified=none")
    file = mount([url], "--revalidate=always") / "data.bin"
    for version in range(1, 4):
        assert read_at(file, 0, first) == content("loose", 0, first, str(version - 1))
        wait_until(lambda: xattr(file, "cached") == ("0" if first < LOOSE else str(LOOSE)))
        origin.set(url, f"etag=none;modified=none;version={version}")
        released = first == LOOSE  # until its release has come, an opener joins the one before
        wait_until(lambda: not released or read_at(file, 0, 1) == content("loose", 0, 1, str(version)))
        assert same_content(file, "loose", LOOSE, str(version))


def test_a_copy_while_the_file_changes_is_whole_or_fails(mount, origin, scratch):
    url = origin.file("during", SIZE, "cap=1M,version=1;after=4")
    m = mount([url])
    copy = scratch / "copy"
    assert run("cp", m / "data.bin", copy, check=False).returncode != 0
    copy.unlink()
    run("cp", m / "data.bin", copy)
    assert same_content(copy, "during", SIZE, "1")


def test_an_origin_of_two_minds_never_gives_a_mix(mount, origin):
    url = origin.file("flip", SIZE, "version=1;every=2")
    file = mount([url], "--retry-for=2") / "data.bin"
    for _ in range(3):
        try:
            with open(file, "rb", buffering=0) as handle:
                data = handle.read(SIZE)
        except OSError:
            continue
        assert any(data == content("flip", 0, len(data), version) for version in "01")


@pytest.mark.parametrize("options", ["etag=each", "etag=flip", "etag=none;modified=each",
                                     "etag=none;version=each"])
def test_validators_that_never_settle_end_in_right_bytes_or_an_error(mount, origin, options):
    url = origin.file("unsettled", SIZE, options + ";cap=1M")
    file = mount([url], "--retry-for=1") / "data.bin"
    for _ in range(2):
        try:
            data = file.read_bytes()
        except OSError as error:
            assert error.errno in (errno.ESTALE, errno.EIO, errno.ETIMEDOUT)
        else:
            assert "version" not in options and data == content("unsettled", 0, SIZE)


def test_an_open_revalidates_when_told_to(mount, origin):
    url = origin.file("check", MIB)
    always = mount([url], "--revalidate=always")
    never = mount([url], "--revalidate=never")
    for m in always, never:
        assert same_content(m / "data.bin", "check", MIB)
    origin.set(url, "version=1")
    assert same_content(never / "data.bin", "check", MIB, "0")
    wait_until(lambda: shows(always, "data.bin", "check", MIB, "1"))
    wait_until(lambda: shows(always, "data.bin", "check", MIB, "1"))


def test_within_its_time_an_answer_is_not_asked_for_again(mount, origin):
    url = origin.file("fresh", MIB)
    file = mount([url], "--revalidate=1h") / "data.bin"
    assert same_content(file, "fresh", MIB)
    seen = origin.stats(url)["requests"]
    for _ in range(5):
        assert same_content(file, "fresh", MIB)
    assert origin.stats(url)["requests"] == seen


def test_revalidation_that_finds_no_change_fetches_nothing(mount, origin):
    url = origin.file("same", MIB)
    file = mount([url], "--revalidate=always") / "data.bin"
    assert same_content(file, "same", MIB)
    origin.reset(url)
    assert same_content(file, "same", MIB)
    assert origin.stats(url)["requests"] >= 1
    assert origin.stats(url)["bytes"] <= 1


@pytest.mark.parametrize("options", ["-", "etag=none", "etag=none;modified=none"])
def test_a_change_between_mounts_is_seen(mount, origin, scratch, options):
    url = origin.file("between", MIB, options)
    m = mount([url], "--revalidate=always", cache=scratch / "cache")
    assert same_content(m / "data.bin", "between", MIB)
    m.umount()
    if options.endswith("modified=none"):
        options += ";size=2M"
    origin.set(url, f"{options};version=1")
    m = mount([url], "--revalidate=always", cache=scratch / "cache")
    wait_until(lambda: shows(m, "data.bin", "between", (2 if "2M" in options else 1) * MIB, "1"))


def test_what_is_cached_is_served_while_the_origin_is_away(mount, scratch):
    with Origin() as origin:
        lines = [origin.file("kept", MIB), "  out=kept", origin.file("partly", "512M"),
                 "  out=partly", origin.file("never", MIB), "  out=never"]
        m = mount(lines, "--revalidate=always", "--retry-for=3", cache=scratch / "cache")
        assert same_content(m / "kept", "kept", MIB)
        assert read_at(m / "partly", 0, MIB) == content("partly", 0, MIB)
        origin.stop()
        assert same_content(m / "kept", "kept", MIB)
        wait_until(lambda: "unchecked" in m.log())
        m.umount()
        m = mount(lines, "--revalidate=always", "--retry-for=3", cache=scratch / "cache")
        assert same_content(m / "kept", "kept", MIB)
        assert read_at(m / "partly", 0, MIB) == content("partly", 0, MIB)
        for name, offset in ("partly", 500 * MIB), ("never", 0):
            assert errno_of(read_at, m / name, offset, 10) in (errno.EIO, errno.ETIMEDOUT)
        wait_until(lambda: "unchecked" in m.log())


def test_a_stale_file_says_so(mount, origin):
    url = origin.file("state", SIZE)
    file = mount([url], "--revalidate=never") / "data.bin"
    with open(file, "rb", buffering=0) as handle:
        handle.read(4096)
        origin.set(url, "version=1")
        handle.seek(20 * MIB)
        assert errno_of(handle.read, 10) == errno.ESTALE
        assert xattr(file, "error")
