"""adlfs get: the same engine without a mount. None of this needs /dev/fuse or root."""

import contextlib
import hashlib
import json
import os
import pty
import re
import signal
import stat

import pytest

from harness import PATIENCE, check_fetched_once, same_content, wait_until
from origin import content

MIB = 1 << 20


@pytest.fixture
def get(adlfs, run, scratch):
    """get(ARGUMENT...) runs `adlfs get` in the scratch directory, TMPDIR below it."""
    (scratch / "tmp").mkdir()

    def begin(*arguments, **options):
        env = {**os.environ, "TMPDIR": str(scratch / "tmp")}
        return run("env", "-C", scratch, adlfs, "get", *arguments, env=env, **options)
    return begin


def objects(result):
    return {one["path"]: one for one in map(json.loads, result.stdout.splitlines())}


def left_behind(directory):
    """What is there of a run beside its outputs."""
    return [path.name for path in directory.rglob("*") if ".adlfs" in path.name]


def on_disk(directory):
    """Bytes that the files below take."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def test_a_file_comes_whole_once_with_the_origins_time_and_is_not_fetched_again(
        get, origin, scratch):
    url = origin.file("g1", "20M")
    get("-o", "one.bin", url)
    path = scratch / "one.bin"
    assert same_content(path, "g1", 20 * MIB)
    check_fetched_once(origin, url, 20 * MIB)
    assert path.stat().st_mtime == 1700000000 or path.stat().st_mtime < 1800000000
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~current_umask()
    assert left_behind(scratch) == []
    result = get("-o", "one.bin", "--json", url)
    assert objects(result)["one.bin"]["state"] == "unchanged"
    check_fetched_once(origin, url, 20 * MIB)


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_manifests_names_stay_below_the_directory_and_every_file_is_told_of(
        get, origin, scratch):
    good, twin, empty = (origin.file(f"g2{i}", size) for i, size in enumerate(["1M", "10K", "0"]))
    gone = origin.file("g2x", "1K", "status=404", "gone.bin") + "?signature=SECRET"
    (scratch / "out").mkdir()
    (scratch / "elsewhere").mkdir()
    (scratch / "out" / "link").symlink_to(scratch / "elsewhere")
    manifest = scratch / "urls.txt"
    manifest.write_text(f"{good}\n  dir=a/b\n  out=c.bin\n{twin}\n  dir=/a/b\n  out=c.bin\n"
                        f"{empty}\n  out=empty\n{gone}\n{good}\n  dir=link\n  out=d.bin\n")
    result = get("--output=out", "--json", manifest, check=False)
    told = objects(result)
    assert result.returncode == 1
    assert {path: one["state"] for path, one in told.items()} == {
        "a/b/c.bin": "done", "a/b/c (2).bin": "done", "empty": "done", "gone.bin": "failed",
        "link/d.bin": "failed"}
    assert same_content(scratch / "out/a/b/c.bin", "g20", MIB)
    assert same_content(scratch / "out/a/b/c (2).bin", "g21", 10240)
    assert (scratch / "out/empty").stat().st_size == 0
    assert os.listdir(scratch / "elsewhere") == []
    assert "404" in told["gone.bin"]["error"] and "gone.bin" in told["gone.bin"]["error"]
    assert "symbolic link" in told["link/d.bin"]["error"]
    assert b"SECRET" not in result.stdout + result.stderr
    assert b"of 5 files did not come\n" in result.stderr
    assert left_behind(scratch / "out") == []
    assert get("../escape.txt", check=False).returncode == 1
    bad = scratch / "bad.txt"
    bad.write_text(f"{good}\n  out=../up.bin\n")
    assert get(bad, check=False).returncode == 1
    assert not (scratch.parent / "up.bin").exists()


def test_an_interrupted_file_goes_on_where_it_was_and_appears_only_whole(
        get, adlfs, start, origin, scratch):
    url = origin.file("g3", "32M", "gate=rest;hold=512K")  # 16 connections get 8 MiB so
    process = start(adlfs, "get", "-o", scratch / "three.bin", url,
                    stderr=(scratch / "err").open("wb"))
    wait_until(lambda: on_disk(scratch) >= 5 * MIB)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == -signal.SIGINT
    assert not (scratch / "three.bin").exists()
    said = (scratch / "err").read_text()
    assert "interrupted" in said and "the same command" in said
    origin.reset(url)
    origin.set(url, "-")
    told = objects(get("-o", "three.bin", "--json", url))["three.bin"]
    assert same_content(scratch / "three.bin", "g3", 32 * MIB)
    assert told["resumed"] >= 4 * MIB
    check_fetched_once(origin, url, 32 * MIB - told["resumed"])
    assert left_behind(scratch) == []


def test_killed_it_goes_on_and_two_at_a_time_do_not_make_one_output(
        get, adlfs, start, origin, scratch):
    url = origin.file("g4", "16M", "gate=g4;hold=100K")
    process = start(adlfs, "get", "-q", "-o", scratch / "four.bin", url)
    origin.wait(url, bytes=300 << 10)
    store = scratch / ".adlfs-get"
    wait_until(lambda: any(path.stat().st_size > 4096 for path in store.glob("*.map")))
    result = get("-o", "four.bin", url, check=False)
    assert result.returncode == 1 and b"another 'adlfs get'" in result.stderr
    process.kill()
    process.wait()
    origin.open("g4")
    get("-o", "four.bin", url)
    assert same_content(scratch / "four.bin", "g4", 16 * MIB)
    assert left_behind(scratch) == []


def test_a_wrong_checksum_leaves_nothing_and_a_right_one_needs_no_network(get, origin, scratch):
    url = origin.file("g5", "3M")
    right = hashlib.sha256(content("g5", 0, 3 * MIB)).hexdigest()
    wrong = get("-o", "five.bin", f"--checksum=sha-256={'0' * 64}", url, check=False)
    assert wrong.returncode == 1 and b"checksum" in wrong.stderr
    assert not (scratch / "five.bin").exists() and left_behind(scratch) == []
    get("-o", "five.bin", f"--checksum=sha-256={right}", url)
    requests = origin.stats(url)["requests"]
    get("-o", "five.bin", f"--checksum=sha-256={right}", url)
    assert origin.stats(url)["requests"] == requests
    streamed = get("-q", "-o", "-", f"--checksum=sha-256={right}", url)
    assert streamed.stdout == content("g5", 0, 3 * MIB)
    streamed = get("-q", "-o", "-", f"--checksum=sha-256={'1' * 64}", url, check=False)
    assert streamed.returncode == 1 and b"checksum" in streamed.stderr


def test_another_file_is_replaced_only_when_told_so(get, origin, scratch):
    url = origin.file("g6", "100K")
    path = scratch / "six.bin"
    path.write_bytes(b"mine")
    result = get("-o", "six.bin", url, check=False)
    assert result.returncode == 1 and b"--overwrite" in result.stderr
    assert path.read_bytes() == b"mine"
    get("-o", "six.bin", "--overwrite", url)
    assert same_content(path, "g6", 100 << 10)
    origin.set(url, "version=2;modified=1600000000")
    assert get("-o", "six.bin", url, check=False).returncode == 1
    get("-o", "six.bin", "--overwrite", url)
    assert same_content(path, "g6", 100 << 10, version="2")
    (scratch / "dir").mkdir()
    (scratch / "dir" / "data.bin").mkdir()
    result = get("-o", "dir", url, check=False)
    assert result.returncode == 1 and b"not a file" in result.stderr
    get("-o", "/dev/null", url)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("options", [
    "-", "ranges=ignore", "ranges=ignore;length=none", "ranges=ignore;chunked", "redirect=2"])
def test_every_kind_of_origin_gives_a_file_and_a_stream(get, origin, scratch, options):
    url = origin.file("g7", "5M", options)
    get("-o", "seven.bin", url)
    assert same_content(scratch / "seven.bin", "g7", 5 * MIB)
    assert get("-q", "-o", "-", url).stdout == content("g7", 0, 5 * MIB)
    assert left_behind(scratch) == [] and os.listdir(scratch / "tmp") == []


def test_a_stream_takes_little_disk_however_slow_its_reader(adlfs, start, origin, scratch):
    (scratch / "tmp").mkdir()
    url = origin.file("g8", "200M")
    process = start(adlfs, "get", "-q", "-o", "-", url, stdout=-1,
                    env={**os.environ, "TMPDIR": str(scratch / "tmp")})
    length, sizes = 0, []
    for _ in range(20):
        got = process.stdout.read(10 * MIB)
        assert got == content("g8", length, len(got))
        length += len(got)
        with contextlib.suppress(FileNotFoundError):
            sizes += [path.stat().st_blocks * 512 for path in scratch.glob("tmp/*/*.data")]
    assert length == 200 * MIB and process.stdout.read() == b"" and process.wait(PATIENCE) == 0
    assert sizes and max(sizes) < 180 * MIB


def test_a_stream_nobody_reads_ends_as_a_failure_and_by_sigint(adlfs, start, origin, scratch):
    url = origin.file("g9", "20M")
    reader, writer = os.pipe()
    process = start(adlfs, "get", "-q", "-o", "-", url, stdout=writer,
                    stderr=(scratch / "err").open("wb"))
    os.close(writer)
    assert os.read(reader, 1)
    os.close(reader)
    assert process.wait(PATIENCE) == 1
    assert "standard output" in (scratch / "err").read_text()
    reader, writer = os.pipe()
    process = start(adlfs, "get", "-q", "-o", "-", url, stdout=writer)
    os.close(writer)
    assert os.read(reader, 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == -signal.SIGINT
    os.close(reader)


def test_a_cache_is_filled_and_used_and_keeps_what_it_has(get, origin, scratch):
    url = origin.file("gA", "8M")
    get("--cache-dir=cache", "-o", "a.bin", url)
    get("--cache-dir=cache", "-o", "b.bin", url)
    check_fetched_once(origin, url, 8 * MIB)
    for name in "a.bin", "b.bin":
        assert same_content(scratch / name, "gA", 8 * MIB)
    assert len(list(scratch.glob("cache/*.data"))) == 1
    (scratch / "a.bin").write_bytes(b"changed")  # is not the cache's
    assert get("-q", "--cache-dir=cache", "-o", "-", url).stdout == content("gA", 0, 8 * MIB)
    assert left_behind(scratch) == []


def test_a_version_that_changes_on_the_way_is_never_mixed(get, adlfs, start, origin, scratch):
    url = origin.file("gB", "12M", "gate=gB;hold=100K")
    process = start(adlfs, "get", "-q", "-o", scratch / "b.bin", url)
    origin.wait(url, bytes=100 << 10)
    origin.set(url, "version=2;modified=1600000000")
    origin.open("gB")
    assert process.wait(PATIENCE) == 0
    with open(scratch / "b.bin", "rb") as file:
        first = file.read(1)
    version = "2" if first == content("gB", 0, 1, "2") else "0"
    assert same_content(scratch / "b.bin", "gB", 12 * MIB, version)


def test_wrong_usage_is_told(get, origin):
    url = origin.file("gC", "1K")
    assert get(check=False).returncode == 2
    assert get("--json", "-o", "-", url, check=False).returncode == 2
    assert get("--checksum=md5=0", url, url, check=False).returncode == 2
    result = get(f"{origin.url}/", check=False)
    assert result.returncode == 1 and b"--output=FILE" in result.stderr
    result = get("-o", "x", "http://127.0.0.1:1/x", "--retry-for=1", check=False)
    assert result.returncode == 1 and b"x: http://127.0.0.1:1/x: Failed to connect" in result.stderr
    assert b"again in" not in result.stderr  # it is over
    result = get("--checksum=md5=00", url, check=False)
    assert result.returncode == 1 and b"--output=FILE" not in result.stderr  # would not help


def test_a_terminal_sees_a_bar_for_all_and_for_each_connection(adlfs, start, origin, scratch):
    url = origin.file("gD", "8M", "gate=gD;hold=100K")
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "72", "NO_COLOR": "1"}
    terminal, end = pty.openpty()
    process = start(adlfs, "get", "-o", scratch / "d.bin", url, stderr=end, env=env)
    os.close(end)
    seen = b""
    while b"of 8.0 MiB" not in seen or not re.search(rb"\n +2 \S+-\S+ .*\n", seen):
        seen += os.read(terminal, 4096)
    origin.open("gD")
    with contextlib.suppress(OSError):
        while data := os.read(terminal, 4096):
            seen += data
    os.close(terminal)
    assert process.wait(PATIENCE) == 0
    assert b"\x1b[3" not in seen and b"d.bin: 8.0 MiB in" in seen
    lines = seen.replace(b"\r", b"").decode().split("\n")
    assert all(len(line) <= 72 + len("\x1b[2A\x1b[J") for line in lines), lines
    assert re.search(rb"\n +1 \S+-\S+ .*/s\r\n", seen)


def test_many_small_files_share_connections(get, origin, scratch):
    urls = [origin.file(f"gE{i}", 1000, name=f"{i}.txt") for i in range(30)]
    (scratch / "urls.txt").write_text("\n".join(urls))
    get("-o", "out/", "--jobs=8", "urls.txt")
    for i in range(30):
        assert same_content(scratch / "out" / f"{i}.txt", f"gE{i}", 1000)
    everything = origin.everything()
    connections = max(record["connections"] for record in everything.values()) if everything else 0
    assert connections <= 16
    assert left_behind(scratch / "out") == []
