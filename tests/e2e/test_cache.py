"""What is in the cache is not fetched again, whatever happens in between, and no damage to it ever
makes a wrong byte."""

import os
import random
import subprocess

import pytest

from harness import (PATIENCE, check_fetched, check_fetched_once, fetched, read_at, run,
                     same_content, wait_until, write_content, xattr)
from origin import content

MIB = 1 << 20
SIZE = 5 * MIB + 777
GIB = 1 << 30


def test_a_second_mount_fetches_nothing(mount, origin, scratch):
    url = origin.file("again", SIZE)
    for turn in range(2):
        m = mount([url], cache=scratch / "cache", foreground=turn == 0)
        assert same_content(m / "data.bin", "again", SIZE)
        m.umount()
    check_fetched_once(origin, url, SIZE)


def test_parts_are_kept_and_only_the_rest_is_fetched(mount, origin, scratch):
    url = origin.file("parts", "16M")
    m = mount([url], "--revalidate=never", cache=scratch / "cache")
    assert read_at(m / "data.bin", 5 * MIB, 2 * MIB) == content("parts", 5 * MIB, 2 * MIB)
    m.umount()
    m = mount([url], "--revalidate=never", cache=scratch / "cache")
    assert int(xattr(m / "data.bin", "cached")) >= 2 * MIB
    assert read_at(m / "data.bin", 5 * MIB, 2 * MIB) == content("parts", 5 * MIB, 2 * MIB)
    assert same_content(m / "data.bin", "parts", 16 * MIB)
    m.umount()
    # lost when a reader leaves: a part of a block for each range under way
    check_fetched(origin, url, 16 * MIB + MIB)


def test_a_cached_size_needs_no_request(mount, origin, scratch):
    url = origin.file("size", SIZE)
    m = mount([url], cache=scratch / "cache")
    m.path.joinpath("data.bin").read_bytes()
    m.umount()
    origin.reset(url)
    m = mount([url], cache=scratch / "cache")
    assert os.stat(m / "data.bin").st_size == SIZE
    assert origin.stats(url)["requests"] == 0


def test_killed_at_any_moment_it_loses_a_second_of_work_and_never_a_byte(mount, origin, scratch,
                                                                         start):
    """20 kills early in a mount's life, where nothing may have been recorded yet, and 2 later: they
    lose what came within a second, of which a busy machine makes up to four."""
    size, rate, connections = 96 * MIB, 2 * MIB, 4
    url = origin.file("kill", size, f"rate={rate}")
    seed = random.randrange(1 << 32)
    print("seed", seed)
    choose = random.Random(seed)
    moments = [choose.randrange(2 * MIB) for _ in range(20)] + [44 * MIB] * 2
    choose.shuffle(moments)
    total = lost = 0
    for moment in moments:
        m = mount([url], "--revalidate=never", f"--max-connections-per-origin={connections}",
                  cache=scratch / "cache")
        reader = start("cat", m / "data.bin", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: reader.poll() is not None or origin.stats(url)["bytes"] >= moment,
                   2 * PATIENCE)
        m.kill()
        origin.wait(url, idle=1)
        sent = origin.stats(url)["bytes"]
        origin.reset(url)
        total += sent
        lost += min(sent, 4 * rate * connections)
    origin.set(url, "-")
    m = mount([url], "--revalidate=never", cache=scratch / "cache")
    assert same_content(m / "data.bin", "kill", size)
    m.umount()
    total += fetched(origin.stats(url))
    assert total <= size + lost + MIB


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


DAMAGE = {
    "gone": lambda data: None,
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "half a page": lambda data: data[:2048],
    "head only": lambda data: data[:4096],
    "last byte missing": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "ones": lambda data: b"\xff" * len(data),
    "noise": lambda data: random.Random(5).randbytes(len(data)),
    "longer": lambda data: data + random.Random(6).randbytes(10000),
    "pages swapped": lambda data: data[4096:8192] + data[:4096] + data[8192:],
    "head twice": lambda data: data[:4096] + data[:4096] + data[8192:],
    **{f"bit flipped at {at}": lambda data, at=at: flip(data, at)
       for at in (0, 9, 20, 40, 100, 4090, 4096, 4100, 4200, 5000, 8191)},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_sidecar_costs_bytes_and_never_gives_wrong_ones(mount, origin, scratch, damage):
    url, cache = origin.file("damage", SIZE), scratch / "cache"
    m = mount([url], cache=cache)
    assert same_content(m / "data.bin", "damage", SIZE)
    m.umount()
    sidecar, = cache.glob("*.map")
    changed = DAMAGE[damage](sidecar.read_bytes())
    sidecar.unlink()
    if changed is not None:
        sidecar.write_bytes(changed)
    m = mount([url], cache=cache)
    assert same_content(m / "data.bin", "damage", SIZE)


def test_the_sidecar_of_another_file_is_not_believed(mount, origin, scratch):
    urls, cache = [origin.file(seed, SIZE, "etag=%22same%22") for seed in "ab"], scratch / "cache"
    for turn in range(2):
        m = mount([urls[0], " out=a", urls[1], " out=b"], cache=cache)
        assert same_content(m / "a", "a", SIZE) and same_content(m / "b", "b", SIZE)
        m.umount()
        one, two = cache.glob("*.map")
        one_bytes, two_bytes = one.read_bytes(), two.read_bytes()
        if turn == 0:
            one.write_bytes(two_bytes)
            two.write_bytes(one_bytes)


@pytest.mark.parametrize("change", [
    lambda path: os.truncate(path, 0), lambda path: os.truncate(path, SIZE - 1),
    lambda path: os.truncate(path, SIZE + 4096), os.unlink,
    lambda path: path.write_bytes(content("other", 0, SIZE)),
    lambda path: path.write_bytes(bytes(SIZE)),
    lambda path: path.write_bytes(flip(path.read_bytes(), 3 * MIB)),
], ids=["emptied", "short", "long", "gone", "foreign", "zeros", "a bit flipped"])
def test_a_data_file_that_was_touched_is_not_believed(mount, origin, scratch, change):
    url, cache = origin.file("touched", SIZE), scratch / "cache"
    m = mount([url], cache=cache)
    assert same_content(m / "data.bin", "touched", SIZE)
    m.umount()
    data, = cache.glob("*.data")
    change(data)
    m = mount([url], cache=cache)
    assert same_content(m / "data.bin", "touched", SIZE)


def test_touched_data_that_is_right_is_not_fetched_again(mount, origin, scratch):
    url, cache = origin.file("restored", SIZE), scratch / "cache"
    m = mount([url], cache=cache)
    assert same_content(m / "data.bin", "restored", SIZE)
    m.umount()
    data, = cache.glob("*.data")
    data.write_bytes(data.read_bytes())  # as a restored backup: another ctime, the same bytes
    origin.reset(url)
    m = mount([url], cache=cache)
    assert same_content(m / "data.bin", "restored", SIZE)
    assert origin.stats(url)["bytes"] <= 1


def test_reads_across_doubtful_and_missing_blocks_end(mount, origin, scratch):
    """One request wants blocks that must be compared first and blocks that must be fetched."""
    url, cache = origin.file("mixed", "16M"), scratch / "cache"
    m = mount([url], cache=cache)
    for offset in 3, 7, 12:
        read_at(m / "data.bin", offset * MIB + 65536, 65536)
    m.umount()
    data, = cache.glob("*.data")
    os.utime(data)
    m = mount([url], cache=cache)
    run("dd", f"if={m / 'data.bin'}", f"of={scratch / 'copy'}", "bs=1M", "iflag=direct")
    assert same_content(scratch / "copy", "mixed", 16 * MIB)


def test_two_mounts_share_a_cache_directory(mount, origin, scratch):
    urls = [origin.file(seed, SIZE, "rate=20M") for seed in "ab"]
    lines = [urls[0], " out=a", urls[1], " out=b"]
    one, two = (mount(lines, cache=scratch / "cache") for _ in range(2))
    readers = [subprocess.Popen(["cmp", one / name, two / name]) for name in "ab"]
    assert [reader.wait(PATIENCE) for reader in readers] == [0, 0]
    for m in one, two:
        assert same_content(m / "a", "a", SIZE) and same_content(m / "b", "b", SIZE)
    one.umount()
    assert same_content(two / "a", "a", SIZE)
    two.umount()


def test_allocate_full_takes_the_space_at_once(mount, origin):
    for how, least, most in ("full", 32 * MIB, 33 * MIB), ("sparse", 0, 8 * MIB):
        m = mount([origin.file(how, "32M")], f"--allocate={how}")
        read_at(m / "data.bin", 0, 10)
        data, = m.files(".data")
        assert least <= data.stat().st_blocks * 512 <= most
        assert data.stat().st_size == 32 * MIB


def test_st_blocks_are_those_of_the_whole_file(mount, origin):
    m = mount([origin.file("blocks", SIZE)])
    for _ in range(2):
        assert os.stat(m / "data.bin").st_blocks == (SIZE + 511) // 512
        read_at(m / "data.bin", 0, 100)


def test_sparse_copies_lose_nothing(mount, origin, scratch):
    m = mount([origin.file("holes", SIZE)])
    read_at(m / "data.bin", 2 * MIB, 100)
    run("cp", "--sparse=auto", m / "data.bin", scratch / "copy")
    assert same_content(scratch / "copy", "holes", SIZE)
    run("tar", "-C", m.path, "-S", "-cf", scratch / "a.tar", "data.bin")
    run("tar", "-C", scratch, "-xf", scratch / "a.tar")
    assert same_content(scratch / "data.bin", "holes", SIZE)


def test_the_cache_directory_is_the_users_alone(mount, origin):
    m = mount([origin.file("mode", 1000)])
    (m / "data.bin").read_bytes()
    assert m.cache.stat().st_mode & 0o777 == 0o700


def test_a_cache_directory_open_to_others_is_refused(adlfs, fuse, scratch):
    point, cache = scratch / "point", scratch / "cache"
    point.mkdir()
    cache.mkdir()
    cache.chmod(0o777)
    result = run(adlfs, "mount", f"--cache-dir={cache}", "http://127.0.0.1:1/a", point, check=False)
    assert result.returncode == 1 and b"must be yours" in result.stderr


@pytest.fixture(scope="session")
def gigabyte(nginx):
    """1 GiB that nginx serves; with another query it is another file to the cache and the log."""
    path = nginx.root / "gigabyte"
    write_content(path, "gigabyte", GIB)
    yield "/gigabyte"
    path.unlink()


def test_one_page_of_a_gibibyte_fetches_256_KiB_at_most(mount, nginx, gigabyte, scratch):
    uri = f"{gigabyte}?page"
    m = mount([nginx.http + uri])
    out = scratch / "page"
    run("dd", f"if={m / 'gigabyte'}", f"of={out}", "bs=4k", "count=1", "skip=123456")
    assert out.read_bytes() == content("gigabyte", 123456 * 4096, 4096)
    m.umount()
    wait_until(lambda: nginx.served(uri) >= 4096)  # it may log after the client has gone
    assert nginx.served(uri) <= 256 * 1024


def test_a_gibibyte_is_copied_right_and_each_byte_served_once(mount, nginx, gigabyte, scratch):
    uri = f"{gigabyte}?copy"
    m = mount([nginx.http + uri])
    run("cp", m / "gigabyte", scratch / "copy", timeout=4 * PATIENCE)
    run("cmp", scratch / "copy", nginx.root / "gigabyte", timeout=4 * PATIENCE)
    m.umount()
    # On a busy machine a connection may lag, and what its sockets hold comes by another one.
    wait_until(lambda: nginx.served(uri) >= GIB)
    assert nginx.served(uri) <= GIB + 128 * MIB


def test_a_gibibyte_killed_on_the_way_is_resumed(mount, nginx, gigabyte, scratch, start):
    uri, cache = f"{gigabyte}?kill", scratch / "cache"
    m = mount([nginx.http + uri], cache=cache)
    start("cat", m / "gigabyte", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    least = random.Random().randrange(GIB // 4, GIB // 2)
    wait_until(lambda: int(xattr(m / "gigabyte", "cached")) > least)
    m.kill()
    m = mount([nginx.http + uri], cache=cache)
    run("cmp", m / "gigabyte", nginx.root / "gigabyte", timeout=4 * PATIENCE)
    m.umount()
    # Lost is what was not recorded, and what sockets held of what was asked for, 128 MiB at most.
    assert nginx.served(uri) <= GIB + 192 * MIB
