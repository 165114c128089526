"""The manifest is read again: on SIGHUP, by `adlfs reload`, and when it changes (--follow)."""

import errno
import os
import signal

import pytest

from harness import check_fetched_once, errno_of, read_at, same_content, wait_until, xattr
from origin import content

MIB = 1 << 20


@pytest.fixture
def reload(adlfs, run):
    """reload(MOUNT, MANIFEST) writes the manifest (lines) and reloads; the result."""
    def again(one, manifest, check=True):
        (one.directory / "urls.txt").write_text("\n".join(manifest) + "\n")
        return run(adlfs, "reload", one.path, check=check)
    return again


def names(path):
    return sorted(os.listdir(path))


def test_new_files_appear_gone_ones_disappear_and_the_same_stay_what_they_are(
        mount, origin, reload):
    a, b, c, d = (origin.file(f"r1{x}", "300K", name=f"{x}.bin") for x in "abcd")
    one = mount([a, b, c, "  dir=sub", b, "  out=old/b.bin"])
    assert names(one.path) == ["a.bin", "b.bin", "old", "sub"]
    assert same_content(one / "a.bin", "r1a", 300 << 10)
    before = {name: os.stat(one / name) for name in ("a.bin", "sub", "sub/c.bin")}
    assert errno_of(os.stat, one / "d.bin") == errno.ENOENT  # which is remembered
    assert names(one / "sub") == ["c.bin"]
    reload(one, [d, c, "  dir=sub", a, a, "  out=sub/again.bin"])
    assert names(one.path) == ["a.bin", "d.bin", "sub"]
    assert names(one / "sub") == ["again.bin", "c.bin"]
    assert errno_of(os.stat, one / "b.bin") == errno.ENOENT
    assert errno_of(os.stat, one / "old/b.bin") == errno.ENOENT
    for name, was in before.items():
        assert os.stat(one / name).st_ino == was.st_ino, name
    assert same_content(one / "d.bin", "r1d", 300 << 10)
    assert same_content(one / "sub/c.bin", "r1c", 300 << 10)
    assert same_content(one / "a.bin", "r1a", 300 << 10)
    check_fetched_once(origin, a, 300 << 10)
    assert xattr(one.path, "generation") == "2" and xattr(one.path, "reload") == "1 ok"
    inodes = [os.stat(one / name).st_ino for name in ("a.bin", "d.bin", "sub/c.bin")]
    assert len(set(inodes)) == 3


def test_what_is_open_stays_whole_though_its_name_is_gone_or_means_another(
        mount, origin, reload):
    gone = origin.file("r2a", "2M", name="a.bin")
    other = origin.file("r2b", "1M", name="a.bin")
    one = mount([gone])
    fd = os.open(one / "a.bin", os.O_RDONLY)
    try:
        assert os.pread(fd, 4096, 0) == content("r2a", 0, 4096)
        reload(one, [other])
        assert same_content(one / "a.bin", "r2b", MIB)
        assert os.pread(fd, 8192, 2 * MIB - 8192) == content("r2a", 2 * MIB - 8192, 8192)
        assert os.fstat(fd).st_size == 2 * MIB
        reload(one, [origin.file("r2c", "10", name="c.bin")])
        assert os.pread(fd, 4096, MIB) == content("r2a", MIB, 4096)
        assert names(one.path) == ["c.bin"]
    finally:
        os.close(fd)
    reload(one, [gone])
    assert same_content(one / "a.bin", "r2a", 2 * MIB)


def test_a_faulty_manifest_changes_nothing_and_is_told_by_line(mount, origin, reload):
    a, b = (origin.file(f"r3{x}", "1K", name=f"{x}.bin") for x in "ab")
    one = mount([a])
    for lines, what in ([[a, b, "  out=../up"], "urls.txt:3"], [["# nothing"], "no URLs"]):
        result = reload(one, lines, check=False)
        assert result.returncode == 1 and what in result.stderr.decode()
        assert names(one.path) == ["a.bin"] and xattr(one.path, "generation") == "1"
    assert "urls.txt:3: " in one.log() and "nothing has changed" in one.log()
    (one.directory / "urls.txt").unlink()
    os.kill(one.pid, signal.SIGHUP)
    wait_until(lambda: xattr(one.path, "reload").startswith("3 "))
    assert "No such file" in xattr(one.path, "reload")
    reload(one, [b])
    assert names(one.path) == ["b.bin"]


def test_other_headers_mirrors_and_checksums_count_from_then_on(mount, origin, reload):
    url = origin.file("r4", "1M", "require=X-Key:open")
    slow = origin.file("r4s", "4M", "gate=r4;hold=64K")
    quick = origin.file("r4s", "4M", "-")
    one = mount([url, slow, "  out=s.bin"])
    assert errno_of(read_at, one / "data.bin", 0, 10) == errno.EACCES
    fd = os.open(one / "s.bin", os.O_RDONLY)
    try:
        assert os.pread(fd, 1000, 0) == content("r4s", 0, 1000)
        reload(one, [url, "  header=X-Key: open", f"{slow}\t{quick}", "  out=s.bin"])
        assert same_content(one / "data.bin", "r4", MIB)
        origin.open("r4")
        assert os.pread(fd, 1000, 3 * MIB) == content("r4s", 3 * MIB, 1000)
        assert xattr(one / "s.bin", "mirrors") == "2"
    finally:
        os.close(fd)


def test_it_follows_a_file_that_is_written_replaced_or_led_to(mount, origin):
    urls = [origin.file(f"r5{i}", "1K", name=f"{i}.bin") for i in range(4)]
    one = mount([urls[0]], "--follow")
    path = one.directory / "urls.txt"
    path.write_text(urls[1] + "\n")
    wait_until(lambda: names(one.path) == ["1.bin"])
    (one.directory / "new").write_text(urls[2] + "\n")
    os.replace(one.directory / "new", path)
    wait_until(lambda: names(one.path) == ["2.bin"])
    (one.directory / "target").write_text(urls[3] + "\n")
    (one.directory / "link").symlink_to(one.directory / "target")
    os.replace(one.directory / "link", path)
    wait_until(lambda: names(one.path) == ["3.bin"])
    (one.directory / "target").write_text(urls[0] + "\n")
    wait_until(lambda: names(one.path) == ["0.bin"])
    assert same_content(one / "0.bin", "r50", 1000) or same_content(one / "0.bin", "r50", 1024)


def test_many_reloads_under_readers_neither_grow_nor_mix(mount, origin, reload, start):
    lasting = origin.file("r6", "1M", name="lasting.bin")
    one = mount([lasting], "--log-level=warning")
    def memory():
        with open(f"/proc/{one.pid}/statm") as file:
            return int(file.read().split()[1])
    reader = start("sh", "-c", "while :; do cat lasting.bin; ls -lR .; done >/dev/null 2>&1",
                   cwd=one.path)
    sizes = []
    for turn in range(30):
        lines = [lasting]
        for i in range(300):
            lines += [f"{origin.url}/r6{turn}x{i}/100/-/{i}.bin", f"  dir=d{turn % 3}",
                      "#adlfs: size=100"]
        reload(one, lines)
        assert len(names(one / f"d{turn % 3}")) == 300
        assert read_at(one / f"d{turn % 3}" / "7.bin", 0, 100) == content(f"r6{turn}x7", 0, 100)
        sizes.append(memory())
    assert reader.poll() is None
    reader.kill()
    assert same_content(one / "lasting.bin", "r6", MIB)
    check_fetched_once(origin, lasting, MIB)
    assert os.stat(one / "lasting.bin").st_ino == 2
    assert sizes[-1] < sizes[9] * 1.5 + 2048


def test_what_cannot_be_reloaded_says_so(mount, adlfs, origin, run, scratch):
    result = run(adlfs, "reload", scratch, check=False)
    assert result.returncode == 1 and b"not an adlfs mount" in result.stderr
    result = run(adlfs, "mount", "--follow", origin.file("r7", "1K"), scratch, check=False)
    assert result.returncode != 0 and b"--follow" in result.stderr
    assert run(adlfs, "reload", check=False).returncode == 2
