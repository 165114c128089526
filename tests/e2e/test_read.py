"""Files read right, whatever reads them: the tools that people use, and every pattern of reads."""

import concurrent.futures
import hashlib
import os
import random
import shutil
import sqlite3
import sys
import threading
import zipfile

import pytest

from harness import (PATIENCE, SIZE_PROBE, check_fetched, check_fetched_once, read_at, run,
                     same_content, wait_until, write_content)
from origin import content

SIZE = (20 << 20) + 12345
EARLIER = 1 << 20  # bytes that may come twice where several readers start at once


@pytest.fixture
def remote(mount, origin):
    """A mount with one file in ranges; (path, URL)."""
    url = origin.file("read", SIZE)
    return mount([url]) / "data.bin", url


@pytest.mark.parametrize("command", [
    "cat {file} > {out}", "cp {file} {out}", "dd if={file} of={out} bs=1M status=none",
    "dd if={file} of={out} bs=4097 status=none", "tail -c +1 {file} > {out}",
])
def test_tools_copy_every_byte_and_fetch_each_once(remote, origin, scratch, command):
    file, url = remote
    out = scratch / "out"
    run("sh", "-c", command.format(file=file, out=out))
    assert same_content(out, "read", SIZE)
    check_fetched_once(origin, url, SIZE)
    assert [entry["range"] for entry in origin.stats(url)["log"]].count(SIZE_PROBE) <= 1


def test_stat_tells_size_mode_and_time(remote):
    file, _ = remote
    status = os.stat(file)
    assert status.st_size == SIZE
    assert status.st_mode & 0o7777 == 0o444
    assert status.st_mtime == 1700000000
    assert status.st_nlink == 1


def test_random_reads_match_the_model(remote):
    file, _ = remote
    choose = random.Random(1)
    fd = os.open(file, os.O_RDONLY)
    try:
        for _ in range(300):
            length = choose.choice([1, 17, 4096, 65536, 200001])
            offset = choose.randrange(SIZE + 10000)
            expected = content("read", offset, max(0, min(length, SIZE - offset)))
            assert os.pread(fd, length, offset) == expected, (offset, length)
    finally:
        os.close(fd)


def test_reads_at_and_behind_the_end(remote):
    file, _ = remote
    assert read_at(file, SIZE - 1, 10) == content("read", SIZE - 1, 1)
    assert read_at(file, SIZE, 10) == b""
    assert read_at(file, SIZE + (1 << 40), 10) == b""


def test_backward_reads(remote):
    file, _ = remote
    for offset in range(SIZE - 100000, 0, -1500000):
        assert read_at(file, offset, 100000) == content("read", offset, 100000)


MMAP = """
import hashlib, mmap, random, sys
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
    choose, digest = random.Random(2), hashlib.sha256()
    for _ in range(200):
        offset = choose.randrange(len(view))
        digest.update(view[offset:offset + 5000])
    print(digest.hexdigest())
"""


def test_mmap_pages_match_the_model(remote):
    file, _ = remote
    choose, digest = random.Random(2), hashlib.sha256()
    for _ in range(200):
        offset = choose.randrange(SIZE)
        digest.update(content("read", offset, min(5000, SIZE - offset)))
    assert run(sys.executable, "-c", MMAP, file).stdout.decode().strip() == digest.hexdigest()


def test_parallel_readers_all_get_every_byte(remote, origin):
    file, url = remote

    def pick(seed):
        choose = random.Random(seed)
        for _ in range(40):
            offset = choose.randrange(SIZE - 70000)
            assert read_at(file, offset, 70000) == content("read", offset, 70000)
        return True

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(pick, seed) for seed in range(8)]
        jobs += [pool.submit(same_content, file, "read", SIZE) for _ in range(4)]
        assert all(job.result(2 * PATIENCE) for job in jobs)
    check_fetched(origin, url, SIZE + EARLIER)


def test_sequential_readers_use_several_connections(mount, origin):
    url = origin.file("wide", "32M", "latency=0.02;rate=8M")
    file = mount([url]) / "data.bin"
    assert same_content(file, "wide", 32 << 20)
    assert origin.stats(url)["peak"] > 1


def test_random_4_KiB_reads_fetch_little_more_than_their_blocks(mount, origin):
    url = origin.file("sparse", "1G")
    file = mount([url]) / "data.bin"
    choose = random.Random(3)
    fd = os.open(file, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        for _ in range(40):
            offset = choose.randrange(1 << 18) * 4096
            assert os.pread(fd, 4096, offset) == content("sparse", offset, 4096)
    finally:
        os.close(fd)
    assert origin.stats(url)["bytes"] <= 41 * 256 * 1024


def test_many_files_at_once(mount, origin):
    urls = [origin.file(f"many{k}", 50000 + k, name=f"f{k}") for k in range(100)]
    directory = mount(urls)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        right = pool.map(lambda k: same_content(directory / f"f{k}", f"many{k}", 50000 + k),
                         range(100))
        assert all(right)


@pytest.fixture
def served(nginx, scratch):
    """A directory that nginx serves, and its URL."""
    directory = nginx.root / scratch.name
    directory.mkdir()
    yield directory, f"{nginx.http}/{scratch.name}"
    shutil.rmtree(directory)


def test_sqlite_reads_a_database(mount, served):
    directory, url = served
    database = sqlite3.connect(directory / "a.db")
    database.execute("create table t (n integer primary key, s text)")
    database.executemany("insert into t values (?, ?)",
                         ((n, str(n) * 20) for n in range(20000)))
    database.execute("create index i on t (s)")
    database.commit()
    database.close()
    file = mount([f"{url}/a.db"]) / "a.db"
    query = f"select count(*), sum(n) from t; select n from t where s = '{'777' * 20}'"
    answer = run("sqlite3", "-readonly", file, query).stdout.decode().split()
    assert answer == ["20000|199990000", "777"]
    assert run("sqlite3", "-readonly", file, "pragma integrity_check").stdout == b"ok\n"


def test_unzip_lists_and_tests_an_archive(mount, served, nginx):
    directory, url = served
    with zipfile.ZipFile(directory / "a.zip", "w") as archive:
        for k in range(20):
            archive.writestr(f"part{k}", content(f"zip{k}", 0, 500000))
    file = mount([f"{url}/a.zip"]) / "a.zip"
    listing = run("unzip", "-l", file).stdout.decode()
    assert "20 files" in listing and "part19" in listing
    size = (directory / "a.zip").stat().st_size
    assert nginx.served(f"/{directory.name}/a.zip") < size / 4
    run("unzip", "-tq", file)


def test_a_loop_mounted_squashfs_reads_right(mount, served, scratch):
    directory, url = served
    tree, point = scratch / "tree", scratch / "squash"
    point.mkdir()
    (tree / "sub").mkdir(parents=True)
    for k in range(10):
        write_content(tree / "sub" / f"f{k}", f"squash{k}", 300000)
    run("mksquashfs", tree, directory / "a.squashfs", "-quiet", "-no-progress", "-noI", "-noD",
        "-noF", "-processors", "1")
    file = mount([f"{url}/a.squashfs"]) / "a.squashfs"
    run("mount", "-t", "squashfs", "-o", "loop,ro", file, point)
    try:
        run("diff", "-r", tree, point)
    finally:
        run("umount", point)


def test_a_binary_executes(mount, served):
    """By way of a shell: Python would hold its lock while the kernel reads the file."""
    directory, url = served
    shutil.copy("/bin/echo", directory / "say")
    file = mount([f"{url}/say"], "--exec") / "say"
    assert run("sh", "-c", f"{file} it runs").stdout == b"it runs\n"


def test_a_program_is_seen_to_be_one_by_its_first_byte(mount, served):
    directory, url = served
    shutil.copy("/bin/echo", directory / "say")
    m = mount([f"{url}/say"])
    assert run("sh", "-c", f"{m / 'say'} it runs").stdout == b"it runs\n"
    assert os.stat(m / "say").st_mode & 0o777 == 0o555


def test_https_with_an_authority_of_ones_own(mount, nginx, served):
    directory, url = served
    write_content(directory / "tls.bin", "tls", 3 << 20)
    url = url.replace(nginx.http, nginx.https)
    file = mount([f"{url}/tls.bin"], f"--cacert={nginx.ca}") / "tls.bin"
    assert same_content(file, "tls", 3 << 20)


def test_insecure_does_without_the_authority(mount, nginx, served):
    directory, url = served
    write_content(directory / "tls.bin", "tls", 100000)
    url = url.replace(nginx.http, nginx.https)
    file = mount([f"{url}/tls.bin"], "--insecure") / "tls.bin"
    assert same_content(file, "tls", 100000)


def test_a_reader_does_not_wait_for_what_an_entrys_one_connection_fetches_ahead(mount, origin):
    url = origin.file("sole", "32M", "gate=held;hold=1000;every=3")
    origin.close("held")
    m = mount([url, " split=1"], "--stall-timeout=10m")
    got = []
    try:
        reads = open(m / "data.bin", "rb", buffering=0)
        for _ in range(8):
            reads.read(32 << 10)  # in order: a window follows
        wait_until(lambda: origin.stats(url)["active"] == 1 and origin.stats(url)["requests"] % 3 == 0)
        reader = threading.Thread(target=lambda: got.append(read_at(m / "data.bin", 24 << 20, 4096)),
                                  daemon=True)
        reader.start()
        reader.join(PATIENCE)
        assert got == [content("sole", 24 << 20, 4096)]
    finally:
        origin.open("held")
        reads.close()
    assert origin.stats(url)["peak"] <= 4  # of 16, and it sees the end of one that was given up late
