"""The control socket: its owner's alone, and no client, whatever it does, harms the mount."""

import contextlib
import errno
import fcntl
import os
import socket
import stat

import pytest

from control import Control, socket_of
from harness import REPOSITORY, run, same_content, wait_until

MIB = 1 << 20


def test_a_client_asks_and_is_answered(mount, origin):
    m = mount([origin.file("a", 3 * MIB), " out=docs/ä b.bin"])
    assert same_content(m / "docs/ä b.bin", "a", 3 * MIB)
    with Control(m) as control:
        hello = control.ask(do="hello", id="x7")
        assert hello["adlfs"] == 1 and hello["id"] == "x7" and hello["ok"]
        assert hello["mount"]["pid"] == m.pid
        assert hello["mount"]["mountpoint"] == str(m.path)
        listed = control.status()
        assert [file["path"] for file in listed["files"]] == ["docs/ä b.bin"]
        assert listed["next"] is None
        told = control.file("docs/ä b.bin", cells=24)
        assert told["state"] == "complete" and told["cached"] == told["size"] == 3 * MIB
        assert told["map"] == [100] * 24
        assert listed["mount"]["fetched"] >= 3 * MIB <= listed["mount"]["served"]


def test_what_makes_no_sense_is_refused_in_words(mount, origin):
    m = mount([origin.file("a", 10)])
    with Control(m) as control:
        for line, error in [(b"hello", "EINVAL"), (b"[]", "EINVAL"), (b"{}", "EINVAL"),
                            (b'{"adlfs":1}', "EINVAL"), (b'{"adlfs":1,"do":"dance"}', "EINVAL"),
                            (b'{"adlfs":2,"do":"hello"}', "EPROTONOSUPPORT"),
                            (b'{"adlfs":1,"do":"status","paths":"x"}', "EINVAL"),
                            (b'{"adlfs":1,"do":"status","paths":["nothing"]}', "ENOENT"),
                            (b'{"adlfs":1,"do":"status","paths":["../etc"]}', "ENOENT"),
                            (b'{"adlfs":1,"do":"job","job":77}', "ESRCH"),
                            (b'{"adlfs":1,"do":"warm","range":[5,5]}', "EINVAL"),
                            (b'{"adlfs":1,"do":"status","every":1}', "EINVAL"),
                            (b'\xff\x00\x01{"', "EINVAL"), (b"[" * 5000, "EINVAL")]:
            control.socket.sendall(line + b"\n")
            answer = control.next()
            assert not answer["ok"] and answer["error"]["errno"] == error, (line, answer)
            assert answer["error"]["text"]
        assert control.ask(do="hello")["ok"]


def test_hostile_clients_are_survived(mount, origin):
    m = mount([origin.file("a", 2 * MIB)])
    path = str(socket_of(m))
    with contextlib.ExitStack() as stack:
        crowd = []
        for _ in range(100):  # more than are let in
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(10)
            with contextlib.suppress(OSError):
                one.connect(path)
                crowd.append(one)
        for one in crowd[:20]:
            with contextlib.suppress(OSError):
                one.sendall(b'{"adlfs":1,"do":"sta')  # half a line, for ever
        for one in crowd[20:30]:  # asks much and never listens
            one.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(2000):
                    one.send(b'{"adlfs":1,"do":"status","paths":["data.bin"],"cells":4096}\n')
        with contextlib.suppress(OSError):  # a line without an end
            for _ in range(100):
                crowd[30].sendall(b"x" * MIB)
        assert same_content(m / "data.bin", "a", 2 * MIB)
    wait_until(lambda: is_let_in(m))  # the others are gone once the daemon has seen it


def is_let_in(m):
    with Control(m) as control, contextlib.suppress(OSError):
        answer = control.ask(do="hello")
        return answer and answer["ok"]
    return False


def test_an_endless_line_is_hung_up_on(mount, origin):
    m = mount([origin.file("a", 10)])
    with Control(m) as control:
        with contextlib.suppress(OSError):
            for _ in range(100):
                control.socket.sendall(b"[" * MIB)
        answer = control.next()
        assert answer is None or answer["error"]["text"] == "the line is too long"
        assert control.next() is None


def test_a_subscriber_is_told_until_it_does_not_listen(mount, origin):
    m = mount([origin.file("a", 10)])
    with Control(m) as control:
        control.send(do="status", every=100, id=3)
        told = [control.next() for _ in range(4)]
        assert all(one["more"] and one["id"] == 3 for one in told)
    with Control(m) as greedy:
        for _ in range(9):
            greedy.send(do="status", every=60000)
        assert sum(not greedy.next()["ok"] for _ in range(9)) == 1  # the ninth


def test_a_subscriber_that_does_not_listen_is_hung_up_on(mount, origin):
    m = mount([line for n in range(64) for line in (origin.file("a", 10), f" out=d/{n:0240}")])
    for one in (m / "d").iterdir():
        assert one.stat().st_size == 10  # each is told of from now on
    with Control(m) as deaf, Control(m) as other:
        for _ in range(8):
            deaf.send(do="status", every=100)
        wait_until(lambda: hung_up(deaf), what="the end of a deaf subscriber")
        assert other.ask(do="hello")["ok"]


def hung_up(control):
    """Whether its daemon has gone, which shows in what can be sent and not in what can be read."""
    try:
        control.socket.sendall(b"\n")
    except OSError:
        return True
    return False


def test_nobody_else_may_ask(mount, origin):
    m = mount([origin.file("a", 10)], "--allow-other")
    path = socket_of(m)
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    knock = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
             "s.sendall(b'{\"adlfs\":1,\"do\":\"hello\"}\\n'); sys.stdout.buffer.write(s.recv(99))")
    as_other = ["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", knock]
    assert run(*as_other, path, check=False).returncode != 0  # the directory keeps him out


ELSEWHERE = """
"$4"
mount -t tmpfs none /run || exit 9
if [ "$3" = link ]; then mkdir /run/x; ln -s x /run/adlfs
else mkdir /run/adlfs; chown 65534 /run/adlfs; fi
"$1" mount --cache-dir="$2/cache" --log-file="$2/log" http://127.0.0.1:9/x "$2/mnt" || exit 9
getfattr -n user.adlfs.control "$2/mnt" >&2 && exit 9
ls /run/adlfs/ | grep . && exit 9
"$1" umount "$2/mnt"
"""


@pytest.mark.parametrize("what", ["link", "other"])
def test_a_directory_that_is_not_ours_is_not_used(adlfs, fuse, scratch, what):
    (scratch / "mnt").mkdir()
    run("unshare", "--mount", "--propagation=private", "sh", "-c", ELSEWHERE, "sh", adlfs, scratch,
        what, REPOSITORY / "contrib" / "let-go")
    assert "/run/adlfs: " in (scratch / "log").read_text()


def test_the_socket_goes_with_the_mount(mount, origin):
    m = mount([origin.file("a", 10)])
    path = socket_of(m)
    before = path.stat().st_ino
    m.umount()
    # The daemon goes after the mount; by then the device's number may be another mount's.
    wait_until(lambda: inode_of(path) != before)


def inode_of(path):
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def test_a_killed_daemons_socket_is_no_hindrance(mount, origin, scratch):
    m = mount([origin.file("a", 10)], cache=scratch / "cache")
    path = socket_of(m)
    m.kill_only()
    said = run(m.binary, "status", m.path, check=False)
    assert said.returncode == 1 and b"daemon is dead" in said.stderr
    assert b"umount" in said.stderr
    run("umount", "-l", m.path)
    again = mount([origin.file("a", 10)], cache=scratch / "cache")
    with Control(again) as control:
        assert control.ask(do="hello")["mount"]["pid"] == again.pid
    forget(path)


def forget(path):
    """Removes a socket that nobody listens to; as daemons do, so that none is lost that another
    mount has put there since."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        with socket.socket(socket.AF_UNIX) as one:
            if one.connect_ex(str(path)) == errno.ECONNREFUSED:
                path.unlink()
    finally:
        os.close(directory)


def test_names_are_those_of_the_list_as_it_is_now(mount, origin):
    old, new = origin.file("old", MIB), origin.file("new", MIB)
    m = mount([old, " out=d/old", origin.file("kept", MIB), " out=kept"])
    with Control(m) as control:
        assert same_content(m / "d/old", "old", MIB) and same_content(m / "kept", "kept", MIB)
        listed = {one["path"]: one["entry"] for one in control.status()["files"]}
        assert sorted(listed) == ["d/old", "kept"]
        (m.directory / "urls.txt").write_text(
            f"{new}\n out=d/new\n{origin.file('kept', MIB)}\n out=kept\n")
        run(m.binary, "reload", m.path)
        assert control.ask(do="status", paths=["d/old"])["error"]["errno"] == "ENOENT"
        run(m.binary, "warm", m / "d")
        told = control.file("d/new")
        assert told["state"] == "complete" and told["entry"] != listed["kept"]
        assert control.file("kept")["entry"] == listed["kept"]
        assert control.mount()["entries"] == 2
