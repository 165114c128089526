"""adlfs cache: what is in the cache is listed, tidied and taken out; what is in use stays."""

import json
import os
import pty

import pytest

from control import Control
from harness import PATIENCE, same_content, wait_until
from origin import content

KIB = 1 << 10


@pytest.fixture
def cache(adlfs, run, scratch):
    """cache(ACTION, OPTION...) on the scratch directory's cache."""
    def command(*arguments, **options):
        return run(adlfs, "cache", f"--cache-dir={scratch / 'cache'}", *arguments, **options)
    return command


@pytest.fixture
def filled(mount, origin, scratch):
    """A mount on that cache, with a whole file and the beginning of another."""
    whole = origin.file("c1", "300K", name="whole.bin") + "?signature=SECRET"
    part = origin.file("c2", "10M", name="part.bin")
    one = mount([whole, part], cache=scratch / "cache")
    assert same_content(one / "whole.bin", "c1", 300 * KIB)
    with open(one / "part.bin", "rb", buffering=0) as file:
        assert os.pread(file.fileno(), 100, 5 << 20) == content("c2", 5 << 20, 100)
    with Control(one) as control:  # the kernel tells of a close(2) when it likes
        wait_until(lambda: all(not file["opened"] and not file["transfers"]
                               for file in control.status()["files"]))
    return one


def listed(cache):
    return {one["url"].rpartition("/")[2]: one
            for one in json.loads(cache("ls", "--json").stdout)["files"]}


def test_ls_tells_sizes_shares_and_urls_without_secrets(cache, filled):
    filled.umount()
    files = listed(cache)
    assert files["whole.bin?..."]["size"] == files["whole.bin?..."]["cached"] == 300 * KIB
    assert files["part.bin"]["size"] == 10 << 20
    assert 0 < files["part.bin"]["cached"] < 10 << 20
    assert all(one["used"] and one["allocated"] > 0 for one in files.values())
    said = cache("ls").stdout.decode()
    assert "100%" in said and "300 KiB" in said and "2 files" in said
    assert "SECRET" not in said + cache("ls", "--json").stdout.decode()


def test_clear_asks_and_leaves_what_is_in_use(cache, adlfs, filled, start, scratch):
    refused = cache("clear", check=False)
    assert refused.returncode == 1 and b"--yes" in refused.stderr and len(listed(cache)) == 2
    with open(filled / "part.bin", "rb", buffering=0) as file:
        assert os.pread(file.fileno(), 10, 0) == content("c2", 0, 10)
        cleared = cache("clear", "--yes")
        assert b"part.bin: is in use" in cleared.stderr and b"1 file removed" in cleared.stdout
        assert list(listed(cache)) == ["part.bin"]
        assert os.pread(file.fileno(), 10, 5 << 20) == content("c2", 5 << 20, 10)
    filled.umount()
    for answer, left in (b"\n", 1), (b"y\n", 0):
        terminal, end = pty.openpty()
        process = start(adlfs, "cache", "clear", f"--cache-dir={scratch / 'cache'}", stdin=end,
                        stderr=end, stdout=-1)
        os.close(end)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(terminal, 1000)
        os.write(terminal, answer)
        assert process.wait(PATIENCE) == (1 if left else 0)
        os.close(terminal)
        assert len(listed(cache)) == left
    assert os.listdir(scratch / "cache") == []


def test_gc_removes_leftovers_and_nothing_else(cache, filled, scratch):
    filled.umount()
    orphan = scratch / "cache" / f"{'0' * 32}.data"
    orphan.write_bytes(b"x" * 5000)
    assert b"1 file removed" in cache("gc").stdout
    assert not orphan.exists() and len(listed(cache)) == 2


def test_an_empty_cache_is_no_error_and_is_not_made(cache, scratch):
    assert b"0 files" in cache("ls").stdout
    assert cache("gc").returncode == 0 and cache("clear").returncode == 0
    assert not (scratch / "cache").exists()
    assert cache(check=False).returncode == 2
    wrong = cache("cler", check=False)
    assert wrong.returncode == 2 and b"'clear'" in wrong.stderr
