"""Real servers at their most difficult: limits, short keep-alives, certificates that are no good,
HTTP/2. Right bytes or a clear error."""

import errno
import socket
import os
import re
import threading

import pytest

from harness import errno_of, read_at, run, same_content, write_content, xattr

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


@pytest.mark.parametrize("location, refusal", [
    ("one", 503), ("slow", 429), ("slow503", 503), ("once", None), ("briefly", None),
])
def test_every_byte_is_right_within_the_limits_of_a_server(mount, nginx, served, location, refusal):
    """Sequential, random and parallel readers beside each other; and refusals there are."""
    m = mount(f"{nginx.http}/{location}/{served}", "--block-size=16K")
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
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 10
    seen = statuses(nginx, f"/{location}/{served}")
    assert refusal is None or refusal in seen
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
