"""The first block of a far origin comes in two parts side by side, and nothing goes wrong by it."""

import errno
import os
import threading

import pytest
from harness import check_fetched_once, errno_of, read_at, same_content, wait_until, xattr
from pattern import content

BLOCK = 64 << 10
SIZE = 300000


def far(url):
    """The same server by a name that does not tell that it is this machine."""
    return url.replace("127.0.0.1", "0.0.0.0")


def test_both_parts_are_under_way_at_once_and_no_byte_comes_twice(mount, origin):
    url = origin.file("pair", SIZE, "gate=pair")
    origin.close("pair")
    m = mount([far(url)])
    got = []
    reader = threading.Thread(target=lambda: got.append(read_at(m / "data.bin", 0, 16384)))
    reader.start()
    try:
        wait_until(lambda: origin.stats(url)["active"] == 2)
    finally:
        origin.open("pair")
        reader.join()
    assert got == [content("pair", 0, 16384)]
    wait_until(lambda: int(xattr(m / "data.bin", "cached")) >= BLOCK)
    assert same_content(m / "data.bin", "pair", SIZE)
    check_fetched_once(origin, url, SIZE)


def test_the_second_part_alone_tells_what_the_file_is(mount, origin):
    url = origin.file("second", SIZE, "gate=probe;first=1")
    origin.close("probe")
    m = mount([far(url)])
    try:
        assert read_at(m / "data.bin", 20000, 4096) == content("second", 20000, 4096)
    finally:
        origin.open("probe")
    assert same_content(m / "data.bin", "second", SIZE)


def test_a_near_origin_gets_one_request(mount, origin):
    url = origin.file("near", SIZE)
    m = mount([url])
    read_at(m / "data.bin", 0, 4096)
    assert origin.stats(url)["requests"] == 1


@pytest.mark.parametrize("option", ["split=1", "max-connection-per-server=1"])
def test_an_entry_with_one_connection_gets_one_request(mount, origin, option):
    """Half a block without the other would be a round trip more."""
    url = origin.file("one", SIZE)
    m = mount([far(url), f" {option}"])
    assert read_at(m / "data.bin", 0, 16384) == content("one", 0, 16384)
    assert origin.stats(url)["requests"] == 1


@pytest.mark.parametrize("size", [1, 8191, 8192, 8193, BLOCK - 1, BLOCK, BLOCK + 1])
def test_every_size_is_right(mount, origin, size):
    url = origin.file("sizes", size)
    m = mount([far(url)])
    assert same_content(m / "data.bin", "sizes", size)


def test_an_empty_file_is_empty(mount, origin):
    m = mount([far(origin.file("empty", 0))])
    assert (m / "data.bin").read_bytes() == b""


@pytest.mark.parametrize("options", [
    "ranges=ignore", "ranges=ignore;chunked", "ranges=ignore;length=none", "cap=5000", "cap=9000",
    "truncate=3000;first=2", "reset=3000;first=2", "ranges=missing;first=2", "ranges=malformed;first=2",
    "ranges=other-start;first=2", "ranges=other-end;first=2", "ranges=multipart;first=2",
    "status=503;first=1", "status=503;first=2", "status=503;every=2", "etag=weak", "etag=none;modified=none",
    "-,ranges=ignore;every=2", "redirect=1", "connections=1;over=503",
])
def test_whatever_the_origin_does_the_bytes_are_right(mount, origin, options):
    url = origin.file("odd", SIZE, options)
    m = mount([far(url)], "--revalidate=never")
    assert same_content(m / "data.bin", "odd", SIZE)


@pytest.mark.parametrize("options, error", [
    ("status=404", errno.ENOENT), ("status=403", errno.EACCES), ("redirect=loop", errno.EIO)])
def test_errors_are_those_of_the_probe(mount, origin, options, error):
    m = mount([far(origin.file("bad", SIZE, options))], "--retry-for=20")
    assert errno_of(os.open, m / "data.bin", os.O_RDONLY) == error


def test_two_versions_never_mix(mount, origin):
    """Each answer is of another version: ESTALE, or all of one."""
    url = origin.file("mixed", SIZE, "version=each")
    m = mount([far(url)], "--retry-for=5")
    try:
        fd = os.open(m / "data.bin", os.O_RDONLY)
    except OSError:
        return
    try:
        got = os.pread(fd, BLOCK, 0)
    except OSError as failure:
        assert failure.errno in (errno.ESTALE, errno.EIO, errno.ETIMEDOUT)
        return
    finally:
        os.close(fd)
    assert any(got == content("mixed", 0, len(got), str(version)) for version in range(64))
