"""Each way an origin may answer has one outcome: the mode that `adlfs probe` and the attributes
tell, and bytes that are right, or an error where they cannot be."""

import concurrent.futures
import errno
import json
import os
from urllib.parse import quote

import pytest

from harness import (PATIENCE, check_fetched_once, errno_of, read_at, run, same_content, wait_until,
                     xattr)
from origin import content

SIZE = 3 << 20

# options of the origin -> the mode
READABLE = {
    "-": "split",
    "head=405": "split",
    "accept-ranges=none": "split",
    "accept-ranges=absent": "split",
    "accept-ranges=bytes;ranges=ignore": "single",
    "ranges=ignore": "single",
    "ranges=star": "single",
    "ranges=missing": "single",
    "ranges=malformed": "single",
    "ranges=huge": "single",
    "ranges=unit": "single",
    "ranges=backwards": "single",
    "ranges=twice": "single",
    "ranges=other-start": "single",
    "ranges=other-end": "single",
    "ranges=multipart": "single",
    "ranges=refuse": "single",
    "cap=10000": "split",
    "chunked": "split",
    "length=none": "split",
    "etag=weak": "split",
    "etag=none": "split",
    "etag=none;modified=none": "split",
    "redirect=3": "split",
    "redirect=2;redirect-status=307": "split",
    "latency=0.05": "split",
    "raw=X-Odd%3A%20%01%02%FF": "split",
    "raw=X-Long%3A%20" + "x" * 20000: "split",
    "ranges=ignore;redirect=1": "single",
    "ranges=ignore;etag=none;modified=none": "single",
}


@pytest.mark.parametrize("options, mode", READABLE.items(),
                         ids=[key[:40] for key in READABLE])
def test_reads_right_in_the_mode_that_the_answers_allow(mount, origin, options, mode):
    url = origin.file("modes", SIZE, options)
    file = mount([url]) / "data.bin"
    assert os.stat(file).st_size == SIZE
    assert read_at(file, 2 << 20, 5000) == content("modes", 2 << 20, 5000)
    assert same_content(file, "modes", SIZE)
    assert xattr(file, "mode") == mode


@pytest.mark.parametrize("options", ["-", "ranges=ignore", "ranges=ignore;chunked",
                                     "ranges=refuse"])
def test_an_empty_file_is_empty(mount, origin, options):
    file = mount([origin.file("none", 0, options)]) / "data.bin"
    assert file.read_bytes() == b""
    assert os.stat(file).st_size == 0


@pytest.mark.parametrize("size", [1, 4095, 65536, 65537])
@pytest.mark.parametrize("options", ["-", "ranges=ignore"])
def test_small_files(mount, origin, size, options):
    file = mount([origin.file("small", size, options)]) / "data.bin"
    assert file.read_bytes() == content("small", 0, size)
    assert os.stat(file).st_size == size


@pytest.mark.parametrize("options", ["ranges=ignore;chunked", "ranges=ignore;length=none"])
def test_a_size_that_is_not_told_ends_where_the_stream_ends(mount, origin, options):
    file = mount([origin.file("open", SIZE, options)]) / "data.bin"
    assert run("cat", file).stdout == content("open", 0, SIZE)
    wait_until(lambda: os.stat(file).st_size == SIZE)
    assert read_at(file, 1 << 20, 1000) == content("open", 1 << 20, 1000)


def test_single_mode_streams_once_for_all_readers(mount, origin):
    url = origin.file("once", "8M", "ranges=ignore;gate=g;hold=4K")
    file = mount([url]) / "data.bin"
    os.stat(file)  # asks for the size; of the answer nothing but that is taken
    origin.set(url, "ranges=ignore;rate=16M")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(same_content, file, "once", 8 << 20) for _ in range(3)]
        ahead = pool.submit(read_at, file, 7 << 20, 4096)
        assert ahead.result(2 * PATIENCE) == content("once", 7 << 20, 4096)
        assert all(reader.result(2 * PATIENCE) for reader in readers)
    assert read_at(file, 100, 1000) == content("once", 100, 1000)
    check_fetched_once(origin, url, 8 << 20)


def test_a_reader_ahead_of_the_stream_gets_its_bytes_before_the_end(mount, origin):
    url = origin.file("ahead", "8M", "ranges=ignore;gate=ahead;hold=4M")
    file = mount([url]) / "data.bin"
    assert read_at(file, 3 << 20, 4096) == content("ahead", 3 << 20, 4096)
    origin.open("ahead")
    assert same_content(file, "ahead", 8 << 20)


def test_split_reads_do_not_wait_for_more_than_they_ask(mount, origin):
    """Everything behind the first 64 KiB of an answer is held back: a small read needs no more."""
    url = origin.file("small-read", "64M", "gate=more;hold=64K")
    file = mount([url]) / "data.bin"
    for offset in 0, 33 << 20, 50 << 20:
        assert read_at(file, offset, 4096) == content("small-read", offset, 4096)
    origin.open("more")


def test_ranges_that_stop_working_do_not_harm(mount, origin):
    url = origin.file("stops", SIZE, "ranges=ignore;after=2")
    assert same_content(mount([url]) / "data.bin", "stops", SIZE)


@pytest.mark.parametrize("options, error", [
    ("encoding=gzip", errno.EIO), ("redirect=loop", errno.EIO),
    ("redirect=file:%2F%2F%2Fetc%2Fpasswd", errno.EIO),
    ("redirect=gopher:%2F%2F127.0.0.1:1%2F", errno.EIO),
    ("headers=endless", errno.EIO), ("status=204", errno.EIO), ("status=300", errno.EIO),
])
def test_what_cannot_be_right_is_an_error(mount, origin, options, error):
    url = origin.file("wrong", SIZE, options)
    file = mount([url], "--retry-for=20") / "data.bin"
    assert errno_of(read_at, file, 0, 10) == error
    assert xattr(file, "error")


@pytest.mark.parametrize("options", ["length=+100", "longer=50", "ranges=wrong-total"])
def test_bodies_that_do_not_fit_their_promise_never_give_wrong_bytes(mount, origin, options):
    file = mount([origin.file("lies", 100000, options)], "--retry-for=1") / "data.bin"
    try:
        data = file.read_bytes()
    except OSError:
        return
    assert data == content("lies", 0, 100000)


def test_a_redirect_to_another_server_is_followed(mount, origin):
    to = quote(origin.file("there", SIZE), safe="")
    url = origin.file("here", SIZE, f"redirect={to}").replace("127.0.0.1", "localhost", 1)
    file = mount([url]) / "data.bin"
    assert same_content(file, "there", SIZE)
    assert xattr(file, "final_url") == origin.file("there", SIZE)


def test_authorization_is_not_sent_to_another_server(mount, origin):
    target = origin.file("there", 1000)
    url = origin.file("here", 1000, f"redirect={quote(target, safe='')}")
    url = url.replace("127.0.0.1", "localhost", 1)
    m = mount([url, "  http-user=me", "  http-passwd=secret", "  header=Authorization: Token t",
               "  header=Cookie: c=1"])
    assert same_content(m / "data.bin", "there", 1000)
    for entry in origin.stats(target)["log"]:
        assert not {"authorization", "cookie"} & set(entry["headers"])


@pytest.fixture
def probe(adlfs):
    def ask(*arguments, check=True):
        return run(adlfs, "probe", "--retry-for=5", *arguments, check=check)
    return ask


@pytest.mark.parametrize("options, mode, size", [
    ("-", "split", SIZE), ("ranges=ignore", "single", SIZE),
    ("ranges=ignore;chunked", "single", None), ("ranges=star", "single", SIZE),
])
def test_probe_tells_mode_size_and_validator(probe, origin, options, mode, size):
    url = origin.file("probe", SIZE, options)
    answer, = json.loads(probe("--json", url).stdout)
    assert (answer["mode"], answer["size"], answer["url"]) == (mode, size, url)
    assert answer["etag"].startswith('"') and answer["http_version"] == "1.1"
    assert answer["last_modified"] == "2023-11-14T22:13:20Z"
    assert 0 <= answer["seconds"] < PATIENCE and answer["error"] is None
    text = probe(url).stdout.decode()
    assert mode in text and answer["etag"] in text
    assert size is None or str(size) in text


def test_probe_of_an_empty_file(probe, origin):
    answer, = json.loads(probe("--json", origin.file("none", 0)).stdout)
    assert (answer["mode"], answer["size"]) == ("empty", 0)


def test_probe_follows_redirects_and_says_where_to(probe, origin):
    to = origin.file("there", 77)
    url = origin.file("here", 1, f"redirect={quote(to, safe='')}")
    answer, = json.loads(probe("--json", url).stdout)
    assert (answer["final_url"], answer["size"]) == (to, 77)


def test_probe_asks_for_no_more_than_it_needs(probe, origin):
    url = origin.file("probe", "1G")
    probe(url)
    origin.wait(url, finished=1)
    stats = origin.stats(url)
    assert (stats["requests"], stats["bytes"]) == (1, 1)


def test_probe_tells_failures_and_exits_1(probe, origin):
    good, bad = origin.file("good", 10), origin.file("bad", 10, "status=404")
    result = probe("--json", good, bad, check=False)
    assert result.returncode == 1
    first, second = json.loads(result.stdout)
    assert first["error"] is None and first["mode"] == "split"
    assert "404" in second["error"] and second["status"] == 404
    assert b"404" in probe(bad, check=False).stdout
