"""The misbehaving origin does what its description says, seen with curl and a plain socket."""

import socket
from urllib.parse import quote, urlsplit

import pytest

from harness import PATIENCE
from origin import content


@pytest.fixture
def curl(run, tmp_path):
    """Runs curl with options; (exit status, head of the last answer, body)."""
    def ask(url, *options):
        head, body = tmp_path / "head", tmp_path / "body"
        head.write_bytes(b"")
        body.write_bytes(b"")
        result = run("curl", "-s", "-m", PATIENCE, "-D", head, "-o", body, *options, url,
                     check=False)
        last = head.read_text("latin-1").strip().split("\n\n")[-1]
        return result.returncode, last.lower(), body.read_bytes()
    return ask


def test_bytes_depend_on_seed_offset_and_version_alone(origin, curl):
    size = 5 << 20
    url = origin.file("a", "5M")
    _, head, body = curl(url)
    assert " 200 " in head and body == content("a", 0, size)
    _, head, part = curl(url, "-r", "1500000-4999999")
    assert "content-range: bytes 1500000-4999999/5242880" in head
    assert part == body[1500000:5000000]
    assert curl(origin.file("b", "5M"))[2] != body
    assert curl(origin.file("a", "5M", "version=1"))[2] == content("a", 0, size, "1") != body


def test_counts_requests_bytes_ranges_and_connections(origin, curl):
    url = origin.file("a", 1000)
    curl(url, "-r", "10-19", "-H", "X-Me: here")
    curl(url)
    origin.wait(url, finished=2)
    stats = origin.stats(url)
    assert (stats["requests"], stats["bytes"], stats["connections"]) == (2, 1010, 2)
    assert [entry["range"] for entry in stats["log"]] == ["bytes=10-19", None]
    assert stats["log"][0]["headers"]["x-me"] == "here"
    origin.reset(url)
    assert origin.stats(url)["requests"] == 0


def test_keeps_a_connection_for_many_requests(origin, curl):
    url = origin.file("a", 100)
    curl(url, url, "-o", "/dev/null", url, "-o", "/dev/null")
    stats = origin.stats(url)
    assert (stats["requests"], stats["connections"]) == (3, 1)


@pytest.mark.parametrize("kind, told", [
    ("star", "bytes 2-5/*"), ("other-start", "bytes 3-6/100"), ("other-end", "bytes 2-6/100"),
    ("unit", "items 2-5/100"), ("malformed", "bytes 2..5 of 100"), ("wrong-total", "bytes 2-5/101"),
])
def test_content_range_can_be_wrong(origin, curl, kind, told):
    _, head, _ = curl(origin.file("a", 100, f"ranges={kind}"), "-r", "2-5")
    assert " 206 " in head and f"content-range: {told}" in head


def test_ranges_can_be_ignored_refused_capped_and_answered_in_parts(origin, curl):
    def ask(options):
        return curl(origin.file("a", 100, options), "-r", "2-50")
    assert " 200 " in ask("ranges=ignore")[1]
    assert " 416 " in ask("ranges=refuse")[1]
    assert "content-range" not in ask("ranges=missing")[1]
    assert "bytes 2-11/100" in ask("cap=10")[1]
    assert "multipart/byteranges" in ask("ranges=multipart")[1]


def test_bodies_end_early_by_close_or_reset(origin, curl):
    for how, status in ("truncate", 18), ("reset", 56):
        code, _, body = curl(origin.file("a", "1M", f"{how}=300000"))
        assert code == status and body == content("a", 0, 300000)


def test_length_can_be_wrong_absent_or_chunked(origin, curl):
    assert "content-length: 101" in curl(origin.file("a", 100, "length=+1"))[1]
    assert "content-length: 99" in curl(origin.file("a", 100, "length=-1"))[1]
    for options in "length=none", "chunked":
        code, head, body = curl(origin.file("a", 100, options))
        assert code == 0 and "content-length" not in head and body == content("a", 0, 100)


def test_groups_of_options_apply_to_the_requests_they_name(origin, curl):
    url = origin.file("a", 10, "status=503;first=2,status=404;after=3,status=500;every=5")
    codes = [curl(url)[1].split()[1] for _ in range(5)]
    assert codes == ["503", "503", "200", "404", "500"]


def test_validators_change_when_told(origin, curl):
    def etags(options):
        url = origin.file("a", 10, options)
        return [[line for line in curl(url)[1].split("\n") if line.startswith("etag")]
                for _ in range(3)]
    one, two, three = etags("-")
    assert one == two == three != []
    one, two, three = etags("etag=each")
    assert one != two != three
    one, two, three = etags("etag=flip")
    assert one == three != two
    assert etags("etag=none") == [[], [], []]
    url = origin.file("a", 10, "etag=%22x%22")
    assert " 304 " in curl(url, "-H", 'If-None-Match: "x"')[1]
    assert " 200 " in curl(url, "-H", 'If-Range: "y"', "-r", "0-1")[1]
    assert " 206 " in curl(url, "-H", 'If-Range: "x"', "-r", "0-1")[1]


def test_redirects_chain_loop_and_lead_elsewhere(origin, curl):
    assert " 200 " in curl(origin.file("a", 10, "redirect=3"), "-L")[1]
    assert curl(origin.file("a", 10, "redirect=loop"), "-L")[0] == 47
    to = quote(origin.file("b", 10, "etag=none;modified=none"), safe="")
    assert curl(origin.file("a", 10, f"redirect={to}"), "-L")[2] == content("b", 0, 10)


def test_refuses_head_and_wants_credentials(origin, curl):
    assert " 405 " in curl(origin.file("a", 10, "head=405"), "-I")[1]
    url = origin.file("a", 10, "auth=me:secret")
    assert " 401 " in curl(url)[1] and " 200 " in curl(url, "-u", "me:secret")[1]
    url = origin.file("a", 10, "require=X-Key:1")
    assert " 403 " in curl(url)[1] and " 200 " in curl(url, "-H", "X-Key: 1")[1]


def test_a_gate_holds_the_body_until_it_is_opened(origin, start):
    url = origin.file("a", "1M", "gate=g;hold=64K")
    client = start("curl", "-s", "-o", "/dev/null", url)
    origin.wait(url, bytes=65536)
    assert origin.stats(url)["bytes"] == 65536
    origin.open("g")
    origin.wait(url, bytes=1 << 20)
    assert client.wait(PATIENCE) == 0


def test_a_connection_too_many_is_reset(origin):
    url = urlsplit(origin.file("a", 10, "connections=2"))
    request = f"GET {url.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    clients = [socket.create_connection((url.hostname, url.port), timeout=PATIENCE)
               for _ in range(3)]
    for client in clients[:2]:
        client.sendall(request)
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    clients[2].sendall(request)
    with pytest.raises(ConnectionResetError):
        clients[2].recv(100)
    for client in clients:
        client.close()


def test_a_typo_in_the_options_is_told(origin, curl):
    _, head, body = curl(origin.file("a", 10, "latenzy=1"))
    assert " 400 " in head and b"no such option: latenzy" in body
