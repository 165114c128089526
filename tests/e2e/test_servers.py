"""Real servers at their most difficult: limits, short keep-alives, certificates that are no good,
HTTP/2. Right bytes or a clear error."""

import contextlib
import errno
import os
import re
import socket
import threading
import urllib.request
from urllib.parse import urlsplit

import pytest

from harness import PATIENCE, errno_of, read_at, run, same_content, wait_until, write_content, xattr

MIB = 1 << 20
SIZE = 2 * MIB + 300001


@pytest.fixture(scope="module")
def served(nginx):
    """The name of a file that nginx has."""
    write_content(nginx.root / "limits", "limits", SIZE)
    yield "limits"
    os.unlink(nginx.root / "limits")


def statuses(nginx, uri):
    return [one.status for one in nginx.requests(uri)]


@contextlib.contextmanager
def somebody_else(nginx, location, refusal):
    """Takes what the server allows until told that it is enough: by itself a mount may be too slow
    to be refused anything."""
    over = threading.Event()

    def hold():
        """One answer that is not read, and larger than all buffers."""
        with open(nginx.root / "endless", "wb") as file:
            file.truncate(1 << 30)
        with socket.create_connection(urlsplit(nginx.http).netloc.split(":")) as one:
            one.sendall(b"GET /one/endless HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 200"
            begun.set()
            over.wait(PATIENCE)

    def ask():
        """One request after the other, of which most are refused."""
        while not over.is_set():
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{nginx.http}/{location}/nothing", timeout=PATIENCE).close()
            if refusal in statuses(nginx, f"/{location}/nothing"):
                begun.set()

    begun = threading.Event()
    thread = threading.Thread(target=hold if location == "one" else ask)
    thread.start()
    try:
        assert begun.wait(PATIENCE)
        yield over.set
    finally:
        over.set()
        thread.join()
        (nginx.root / "endless").unlink(missing_ok=True)


@pytest.mark.parametrize("location, refusal", [
    ("one", 503), ("slow", 429), ("slow503", 503), ("once", None), ("briefly", None),
])
def test_every_byte_is_right_within_the_limits_of_a_server(mount, nginx, served, location, refusal):
    """Sequential, random and parallel readers beside each other; and refusals there are."""
    uri = f"/{location}/{served}"
    m = mount(nginx.http + uri, "--block-size=16K")
    file, outcomes = m / served, []

    def whole():
        outcomes.append(same_content(file, "limits", SIZE))

    def some(places):
        for place in places:
            outcomes.append(run("cmp", "-n", "4096", "-i", place, file,
                                nginx.root / served).returncode == 0)
    threads = [threading.Thread(target=whole), threading.Thread(target=whole)]
    threads += [threading.Thread(target=some, args=([SIZE - 5000 - n * MIB // 2, n * MIB // 2],))
                for n in range(4)]
    with contextlib.ExitStack() as stack:
        if refusal:
            refused = stack.enter_context(somebody_else(nginx, location, refusal))
        for thread in threads:
            thread.start()
        if refusal:
            wait_until(lambda: refusal in statuses(nginx, uri))
            refused()
        for thread in threads:
            thread.join()
    assert outcomes == [True] * 10
    seen = statuses(nginx, uri)
    assert len(seen) < 400, seen


@pytest.mark.parametrize("server, host, word", [
    ("https", "localhost", "name|match"), ("expired", None, "expired"),
    ("itself", None, "self.signed|certificate"),
])
def test_a_certificate_that_is_no_good_is_told_at_once(mount, nginx, served, server, host, word):
    """And nothing is asked of the server: it gets no URL, no header, no secret."""
    before = len(nginx.requests(f"/{served}"))
    url = f"{nginx.url[server]}/{served}"
    url = url.replace("127.0.0.1", host) if host else url
    file = mount(url, f"--cacert={nginx.ca}") / served
    assert errno_of(read_at, file, 0, 10) == errno.EIO  # at once, though --retry-for is 60
    assert re.search(word, xattr(file, "error"), re.IGNORECASE), xattr(file, "error")
    assert len(nginx.requests(f"/{served}")) == before


def test_what_only_looks_expired_can_be_read_without_checks(mount, nginx, served):
    m = mount([f"{nginx.url[server]}/{served}\n out={server}" for server in ("expired", "itself")],
              "--insecure")
    assert same_content(m / "expired", "limits", SIZE)
    assert same_content(m / "itself", "limits", SIZE)


def test_a_server_with_http2_is_spoken_to_in_http_1_1(mount, nginx, served):
    file = mount(f"{nginx.url['http2']}/{served}", f"--cacert={nginx.ca}") / served
    assert same_content(file, "limits", SIZE)
    assert xattr(file, "mode") == "split"


def test_a_server_that_knows_http2_alone_is_an_error_or_right(mount, nginx, served):
    """nginx before 1.25.1 is one on such a port; later ones see which it is."""
    file = mount(f"{nginx.url['h2c']}/{served}", "--retry-for=1") / served
    error = errno_of(read_at, file, 0, 10)
    assert error in (None, errno.EIO, errno.ETIMEDOUT)
    assert xattr(file, "error") if error else same_content(file, "limits", SIZE)


def test_a_handshake_that_is_never_answered_times_out(mount, nginx):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/data.bin"
        file = mount(url, f"--cacert={nginx.ca}", "--connect-timeout=1", "--retry-for=2") / "data.bin"
        assert errno_of(read_at, file, 0, 10) == errno.ETIMEDOUT
