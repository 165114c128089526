"""What stands in a manifest becomes the files that it should, or is told with its line."""

import os
from pathlib import Path

import pytest

from harness import PATIENCE, Pid, mounted, run, running, same_content, umount
from origin import content

NOBODY = "http://127.0.0.1:1"  # names do not need the network


@pytest.fixture
def refuse(adlfs, fuse, scratch):
    """Mounts what must not be mounted; what was told."""
    def attempt(manifest, *options, status=1):
        source, point = scratch / "urls.txt", scratch / "mnt"
        source.write_bytes(manifest if isinstance(manifest, bytes) else manifest.encode())
        point.mkdir()
        result = run(adlfs, "mount", f"--cache-dir={scratch}/cache", *options, source, point,
                     check=False)
        assert result.returncode == status
        assert not mounted(point)
        return result.stderr.decode(errors="replace")
    return attempt


def names(directory):
    """The paths of all files below, as bytes."""
    top = os.fsencode(directory)
    return sorted(os.path.relpath(os.path.join(at, name), top)
                  for at, _, files in os.walk(top) for name in files)


def test_names_come_from_urls_percent_decoded(mount):
    m = mount([f"{NOBODY}/a/plain.txt", f"{NOBODY}/a/with%20space?query=1#part",
               f"{NOBODY}/a/sl%2Fash", f"{NOBODY}/%C3%A9t%C3%A9", f"{NOBODY}/%FF%FE",
               f"{NOBODY}/dir/"])
    assert names(m.path) == sorted([b"plain.txt", b"with space", b"sl_ash", "été".encode(),
                                    b"\xff\xfe", b"dir"])


def test_aria2_options_name_files_and_directories(mount, origin):
    m = mount([origin.file("a", 1000), "  out=renamed.bin",
               origin.file("b", 1000), "  dir=one/two", "  out=three/b.bin",
               origin.file("c", 1000), "\tdir=one"])
    assert names(m.path) == [b"one/data.bin", b"one/two/three/b.bin", b"renamed.bin"]
    assert same_content(m / "one/two/three/b.bin", "b", 1000)
    assert same_content(m / "one/data.bin", "c", 1000)
    assert os.stat(m / "one/two").st_mode & 0o7777 == 0o555


def test_headers_and_credentials_are_sent(mount, origin):
    wants_header = origin.file("h", 1000, "require=X-Key:k 1")
    wants_login = origin.file("l", 1000, "auth=me:secret")
    m = mount([wants_header, "  out=h", "  header=X-Key: k 1", "  header=X-Other: 2",
               "  referer=http://127.0.0.1/from", "  user-agent=tester/1",
               wants_login, "  out=l", "  http-user=me", "  http-passwd=secret"])
    assert same_content(m / "h", "h", 1000) and same_content(m / "l", "l", 1000)
    sent = origin.stats(wants_header)["log"][-1]["headers"]
    assert sent["x-other"] == "2" and sent["user-agent"] == "tester/1"
    assert sent["referer"] == "http://127.0.0.1/from"


def test_credentials_in_the_url_are_used(mount, origin):
    url = origin.file("l", 1000, "auth=me:secret").replace("http://", "http://me:secret@")
    assert same_content(mount([url]) / "data.bin", "l", 1000)


def test_mirrors_stand_on_one_line(mount, origin):
    good = origin.file("m", 100000)
    m = mount([f"{origin.file('m', 100000, 'status=404')}\t{good}"])
    assert names(m.path) == [b"data.bin"]
    assert os.getxattr(m / "data.bin", "user.adlfs.mirrors") == b"2"


def test_equal_names_are_numbered_in_order(mount, origin):
    m = mount([origin.file(seed, 1000) for seed in "abc"])
    assert names(m.path) == [b"data (2).bin", b"data (3).bin", b"data.bin"]
    for name, seed in ("data.bin", "a"), ("data (2).bin", "b"), ("data (3).bin", "c"):
        assert same_content(m / name, seed, 1000)
    assert "urls.txt:2" in m.log() and "urls.txt:3" in m.log()


def test_line_ends_comments_and_a_byte_order_mark(mount):
    m = mount(b"\xef\xbb\xbf# a comment\r\n" + f"{NOBODY}/a\r\n  out=x.txt\r\n".encode()
              + f"\r\n#more\n\n{NOBODY}/last".encode())
    assert names(m.path) == [b"last", b"x.txt"]


def test_sizes_and_times_told_need_no_request(mount, origin):
    url = origin.file("a", 1000)
    m = mount([url, "#adlfs: size=1000 mtime=2026-01-31T12:00:00Z"])
    status = os.stat(m / "data.bin")
    assert (status.st_size, status.st_mtime) == (1000, 1769860800)
    assert origin.stats(url)["requests"] == 0
    assert same_content(m / "data.bin", "a", 1000)


def test_listing_needs_no_request(mount, origin):
    url = origin.file("a", 1000)
    assert os.listdir(mount([url]).path) == ["data.bin"]
    assert origin.stats(url)["requests"] == 0


def test_every_wrong_line_is_told_and_nothing_is_mounted(refuse):
    told = refuse(f"{NOBODY}/good\nftp://x/y\n{NOBODY}/fine\nnonsense\n{NOBODY}/..\n"
                  f"{NOBODY}/a\n  out=../up\n")
    for line in 2, 4, 5, 7:
        assert f"urls.txt:{line}:" in told
    for line in 1, 3, 6:
        assert f"urls.txt:{line}:" not in told


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_an_empty_manifest_is_an_error(refuse, text):
    assert "no URLs" in refuse(text)


def test_keep_going_mounts_what_is_right(mount):
    m = mount(["nonsense", f"{NOBODY}/good", "ftp://x/y"], "--keep-going")
    assert names(m.path) == [b"good"]
    assert "urls.txt:1:" in m.log() and "urls.txt:3:" in m.log()


def test_options_of_aria2_without_a_meaning_here_are_warned_of(mount):
    m = mount([f"{NOBODY}/a", "  seed-time=1"])
    assert names(m.path) == [b"a"]
    assert "urls.txt:2: warning" in m.log()


@pytest.mark.parametrize("arguments", [
    ["mount"], ["mount", "a"], ["mount", "--no-such-option", "a", "b"], ["frobnicate"], [],
    ["mount", "--block-size=3", "a", "b"], ["mount", "--retry-for=x", "a", "b"], ["probe"],
    ["mount", "--max-connections=99999999999999999999", "a", "b"],
])
def test_wrong_usage_exits_2_and_says_what(adlfs, arguments):
    result = run(adlfs, *arguments, check=False)
    assert result.returncode == 2 and result.stderr


def test_a_missing_manifest_or_mount_point_is_an_error(adlfs, scratch):
    for source, point in (scratch / "none", scratch), ("http://127.0.0.1:1/a", scratch / "none"):
        result = run(adlfs, "mount", f"--cache-dir={scratch}/c", source, point, check=False)
        assert result.returncode == 1 and b"No such file" in result.stderr


def test_a_dash_reads_standard_input(adlfs, fuse, scratch, point, origin):
    url = origin.file("in", 5000)
    run(adlfs, "mount", f"--cache-dir={scratch}/c", "-", point, stdin=f"{url}\n".encode())
    assert same_content(point / "data.bin", "in", 5000)
    umount(adlfs, point)


def test_one_url_is_a_manifest_and_mount_returns_when_it_is_usable(adlfs, fuse, scratch, point,
                                                                    origin):
    run(adlfs, "mount", f"--cache-dir={scratch}/c", origin.file("one", 5000), point)
    assert mounted(point)
    assert same_content(point / "data.bin", "one", 5000)
    pid = Pid(os.getxattr(point, "user.adlfs.pid"))
    assert Path(f"/proc/{pid}/comm").read_text().strip() == adlfs.name[:15]
    umount(adlfs, point)
    assert not mounted(point) and not running(pid)


def test_a_relative_manifest_and_mount_point(adlfs, fuse, scratch, point):
    (scratch / "urls.txt").write_text(f"{NOBODY}/a\n")
    run("sh", "-c", f"cd {scratch} && {adlfs} mount --cache-dir=c urls.txt point && ls point "
        f"&& {adlfs} umount point")
    assert (scratch / "c").is_dir()


def test_a_million_entries_mount_and_list(mount, origin):
    url = origin.file("deep", 1000, name="x")
    lines = "".join(f"{NOBODY}/d/f{k}\n" for k in range(999999))
    m = mount(f"{lines}{url}\n  out=sub/last\n")
    assert int(run("sh", "-c", f"ls -U {m.path} | wc -l", timeout=2 * PATIENCE).stdout) == 1000000
    assert read_last(m) == content("deep", 0, 1000)


def read_last(m):
    return (m / "sub/last").read_bytes()
