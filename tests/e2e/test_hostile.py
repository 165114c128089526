"""Promises that were once broken, each by a server or a user who meant no good. Names are the
promises."""

import ctypes
import errno
import hashlib
import os
import shutil
import struct
import subprocess
import time

import pytest

from harness import (PATIENCE, errno_of, fetched, read_at, run, running, same_content, shows,
                     wait_until, xattr)
from pattern import content

NO_VALIDATOR = "etag=none;modified=none"
MIB = 1 << 20


def whole(path):
    with open(path, "rb", buffering=0) as file:
        return b"".join(iter(lambda: file.read(MIB), b""))


def open_random(path):
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    return fd


def in_time(seconds, *command):
    """Exit status; None when it was not done after `seconds`."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def test_attributes_of_a_file_that_cannot_be_cached_do_not_crash(mount, origin):
    m = mount(origin.file("a", 1000, name="f"))
    os.stat(m / "f")
    shutil.rmtree(m.cache)
    errno_of(whole, m / "f")
    errno_of(os.getxattr, m / "f", "user.adlfs.error")  # a use after free: run it under ASan
    assert running(m.pid)


def test_a_hostile_date_in_a_sidecar_does_not_crash(mount, origin, scratch):
    url, cache = origin.file("a", 1000, name="f"), scratch / "c"
    m = mount(url, cache=cache)
    whole(m / "f")
    m.umount()
    path = m.files(".map")[0]
    head = bytearray(path.read_bytes())
    xxh = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
    xxh.restype, xxh.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
    head[112:120] = struct.pack("<q", 2**63 - 1)  # Last-Modified
    head[120:280] = bytes(160)  # no ETag, so that it is sent as If-Modified-Since
    head[8:16] = struct.pack("<Q", xxh(bytes(head[16:4096]), 4080))
    path.write_bytes(head)
    m = mount(url, "--revalidate=0", cache=cache)
    assert errno_of(whole, m / "f") is None
    assert running(m.pid)


def test_one_file_that_is_told_to_come_back_later_does_not_hang_the_others(mount, origin):
    bad = origin.file("a", 1000, "status=503;retry-after=600", "bad")
    good = origin.file("b", 1000, name="good")
    m = mount([bad, good], "--retry-for=5")
    assert in_time(PATIENCE, "stat", m / "bad") == 1
    assert in_time(PATIENCE, "stat", m / "good") == 0


def test_a_mirror_is_held_to_its_version_too(mount, origin):
    one, two = origin.file("s", 8 * MIB, name="f"), origin.file("s", 8 * MIB, name="g")
    m = mount(f"{one}\t{two}")
    fd = open_random(m / "f")
    assert os.pread(fd, 4096, 0) == content("s", 0, 4096)
    origin.set(one, "status=503")
    assert os.pread(fd, 4096, 2 * MIB) == content("s", 2 * MIB, 4096)
    origin.set(two, "version=7")
    try:
        assert os.pread(fd, 4096, 6 * MIB) == content("s", 6 * MIB, 4096)
    except OSError:
        pass  # ESTALE is right as well
    finally:
        os.close(fd)


def test_a_second_stream_without_validators_is_compared(mount, origin):
    plain = f"ranges=ignore;{NO_VALIDATOR}"
    url = origin.file("s", MIB, f"{plain};gate=g;hold=300000", "f")
    m = mount(url, "--revalidate=0", "--stall-timeout=2")
    fd = open_random(m / "f")
    try:
        os.pread(fd, 4096, 0)
        origin.set(url, f"{plain};version=1")
        try:
            read = whole(m / "f")
        except OSError:
            return
        finally:
            origin.open("g")
    finally:
        os.close(fd)
    assert read in (content("s", 0, MIB), content("s", 0, MIB, "1"))


def test_pages_of_a_copy_that_was_dropped_are_not_kept(mount, origin):
    url = origin.file("s", MIB, NO_VALIDATOR, "f")
    m = mount(url)
    fd = open_random(m / "f")
    os.pread(fd, 65536, 0)
    os.close(fd)
    wait_until(lambda: xattr(m / "f", "transfers") == "0")
    origin.set(url, f"{NO_VALIDATOR};version=1")
    assert whole(m / "f") in (content("s", 0, MIB), content("s", 0, MIB, "1"))


@pytest.mark.parametrize("size", [100, 500000])
def test_a_stream_of_unknown_length_may_have_another_length_next_time(mount, origin, size):
    stream = f"ranges=ignore;length=none;{NO_VALIDATOR}"
    url = origin.file("s", 1000, stream, "f")
    m = mount(url, "--revalidate=0", "--retry-for=2")
    assert whole(m / "f") == content("s", 0, 1000)
    wait_until(lambda: xattr(m / "f", "transfers") == "0")
    origin.set(url, f"{stream};size={size};version=1")
    errno_of(whole, m / "f")  # the change may be noticed here ...
    wait_until(lambda: shows(m, "f", "s", size, "1"))  # ... and is over here


@pytest.mark.parametrize("validators", ["-", NO_VALIDATOR])
def test_another_checksum_in_the_manifest_is_compared(mount, origin, scratch, validators):
    url, cache = origin.file("s", 100000, validators, "f"), scratch / "c"
    right = hashlib.sha256(content("s", 0, 100000)).hexdigest()
    m = mount(f"{url}\n checksum=sha-256={right}\n", cache=cache)
    whole(m / "f")
    wait_until(lambda: xattr(m / "f", "state") == "complete")
    m.umount()
    m = mount(f"{url}\n checksum=sha-256={'0' * 64}\n", cache=cache)
    whole(m / "f")
    wait_until(lambda: "checksum is not" in m.log())


def test_a_mirror_that_is_gone_is_no_error_while_another_works(mount, origin):
    one, two = origin.file("s", 64 * MIB, name="f"), origin.file("s", 64 * MIB, name="g")
    m = mount(f"{one}\t{two}")
    with open(m / "f", "rb", buffering=0) as file:
        file.read(4 * MIB)
        origin.set(one, "status=404")
        assert file.readall() == content("s", 4 * MIB, 60 * MIB)


def test_what_a_second_mirror_brought_is_kept(mount, origin, scratch):
    one, two = origin.file("s", 8 * MIB, "status=503", "f"), origin.file("s", 8 * MIB, name="g")
    cache = scratch / "c"
    m = mount(f"{one}\t{two}", cache=cache)
    assert same_content(m / "f", "s", 8 * MIB)
    m.umount()
    origin.reset(two)
    m = mount(f"{one}\t{two}", cache=cache)
    assert same_content(m / "f", "s", 8 * MIB)
    assert fetched(origin.stats(two)) == 0


def test_a_mirror_of_another_size_costs_neither_handle_nor_cache(mount, origin):
    one, two = origin.file("s", 8 * MIB, name="f"), origin.file("s", 4 * MIB, name="g")
    m = mount(f"{one}\t{two}")
    fd = open_random(m / "f")
    os.pread(fd, 4096, 0)
    origin.set(one, "status=503;first=1")
    try:
        assert os.pread(fd, 4096, 6 * MIB) == content("s", 6 * MIB, 4096)
    finally:
        os.close(fd)


def test_a_stream_that_holds_every_connection_does_not_hang_other_files(mount, origin):
    slow = origin.file("s", 50 * MIB, "ranges=ignore;rate=100K", "slow")
    other = origin.file("s", 1000, name="other")
    m = mount([slow, other], "--max-connections-per-origin=1", "--retry-for=2")
    with open(m / "slow", "rb", buffering=0) as file:
        file.read(10)
        assert in_time(PATIENCE, "stat", m / "other") is not None


def test_who_asks_again_for_what_never_got_a_connection_is_told_again(mount, origin):
    """No transfer of the file has failed, so there is no error but the wait's own end."""
    busy = [origin.file("s", 1000, "silent", f"busy{i}") for i in range(3)]
    m = mount([*busy, origin.file("s", 1000, name="f")], "--max-connections-per-origin=1",
              "--retry-for=1")
    for i in range(3):
        assert in_time(PATIENCE, "stat", m / f"busy{i}") == 1
    for _ in range(2):
        assert errno_of(os.stat, m / "f") == errno.ETIMEDOUT
        assert errno_of(os.open, m / "f", os.O_RDONLY) == errno.ETIMEDOUT
    assert "1 s" in xattr(m / "f", "error")
    assert running(m.pid)


def test_a_complete_stream_is_not_fetched_again_where_conditions_are_ignored(mount, origin):
    url = origin.file("s", 8 * MIB, "ranges=ignore;conditional=ignore", "f")
    m = mount(url, "--revalidate=0")
    with open(m / "f", "rb", buffering=0) as file:
        file.readall()
        wait_until(lambda: xattr(m / "f", "transfers") == "0")
        origin.wait(url, idle=1)
        before = origin.stats(url)
        origin.set(url, "ranges=ignore;conditional=ignore;gate=rest;hold=64K")  # no more ever comes
        read_at(m / "f", 0, 10)
        origin.wait(url, requests=before["requests"] + 1)
        wait_until(lambda: xattr(m / "f", "transfers") == "0")
        assert origin.stats(url)["bytes"] - before["bytes"] <= 64 * 1024


def test_a_drip_is_progress(mount, origin):
    m = mount(origin.file("s", MIB, "drip=0.04", "f"), "--retry-for=3")
    assert in_time(4.5, "head", "-c", "4000", m / "f") is None


def test_attributes_reserve_no_space(mount, origin):
    m = mount(origin.file("s", 64 * MIB, name="f"), "--allocate=full")
    os.stat(m / "f")
    xattr(m / "f", "cached")
    assert sum(path.stat().st_blocks for path in m.files(".data")) * 512 < MIB


def test_a_silent_origin_does_not_take_away_what_is_cached(mount, origin, scratch):
    url, cache = origin.file("s", MIB, name="f"), scratch / "c"
    m = mount(url, cache=cache)
    assert whole(m / "f") == content("s", 0, MIB)
    m.umount()
    origin.set(url, "silent")
    m = mount(url, "--revalidate=0", cache=cache)
    assert in_time(PATIENCE, "cmp", m / "f", m / "f") == 0
    assert whole(m / "f") == content("s", 0, MIB)


def test_a_mirror_that_changed_since_is_not_mixed_in(mount, origin):
    """Mirrors have the same bytes, but they are not asked at the same time."""
    one, two = origin.file("s", 8 * MIB, name="f"), origin.file("s", 8 * MIB, name="g")
    origin.set(two, f"version=1;modified={int(time.time()) + 5}")
    m = mount(f"{one}\t{two}", "--retry-for=1", "--revalidate=never")
    fd = open_random(m / "f")
    try:
        assert os.pread(fd, 4096, 0) == content("s", 0, 4096)
        origin.set(one, "status=503")
        assert errno_of(os.pread, fd, 4096, 6 * MIB) == errno.EIO
        assert "another file" in m.log()
    finally:
        os.close(fd)


def test_a_mirror_whose_bytes_are_wrong_gives_way_to_one_whose_are_right(mount, adlfs, origin,
                                                                        scratch):
    """Same size, and only the checksum= tells; what was read before it could be told is lost."""
    lies, right = origin.file("lies", MIB, name="f"), origin.file("s", MIB, name="g")
    digest = hashlib.sha256(content("s", 0, MIB)).hexdigest()
    text = f"{lies}\t{right}\n out=f\n checksum=sha-256={digest}\n"
    m = mount(text)
    whole(m / "f")
    wait_until(lambda: "checksum is not" in m.log())
    assert whole(m / "f") == content("s", 0, MIB)
    wait_until(lambda: xattr(m / "f", "state") == "complete")
    (scratch / "list").write_text(text)
    run(adlfs, "get", "-o", scratch, scratch / "list")
    assert (scratch / "f").read_bytes() == content("s", 0, MIB)
