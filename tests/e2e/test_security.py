"""Who may do what: secrets go where they belong and are seen nowhere, names stay in the tree, the cache
is its user's alone, and garbage costs no memory."""

import contextlib
import errno
import hashlib
import os
import resource
import signal
import subprocess
import threading

import pytest

from harness import PATIENCE, errno_of, kill_group, mounted, per_thread, read_at, run, umount
from origin import Origin, content

SIZE = 100000
MIB = 1 << 20
SECRETS = "hunter2", "sIgNaTuRe", "t0ken", "n3trc"


@pytest.fixture(scope="module")
def elsewhere():
    """Another origin, on the same host."""
    with Origin() as origin:
        yield origin


def redirecting(origin, to):
    return origin.file("here", SIZE, f"redirect={to.replace(':', '%3A').replace('/', '%2F')}")


def wants(origin, seed, what):
    return origin.file(seed, SIZE, what, name=seed)


# --- Secrets that are sent


def test_headers_of_the_command_line_go_to_the_origins_of_the_list_alone(mount, origin, elsewhere,
                                                                        scratch):
    secret = scratch / "headers"
    secret.write_text("X-File: from a file\nX-Other: t0ken, too\n")
    m = mount([wants(origin, "line", "require=X-Line:t0ken"),
               wants(origin, "file", "require=X-File:from%20a%20file"),
               wants(origin, "list", "require=X-Other:t0ken%2C%20too"),
               wants(elsewhere, "both", "require=X-Line:t0ken"),
               wants(origin, "own", "require=X-Line:mine"), "  header=X-Line: mine",
               redirecting(origin, elsewhere.file("there", SIZE, "require=X-Line:t0ken")),
               "  out=redirected"],
              "--header=X-Line: t0ken", f"--header=@{secret}")
    for name in "line", "file", "list", "both", "own":
        assert (m / name).read_bytes() == content(name, 0, SIZE), name
    assert errno_of(read_at, m / "redirected", 0, 1) == errno.EACCES
    assert all(entry["status"] == 403 for path, stats in elsewhere.everything().items()
               if "/there/" in path for entry in stats["log"])


def test_netrc_says_who_logs_in_where_and_nowhere_else(mount, origin, elsewhere, scratch):
    netrc = scratch / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password n3trc\n")
    m = mount([wants(origin, "known", "auth=me:n3trc"),
               wants(origin, "own", "auth=you:hunter2"), "  http-user=you", "  http-passwd=hunter2",
               redirecting(origin, elsewhere.file("there", SIZE, "auth=me:n3trc")),
               "  out=redirected"],
              f"--netrc-file={netrc}")
    for name in "known", "own":
        assert (m / name).read_bytes() == content(name, 0, SIZE), name
    # Another port is another origin: what is plain http or somebody else's may be behind it.
    assert errno_of(read_at, m / "redirected", 0, 1) == errno.EACCES


def test_headers_and_netrc_are_for_probe_too(adlfs, origin, scratch):
    netrc = scratch / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password n3trc\n")
    (scratch / "headers").write_text("X-File: t0ken\n")
    run(adlfs, "probe", f"--header=@{scratch}/headers", wants(origin, "f", "require=X-File:t0ken"))
    run(adlfs, "probe", "--netrc", wants(origin, "n", "auth=me:n3trc"),
        env={**os.environ, "HOME": str(scratch)})


# --- Secrets that are seen


@pytest.mark.parametrize("options", ["-", "status=503", "redirect=%2Felsewhere%3Fkey%3DsIgNaTuRe"])
def test_secrets_of_the_command_line_are_seen_nowhere(adlfs, fuse, origin, scratch, options):
    """In the background, where the daemon lives on: not in ps, the mount table, logs, attributes,
    the cache, nor in what was said in the terminal."""
    netrc = scratch / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password n3trc\n")
    url = origin.file("seen", SIZE, name="a.bin?sig=sIgNaTuRe#t0ken")
    origin.set(url, options)
    url = url.replace("http://", "http://user:hunter2@")
    point, log, cache = scratch / "point", scratch / "log", scratch / "cache"
    point.mkdir()
    result = run(adlfs, "mount", f"--cache-dir={cache}", "--log-level=debug", f"--log-file={log}",
                 "--header", "Authorization: Bearer t0ken", "--header=X-Key: hunter2",
                 "-oretry-for=1,header=X-Other: t0ken", f"--netrc-file={netrc}", url, point)
    try:
        pid = int(os.getxattr(point, "user.adlfs.pid"))
        errno_of(read_at, point / "a.bin", 0, SIZE)
        attributes = [os.getxattr(point / "a.bin", name) for name in os.listxattr(point / "a.bin")]
        command = open(f"/proc/{pid}/cmdline", "rb").read()
        table = open("/proc/self/mountinfo", "rb").read()
        threads = "".join(per_thread(pid, "comm").values()).encode()
        listing = run("ps", "-o", "pid,args", "-ww", "-p", pid).stdout
    finally:
        umount(adlfs, point)
    assert b"seen/100000" in command and str(point).encode() in command
    assert b"seen/100000" in table and b"--header" in listing
    told = b"\n".join([result.stdout, result.stderr, command, table, threads, listing,
                       log.read_bytes(), *attributes,
                       *(path.name.encode() + path.read_bytes() for path in cache.glob("*.map"))])
    assert [secret for secret in SECRETS if secret.encode() in told] == []


@pytest.mark.parametrize("words", [
    ["mount", "htp://me:hunter2@h/f", "/mnt"], ["mount", "http://me:hunter2@/f", "/mnt"],
    ["https://me:hunter2@h/f"], ["mount", "--header", "Authorization hunter2", "u", "/mnt"],
    ["mount", "http://me:hunter2@h/f?sig=sIgNaTuRe", "/nowhere/at/all"],
    ["probe", "--retry-for=0", "http://me:hunter2@127.0.0.1:1/"]])
def test_what_is_refused_is_not_repeated_with_its_secrets(adlfs, words):
    result = run(adlfs, *words, check=False)
    assert result.returncode != 0 and result.stderr + result.stdout
    assert b"hunter2" not in result.stdout + result.stderr
    assert b"sIgNaTuRe" not in result.stdout + result.stderr


def test_a_crash_leaves_no_core_dump(adlfs, origin, scratch):
    """Whatever the limits are: the kernel says whether it wrote one."""
    url = origin.file("core", SIZE, "silent")
    process = subprocess.Popen(
        [adlfs, "probe", "--header=Authorization: hunter2", url], cwd=scratch,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (
            resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2))
    try:
        origin.wait(url, requests=1)
        os.kill(process.pid, signal.SIGXCPU)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -signal.SIGXCPU  # waited for here, to see the flag
    finally:
        kill_group(process)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
    assert not os.WCOREDUMP(status)


# --- Names


def test_names_cannot_leave_the_tree(mount, origin):
    """What would is refused; what only looks like it stands below the mount."""
    url = origin.file("n", 10, name="plain")
    base = url.rsplit("/", 1)[0]
    refused = [(url, "out=../up"), (url, "out=a/../../up"), (url, "out=.."), (url, "dir=.."),
               (url, "dir=a/.."), (url, "dir=/.."), (url, "out=./here"), (url, "out=a//b"),
               (url, "out=a/"), (url, "dir=../../../etc"), (url, f"out={'d/' * 2048}f"),
               (url, f"out={'n' * 256}"), (url, f"out={'.' * 60000}")]
    taken = [(url, "out=/absolute", "absolute"), (url, "dir=/etc\n  out=passwd", "etc/passwd"),
             (f"{base}/..%2F..%2Fetc%2Fshadow", "dir=enc", "enc/.._.._etc_shadow"),
             (f"{base}/%2e%2e%2f", "dir=dots", "dots/.._"), (url, "out=...", "..."),
             (f"{base}/a%5C..%5Cb", "dir=back", "back/a\\..\\b"), (url, "out=..a/b..", "..a/b.."),
             (url, "out=%2e%2e/f", "%2e%2e/f"), (url, "out=new\x01line", "new\x01line")]
    bare = [f"{base}/%2e%2e", f"{base}/%2E", f"{base}/a%00b", f"{base}/..", "http://127.0.0.1:1/"]
    lines = [f"{where}\n  {option}" for where, option, *_ in refused + taken] + bare
    m = mount(lines, "--keep-going")
    found = {os.path.relpath(os.path.join(top, name), m.path)
             for top, _, names in os.walk(m.path) for name in names}
    assert found == {path for *_, path in taken}
    for *_, path in taken:
        assert (m / path).read_bytes() == content("n", 0, 10), path
    assert m.log().count("error:") == len(refused) + len(bare)


# --- The cache


def test_a_cache_directory_that_is_not_the_users_alone_is_refused(adlfs, fuse, scratch):
    point = scratch / "point"
    point.mkdir()
    (scratch / "real").mkdir(0o700)
    os.symlink("real", scratch / "link")
    for name in "foreign", "group", "world":
        (scratch / name).mkdir(0o700)
    os.chown(scratch / "foreign", 12345, 12345)
    (scratch / "group").chmod(0o720)
    (scratch / "world").chmod(0o1702)
    (scratch / "file").write_bytes(b"")
    os.mkfifo(scratch / "fifo", 0o600)
    for name in "link", "link/", "foreign", "group", "world", "file", "fifo":
        result = run(adlfs, "mount", f"--cache-dir={scratch}/{name}", "http://127.0.0.1:1/a", point,
                     check=False)
        assert result.returncode == 1 and b"cache directory" in result.stderr, name
        assert not mounted(point), name
    assert list((scratch / "real").iterdir()) == []


@pytest.mark.parametrize("kind", ["symlink", "hard link", "foreign", "writable", "fifo"])
def test_planted_cache_files_are_neither_believed_nor_written(mount, origin, scratch, kind):
    url = origin.file("planted", SIZE)
    cache = scratch / "cache"
    m = mount([url], cache=cache)
    (m / "data.bin").read_bytes()
    m.umount()
    victims = {}
    for path in list(cache.iterdir()):
        victim = scratch / f"victim{path.suffix}"
        victims[victim] = (b"\xee" * SIZE if path.suffix == ".data" else path.read_bytes())
        path.unlink()
        victim.write_bytes(victims[victim])
        if kind == "symlink":
            os.symlink(victim, path)
        elif kind == "hard link":
            os.link(victim, path)
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.write_bytes(victims[victim])
            path.chmod(0o622 if kind == "writable" else 0o600)
            os.chown(path, 12345 if kind == "foreign" else 0, 0)
    m = mount([url], cache=cache)
    assert (m / "data.bin").read_bytes() == content("planted", 0, SIZE)
    m.umount()
    for victim, kept in victims.items():
        assert victim.read_bytes() == kept, victim


# --- Garbage


def endless(first, piece):
    yield first
    while True:
        yield piece


def noise():
    for number in range(1 << 30):
        yield hashlib.shake_256(str(number).encode()).digest(MIB)


URL = b"http://127.0.0.1:1/f"
GARBAGE = {
    "one line": (128, endless(b"", b"x" * MIB)),
    "dots": (128, endless(URL + b"\n  out=", b"." * MIB)),
    "dots and slashes": (128, endless(URL + b"\n  dir=", b"../" * (MIB // 3))),
    "names of dots": (128, endless(b"", (URL + b"\n  out=" + b"." * 1000 + b"/..\n") * 1000)),
    "lines of 10 MB": (128, endless(b"", URL + b"?" + b"y" * 10 * MIB + b"\n")),
    "comments": (128, endless(b"", b"#" * 10 * MIB + b"\n")),
    "nothing": (16, endless(b"", b"\n \r\n" * (MIB // 4))),
    "mirrors": (64, endless(b"", (URL + b"\t") * 50000)),
    "noise": (128, noise()),
    "NUL": (64, endless(URL + b"\n", bytes(MIB))),
    "options": (64, endless(URL + b"\n", b" header=A: b\n out=x\n split=1\n" * 30000)),
}


# A process counts the memory of what it was forked from: from a small one, so that it is its own.
MEASURED = """if True:
    import os, resource, subprocess, sys
    status = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    sys.exit(status)
"""


@pytest.mark.parametrize("kind", [*GARBAGE, "a GiB"])
def test_garbage_for_a_list_is_an_error_in_bounded_memory(adlfs, start, scratch, kind):
    point = scratch / "point"
    point.mkdir()
    with open(scratch / "said", "wb") as said:
        process = start("/usr/bin/python3", "-c", MEASURED, adlfs, "mount", f"--cache-dir={scratch}/cache",
                        "-", point, stdout=subprocess.PIPE, stderr=said, stdin=source_of(kind, start))
    limit = threading.Timer(PATIENCE * 2, kill_group, (process,))
    limit.start()
    try:
        if kind in GARBAGE:
            feed(process.stdin, *GARBAGE[kind])
        peak = int(process.stdout.read())
        process.wait()
    finally:
        limit.cancel()
        kill_group(process)
        if mounted(point):
            run(adlfs, "umount", point, check=False)
    said = (scratch / "said").read_bytes()
    assert process.returncode == 1, said[-2000:]
    assert 0 < len(said) < 200000
    assert peak < 200 * 1024  # KiB, with what a sanitizer takes; without one it is 10 MiB


def source_of(kind, start):
    """What standard input is."""
    if kind in GARBAGE:
        return subprocess.PIPE
    return start("head", "-c", "1G", "/dev/zero", stdout=subprocess.PIPE).stdout


def feed(pipe, megabytes, pieces):
    """So much, or until no more is taken."""
    with contextlib.suppress(BrokenPipeError), pipe:
        size = megabytes * MIB
        for piece in pieces:
            if size <= 0:
                break
            pipe.write(piece)
            size -= len(piece)
