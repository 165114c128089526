"""What will be wanted next is fetched ahead, bounded, and each thing once."""

import os
import subprocess
from urllib.parse import urlsplit

from harness import PATIENCE, check_fetched_once, run, wait_until, xattr

COUNT = 120
SIZE = 10000


def many(origin, options="-"):
    return [line for i in range(COUNT)
            for line in (origin.file(f"s{i}", SIZE, options), f" out=d/f{i:03}")]


def requests(origin, urls):
    stats = origin.everything()
    return [stats.get(urlsplit(url).path, {"requests": 0})["requests"] for url in urls]


def test_a_listing_asks_for_every_size_once_and_side_by_side(mount, origin, start):
    lines = many(origin, "gate=sizes")
    urls = lines[::2]
    origin.close("sizes")
    m = mount(lines)
    listing = os.scandir(m / "d")
    names = [entry.name for entry in listing]
    assert len(names) == COUNT and sum(requests(origin, urls)) == 0
    listing.close()
    stat = start("stat", m / "d" / "f000", stdout=subprocess.DEVNULL)
    # one process asks for one size, and many are under way
    wait_until(lambda: sum(requests(origin, urls)) >= 32)
    origin.open("sizes")
    assert stat.wait(PATIENCE) == 0
    run("ls", "-l", m / "d")
    assert requests(origin, urls) == [1] * COUNT


def test_one_stat_without_a_listing_asks_for_one_size(mount, origin):
    lines = many(origin)
    m = mount(lines)
    os.stat(m / "d" / "f003")
    assert sum(requests(origin, lines[::2])) == 1


def test_files_read_in_order_are_fetched_once_each(mount, origin):
    lines = many(origin)
    urls = lines[::2]
    m = mount(lines)
    for i in range(COUNT):
        assert len((m / "d" / f"f{i:03}").read_bytes()) == SIZE
    for url in urls:
        check_fetched_once(origin, url, SIZE)


def test_small_files_come_before_they_are_opened(mount, origin):
    lines = many(origin)
    m = mount(lines)
    for i in range(20):
        (m / "d" / f"f{i:03}").read_bytes()
    wait_until(lambda: int(xattr(m / "d" / "f022", "cached")) == SIZE)
    assert sum(requests(origin, lines[200::2])) == 0  # and not the whole directory
