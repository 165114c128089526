"""adlfs verify finds flipped bits in what is cached, says where, drops those blocks, and the next read
fetches them."""

import contextlib
import json
import os
import re
import signal
import subprocess

import pytest

from control import Control
from harness import PATIENCE, check_fetched_once, fetched, run, same_content, wait_until
from origin import content
from sidecar import Sidecar, forge_boot

KIB = 1024
SIZE = 700 * KIB + 5


@pytest.fixture
def cached(mount, origin, scratch):
    """Two files, all of them in the cache, and closed in order: [(URL, its sidecar)]."""
    urls = [origin.file(seed, SIZE, name=seed) for seed in ("rot-a", "rot-b")]
    m = mount(urls, cache=scratch / "cache")
    for seed in "rot-a", "rot-b":
        assert same_content(m / seed, seed, SIZE)
    m.umount()
    sidecars = {one.url: one for one in map(Sidecar, (scratch / "cache").glob("*.map"))}
    return [(url, sidecars[url]) for url in urls]


def verify(adlfs, scratch, *arguments):
    return run(adlfs, "verify", f"--cache-dir={scratch / 'cache'}", *arguments, check=False)


def rot(sidecar, *places):
    """Flips bits as a disk does it: with nothing but the checksums to tell."""
    with open(sidecar.data_path, "r+b") as data:
        for place in places:
            data.seek(place)
            byte = data.read(1)[0]
            data.seek(place)
            data.write(bytes([byte ^ 0x40]))
    boot = open("/proc/sys/kernel/random/boot_id").read().strip().replace("-", "")
    forge_boot(sidecar.path, bytes.fromhex(boot))


def test_what_is_as_it_came_is_fine(adlfs, scratch, cached):
    result = verify(adlfs, scratch)
    assert result.returncode == 0, result
    assert result.stdout.decode() == "2 files, 1.4 MiB compared: all as it came\n"


def test_flipped_bits_are_found_told_and_fetched_again(adlfs, mount, origin, scratch, cached):
    (good, _), (bad, sidecar) = cached
    block = sidecar.block_size
    rot(sidecar, 3 * block + 17, SIZE - 1)
    origin.reset()
    m = mount([good, bad], "--revalidate=never", cache=scratch / "cache")
    assert not same_content(m / "rot-b", "rot-b", SIZE)  # nobody notices, or there were no need
    m.umount()

    result = verify(adlfs, scratch)
    assert result.returncode == 1
    last = SIZE // block * block
    assert result.stdout.decode().splitlines() == [
        f"{bad}: bytes {3 * block}-{4 * block - 1} were damaged, and are dropped",
        f"{bad}: bytes {last}-{SIZE - 1} were damaged, and are dropped",
        "2 files, 1.4 MiB compared: 2 damaged ranges are dropped; the next read fetches "
        "what is missing"]
    assert verify(adlfs, scratch).returncode == 0

    m = mount([good, bad], "--revalidate=never", cache=scratch / "cache")
    for seed in "rot-a", "rot-b":
        assert same_content(m / seed, seed, SIZE)
    m.umount()
    assert fetched(origin.stats(good)) == 0
    check_fetched_once(origin, bad, block + SIZE - last)


def test_programs_are_told_in_json(adlfs, scratch, cached):
    (_, _), (bad, sidecar) = cached
    rot(sidecar, 0)
    result = verify(adlfs, scratch, "--json", bad)
    assert result.returncode == 1
    assert json.loads(result.stdout) == [{
        "url": bad, "checked": SIZE, "error": None, "lost": [],
        "dropped": [{"first": 0, "last": sidecar.block_size - 1}]}]


def test_a_damaged_sidecar_is_told_and_costs_a_fetch(adlfs, mount, origin, scratch, cached):
    (one, page), (other, head) = cached
    for sidecar, place in (page, 4096 + 40), (head, 30):
        data = bytearray(sidecar.path.read_bytes())
        data[place] ^= 1
        sidecar.path.write_bytes(data)
    result = verify(adlfs, scratch, "--json")
    found = {entry["url"]: entry for entry in json.loads(result.stdout)}
    assert result.returncode == 1
    assert found[one]["lost"] == [{"first": 0, "last": SIZE - 1}] and not found[one]["dropped"]
    damaged = found[head.path.stem]  # its URL was in the head
    assert damaged["error"] == "what told of it was damaged: all of it is dropped"
    assert not head.data_path.exists()
    m = mount([one, other], cache=scratch / "cache")
    for seed in "rot-a", "rot-b":
        assert same_content(m / seed, seed, SIZE)


def test_what_a_mount_has_open_is_left_alone(adlfs, mount, scratch, cached):
    (busy, _), (idle, sidecar) = cached
    rot(sidecar, 100)
    m = mount([busy, idle], "--revalidate=never", cache=scratch / "cache")
    with open(m / "rot-a", "rb") as file:
        assert file.read(10) == content("rot-a", 0, 10)
        result = verify(adlfs, scratch)
        assert f"{busy}: in use by a mount: not checked\n".encode() in result.stderr
        assert result.returncode == 1 and f"{idle}: bytes 0-".encode() in result.stdout
        result = verify(adlfs, scratch)
        assert result.returncode == 0  # what is left out in passing is no failure
        assert b"all as it came" not in result.stdout and b"1 file is in use" in result.stdout
        result = verify(adlfs, scratch, busy)
        assert result.returncode == 1 and result.stdout.startswith(b"nothing was compared\n")
    assert same_content(m / "rot-b", "rot-b", SIZE)


@contextlib.contextmanager
def rotten(m, path, place):
    """Opens a file of 8 MiB, has its first 512 KiB fetched past the kernel, and flips a bit there: what
    is open is trusted."""
    with open(m / path, "rb", buffering=0) as file:
        run(m.binary, "warm", "--range=0-512K", m / path)
        data = next(one for one in m.cache.glob("*.data") if one.stat().st_size == 8 << 20)
        with open(data, "r+b", buffering=0) as disk:
            byte = os.pread(disk.fileno(), 1, place)[0]
            os.pwrite(disk.fileno(), bytes([byte ^ 1]), place)
            os.fsync(disk.fileno())
        yield file


def test_a_mount_verifies_what_it_has_open(mount, origin):
    """Wrong bytes that the kernel has read by then are gone from its memory, too."""
    m = mount([origin.file("live", "8M", name="live.bin"), " out=d/live.bin",
               origin.file("fine", SIZE, name="fine.bin"), " out=d/fine.bin"])
    path, good = m / "d" / "live.bin", content("live", 0, 512 * KIB)
    assert same_content(m / "d" / "fine.bin", "fine", SIZE)
    with rotten(m, "d/live.bin", 200 * KIB) as file:
        assert os.pread(file.fileno(), 512 * KIB, 0) != good  # nobody notices
        said = run(m.binary, "verify", m / "d", check=False)
        lines = said.stdout.decode().splitlines()
        assert said.returncode == 1 and lines[0] == (
            f"{path}: bytes {192 * KIB}-{256 * KIB - 1} were damaged, and are dropped")
        assert lines[1].startswith("2 files, ") and "1 damaged range is dropped" in lines[1]
        assert os.pread(file.fileno(), 512 * KIB, 0) == good
    again = run(m.binary, "verify", "--json", path)
    assert [(one["path"], one["dropped"], one["error"]) for one in json.loads(again.stdout)] == [
        (str(path), [], None)]


@pytest.mark.parametrize("then", ["resume", "end"])
def test_who_waits_for_the_kernel_to_forget_holds_up_nobody(mount, origin, start, then):
    """The kernel locks a page while it is read, and who has it forget that page waits for the read:
    neither a resume nor the daemon's end may have to wait behind that."""
    m = mount([origin.file("hold", "8M")])
    first, end = 448 * KIB, 512 * KIB  # the last block that is here
    with rotten(m, "data.bin", first), Control(m) as control, Control(m) as other:
        run(m.binary, "pause", m.path)
        # one request of the kernel's, for what is here and what is not
        reader = start("dd", f"if={m / 'data.bin'}", "bs=128K", "count=1", f"skip={first}",
                       "iflag=skip_bytes", "status=none", stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL)
        wait_until(lambda: other.file("data.bin")["waiting"])
        control.send(do="verify", paths=["data.bin"])
        wait_until(lambda: other.file("data.bin")["cached"] == first)
        assert control.ask(do="hello", id="there?")["id"] == "there?"  # before what was asked first
        if then == "resume":
            assert other.ask(do="resume")["ok"]
            assert control.next()["files"][0]["dropped"] == [[first, end]]
            assert reader.communicate(timeout=PATIENCE)[0] == content("hold", first, 128 * KIB)
        else:
            os.kill(m.pid, signal.SIGTERM)
            assert reader.communicate(timeout=PATIENCE)[0] == b"" and reader.returncode == 1
    if then == "end":
        m.wait_end()


def test_wrong_usage_and_secrets(adlfs, scratch, cached):
    assert run(adlfs, "verify", "no-url", check=False).returncode == 2
    assert run(adlfs, "verify", "--cache-dir=/nowhere/at/all", check=False).returncode == 1
    result = verify(adlfs, scratch, "http://user:geheim@127.0.0.1/x?token=geheim")
    assert result.returncode == 1 and b"not cached" in result.stderr
    assert b"geheim" not in result.stdout + result.stderr
    help_text = run(adlfs, "verify", "--help").stdout.decode()
    assert re.search(r"--json\s", help_text) and "--cache-dir=DIR" in help_text
