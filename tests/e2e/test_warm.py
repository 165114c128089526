"""What someone asks to be fetched is fetched, behind everybody who reads, and can be watched."""

import os
import re
import signal
import subprocess

import pytest

from control import Control
from harness import (PATIENCE, check_fetched, check_fetched_once, mounted, read_at, run,
                     same_content, wait_until)
from origin import content

MIB = 1 << 20
SIZE = 20 * MIB


def offline(m, *paths):
    """Pauses the mount, so that what is read now can come from the cache only."""
    run(m.binary, "pause", m.path)


def test_files_and_directories_are_fetched_whole_and_once(mount, origin):
    urls = {f"d/{n}": origin.file(f"w{n}", MIB * (n + 1)) for n in range(3)}
    other = origin.file("other", MIB)
    m = mount([line for path, url in urls.items() for line in (url, f" out={path}")] + [other])
    said = run(m.binary, "warm", m / "d", env={**os.environ, "COLUMNS": "60"})
    lines = said.stdout.decode().splitlines()
    assert lines and all(re.match(r"d: .*(MiB|KiB|B)", line) for line in lines)
    assert "100%" in lines[-1] and "3/3 files" in lines[-1] and "\033" not in "".join(lines)
    for n, url in enumerate(urls.values()):
        check_fetched_once(origin, url, MIB * (n + 1))
    assert origin.stats(other)["requests"] == 0
    offline(m)
    for n, path in enumerate(urls):
        assert same_content(m / path, f"w{n}", MIB * (n + 1))


@pytest.mark.parametrize("options", ["-", "ranges=ignore", "ranges=ignore;chunked"])
def test_a_range_is_fetched_and_no_more_than_it_takes(mount, origin, options):
    url = origin.file("r", SIZE, options)
    m = mount([url])
    run(m.binary, "warm", "--range=5M-6.5M", m / "data.bin")
    if options == "-":
        check_fetched(origin, url, 1.5 * MIB + 2 * 65536, 1.5 * MIB)
    beyond = run(m.binary, "warm", "--range=1G-2G", m / "data.bin", check=False)
    assert beyond.returncode == 1 and b"nothing of it lies in --range=1G-2G" in beyond.stderr
    offline(m)
    assert read_at(m / "data.bin", 5 * MIB, MIB * 3 // 2) == content("r", 5 * MIB, MIB * 3 // 2)


def test_jobs_bound_the_connections(mount, origin):
    url = origin.file("j", SIZE, "rate=8M")
    m = mount([url])
    run(m.binary, "warm", "--jobs=2", m / "data.bin")
    # Of 16. The origin may not have seen the end of the probe's, or of one that was given up.
    assert 1 <= origin.stats(url)["peak"] <= 6
    offline(m)
    assert same_content(m / "data.bin", "j", SIZE)


def test_what_was_ordered_can_be_given_up(mount, origin, start):
    held = [origin.file(f"s{n}", SIZE, "gate=s;hold=100K") for n in (1, 2)]
    asked = origin.file("s3", SIZE, "gate=s3")
    m = mount([line for n, url in enumerate([*held, asked]) for line in (url, f" out={n}")])
    waits = start(m.binary, "warm", m.path, stderr=-1)
    for url in held:
        origin.wait(url, bytes=100_000)
    origin.wait(asked, requests=1)  # it is being opened
    run(m.binary, "warm", "--stop", m.path)
    origin.open("s3")
    assert waits.wait(PATIENCE) == 1
    told = waits.stderr.read()
    for n in range(3):
        assert f"adlfs warm: {n}: given up".encode() in told
    assert b"3 of 3 files did not come" in told
    with Control(m) as control:
        wait_until(lambda: control.mount()["transfers"] == 0, what="no transfer")
    check_fetched(origin, asked, SIZE - 1)
    origin.open("s")
    for n, seed in enumerate(("s1", "s2", "s3")):
        assert same_content(m / str(n), seed, SIZE)  # reads are as ever


def test_readers_come_first(mount, origin):
    url = origin.file("big", 64 * MIB, "rate=256K")
    m = mount([url, origin.file("small", MIB), " out=small"], "--max-connections-per-origin=4")
    run(m.binary, "warm", "--detach", m / "data.bin")
    with Control(m) as control:
        wait_until(lambda: control.mount()["transfers"] >= 4)
        assert same_content(m / "small", "small", MIB)
        assert read_at(m / "data.bin", 60 * MIB, 4096) == content("big", 60 * MIB, 4096)
        # 64 seconds' worth is far from done: nobody waited for it
        assert control.file("data.bin")["cached"] < 40 * MIB


def test_interrupting_the_waiting_does_not_end_the_fetching(mount, origin, start):
    url = origin.file("c", 8 * MIB, "gate=go;hold=100000;after=1")
    m = mount([url])
    warm = start(m.binary, "warm", m / "data.bin", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    origin.wait(url, requests=2)
    warm.send_signal(signal.SIGINT)
    out, err = warm.communicate(timeout=PATIENCE)
    assert warm.returncode == 130 and b"goes on without you" in err, out
    origin.open("go")
    with Control(m) as control:
        wait_until(lambda: control.file("data.bin")["state"] == "complete")
        again = control.ask(do="warm", paths=["data.bin"])
        job = control.ask(do="job", job=again["job"])["job"]
        assert job["size"] in (None, 8 * MIB)


def test_what_does_not_come_is_told_and_the_rest_comes(mount, origin):
    m = mount([origin.file("gone", MIB, "status=404"), " out=gone", origin.file("good", MIB),
               " out=good", origin.file("never", MIB, "status=503"), " out=never"],
              "--retry-for=3")
    said = run(m.binary, "warm", m.path, check=False)
    assert said.returncode == 1
    assert b"gone: " in said.stderr and b"404" in said.stderr
    assert b"never: " in said.stderr and b"503" in said.stderr
    offline(m)
    assert same_content(m / "good", "good", MIB)


def test_a_warm_waits_for_a_resume(mount, origin, start):
    url = origin.file("p", 8 * MIB)
    m = mount([url], "--paused", "--retry-for=1")
    warm = start(m.binary, "warm", m / "data.bin", stdout=subprocess.PIPE)
    with Control(m) as control:
        wait_until(lambda: control.ask(do="job", job=1)["ok"])
        assert control.ask(do="job", job=1)["job"]["state"] == "paused"
        assert origin.stats(url)["requests"] == 0
        control.ask(do="resume")
    assert warm.wait(PATIENCE) == 0
    check_fetched_once(origin, url, 8 * MIB)


def test_fill_completes_what_was_opened_when_nobody_reads(mount, origin):
    opened, other = origin.file("o", 8 * MIB), origin.file("x", 8 * MIB)
    m = mount([opened, " out=opened", other, " out=other"], "--fill=opened")
    read_at(m / "opened", 0, 10)
    with Control(m) as control:
        wait_until(lambda: control.file("opened")["state"] == "complete")
    # lost when a reader comes: a part of a block for each range under way
    check_fetched(origin, opened, 9 * MIB)
    assert origin.stats(other)["requests"] == 0


def test_fill_all_completes_the_manifest_and_makes_way_for_readers(mount, origin):
    slow = origin.file("s", 12 * MIB, "gate=s;hold=100K")
    m = mount([slow, " out=slow", origin.file("b", MIB), " out=b", origin.file("c", MIB),
               " out=c"], "--fill=all", "--max-connections-per-origin=4")
    with Control(m) as control:
        wait_until(lambda: control.file("slow")["transfers"] > 1)
        assert same_content(m / "c", "c", MIB)
        origin.open("s")
        wait_until(lambda: all(one["state"] == "complete"
                               for one in control.status("slow", "b", "c")["files"]))
    m.umount()
    assert not mounted(m.path)
