"""adlfs evict: what is cached of a mount's files goes, what is open stays, and what is read afterwards
comes from the origin again."""

import json
import os
import pty

from control import Control
from harness import PATIENCE, check_fetched_once, run, same_content, wait_until
from origin import content

KIB = 1 << 10


def released(m, *paths):
    """The kernel tells of a close(2) when it likes."""
    with Control(m) as control:
        wait_until(lambda: all(not one["opened"] and not one["transfers"]
                               for one in control.status(*paths)["files"]))


def cached(m, path):
    with Control(m) as control:
        return control.file(path)["cached"]


def test_what_is_closed_goes_and_what_is_open_stays(mount, origin):
    urls = {f"d/{n}": origin.file(f"e{n}", 300 * KIB) for n in range(3)}
    other = origin.file("other", "300K", name="other")
    m = mount([line for path, url in urls.items() for line in (url, f" out={path}")] + [other])
    for path in urls:
        assert same_content(m / path, f"e{path[-1]}", 300 * KIB)
    assert same_content(m / "other", "other", 300 * KIB)
    released(m, *urls, "other")
    with open(m / "d/1", "rb", buffering=0) as file:
        assert file.read(10) == content("e1", 0, 10)
        said = run(m.binary, "evict", "--yes", m / "d", check=False)
        assert said.returncode == 1 and b"2 files removed" in said.stdout
        assert said.stderr == b"adlfs evict: d/1: is open, and stays\n"
        assert os.pread(file.fileno(), 10, 200 * KIB) == content("e1", 200 * KIB, 10)
    assert [cached(m, path) for path in (*urls, "other")] == [0, 300 * KIB, 0, 300 * KIB]
    origin.reset()
    for path in urls:
        assert same_content(m / path, f"e{path[-1]}", 300 * KIB)
    for url, size in zip(urls.values(), (300 * KIB, 0, 300 * KIB)):
        check_fetched_once(origin, url, size)
    released(m, *urls, "other")
    told = json.loads(run(m.binary, "evict", "--yes", "--json", m.path).stdout)
    assert told.pop("freed") > 0 and told == {"removed": 4, "in_use": 0, "failed": 0}
    assert b"0 files removed" in run(m.binary, "evict", "--yes", m.path).stdout


def test_it_asks_before_something_is_lost(mount, origin, start):
    m = mount([origin.file("q", 300 * KIB)])
    assert same_content(m / "data.bin", "q", 300 * KIB)
    released(m, "data.bin")
    refused = run(m.binary, "evict", m / "data.bin", check=False)
    assert refused.returncode == 1 and b"--yes" in refused.stderr
    assert run(m.binary, "evict", "--yes", m / "nothing", check=False).returncode == 1
    for answer, left in (b"\n", 300 * KIB), (b"y\n", 0):
        terminal, end = pty.openpty()
        process = start(m.binary, "evict", m / "data.bin", stdin=end, stderr=end, stdout=-1)
        os.close(end)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(terminal, 1000)
        assert b"data.bin" in seen
        os.write(terminal, answer)
        assert process.wait(PATIENCE) == (1 if left else 0)
        os.close(terminal)
        assert cached(m, "data.bin") == left


def test_an_answer_says_where_to_go_on(mount, origin):
    names = [f"f{n}" for n in range(5)]
    m = mount([line for name in names for line in (origin.file(name, 10), f" out=many/{name}")])
    for name in names:
        assert same_content(m / "many" / name, name, 10)
    released(m, *(f"many/{name}" for name in names))
    with Control(m) as control:
        gone, after = [], 0
        while after is not None:
            answer = control.ask(do="evict", paths=["many"], after=after, limit=2)
            assert answer["ok"] and len(answer["files"]) <= 2, answer
            assert all(one["error"] is None for one in answer["files"])
            gone += [one["path"] for one in answer["files"]]
            after = answer["next"]
        assert gone == [f"many/{name}" for name in names]
        assert not control.ask(do="evict", limit=0)["ok"]
