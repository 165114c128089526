"""A limit on the rate is kept over seconds, and readers that wait are served before the rest."""

import time

from control import Control
from harness import read_at, run, same_content, wait_until
from origin import content

MIB = 1 << 20


def measure(control, seconds):
    """Bytes a second that the daemon takes over so long. No speed of anything but the limit: what
    this process waits for the processor makes it less, and never more."""
    begin, first = time.monotonic(), control.mount()["fetched"]
    time.sleep(seconds)
    last, took = control.mount()["fetched"], time.monotonic() - begin
    return (last - first) / took


def test_a_limit_is_kept_and_can_be_changed(mount, origin):
    url = origin.file("l", 256 * MIB)
    m = mount([url], "--limit-rate=4M")
    run(m.binary, "warm", "--detach", m / "data.bin")
    with Control(m) as control:
        assert control.mount()["limit_rate"] == 4 * MIB
        wait_until(lambda: control.mount()["fetched"] > 2 * MIB)
        # Not faster; a machine that is busy with others may make it slower for a while.
        for attempt in range(10):
            rate = measure(control, 1.5)
            assert rate < 1.15 * 4 * MIB
            if rate > 0.85 * 4 * MIB:
                break
        assert rate > MIB
        run(m.binary, "set", m.path, "limit-rate=1M")
        wait_until(lambda: control.mount()["limit_rate"] == MIB)
        assert measure(control, 1.5) < 1.25 * MIB
        # What the origin gives away beyond that is what the kernel's buffers hold.
        assert origin.stats(url)["bytes"] < control.mount()["fetched"] + 64 * MIB
        run(m.binary, "set", m.path, "limit-rate=0")
        before = control.mount()["fetched"]
        wait_until(lambda: control.mount()["fetched"] > before + 16 * MIB)


def test_a_reader_comes_before_a_warm_under_a_limit(mount, origin):
    url = origin.file("w", 256 * MIB)
    m = mount([url, origin.file("r", 64 << 10), " out=small"], "--limit-rate=2M")
    run(m.binary, "warm", "--detach", m / "data.bin")
    with Control(m) as control:
        wait_until(lambda: control.mount()["fetched"] > 2 * MIB)
        before = control.mount()["fetched"]
        for at in range(4):
            offset = (200 + at * 8) * MIB
            assert read_at(m / "data.bin", offset, 4096) == content("w", offset, 4096)
        assert same_content(m / "small", "r", 64 << 10)
        # Had each waited for its turn, 100 seconds' worth would have gone by.
        assert control.mount()["fetched"] - before < 64 * MIB


def test_what_cannot_be_set_is_told(mount, origin):
    m = mount([origin.file("x", 10)])
    for words in (["limit-rat=5M"], ["limit-rate=fast"], ["limit-rate"], ["speed=1"]):
        said = run(m.binary, "set", m.path, *words, check=False)
        assert said.returncode == 2 and b"limit-rate" in said.stderr
