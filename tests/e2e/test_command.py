"""The command itself: what it says, how it goes to the background and comes to an end."""

import json
import os
import re
import signal
import subprocess

import pytest

from harness import (PATIENCE, Pid, check_fetched_once, errno_of, mounted, per_thread, run,
                     running, same_content, umount, wait_until, xattr)
from origin import content

NOBODY = "http://127.0.0.1:1"  # mounting needs no network


@pytest.fixture
def mount_here(adlfs, fuse, scratch, point):
    """Mounts in the background as a user would, and returns what was told."""
    def begin(*arguments, **options):
        return run(adlfs, "mount", f"--cache-dir={scratch}/cache",
                   f"--log-file={scratch}/log", *arguments, point, **options)
    return begin


def daemon_of(point):
    return Pid(xattr(point, "pid"))


def test_help_fits_a_small_terminal(adlfs):
    lines = run(adlfs, "--help").stdout.decode().splitlines()
    assert len(lines) <= 24
    commands = re.findall(r"(?m)^  ([a-z]+) +\S", "\n".join(lines))
    assert {"mount", "umount", "probe"} <= set(commands)
    for command in commands:
        lines += run(adlfs, command, "--help").stdout.decode().splitlines()
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("typed, meant", [
    (["muont", "a", "b"], "'mount'"), (["unmount", "a"], "'umount'"), (["--hepl"], "'--help'"),
    (["mount", "--cahce-dir=x", "a", "b"], "'--cache-dir'"),
    (["mount", "-o", "alow_other", "a", "b"], "'allow-other'"),
])
def test_a_mistyped_word_suggests_the_right_one(adlfs, typed, meant):
    result = run(adlfs, *typed, check=False)
    assert result.returncode == 2 and f"did you mean {meant}?" in result.stderr.decode()


@pytest.mark.parametrize("typed, told", [
    (["mount", "{}/list", "{}"], "cannot read the list {}/list: No such file or directory; a URL begins with "),
    (["mount", "ftp://a/b", "{}"], "only http:// and https:// can be fetched, not ftp://"),
    (["mount", "http://127.0.0.1:99999/x", "{}"], "not a usable URL: look at its host and port, and write spaces as %20"),
    (["{}/file", "{}"], "did you mean 'adlfs mount {}/file DIRECTORY'?"),
    (["mount", "--cacert={}/none", f"{NOBODY}/name", "{}"], "--cacert={}/none: No such file"),
    (["mount", "--netrc-file={}/none", f"{NOBODY}/name", "{}"], "--netrc-file={}/none: No such file"),
    (["get", "-o", "{}/file/x/", f"{NOBODY}/name"], "cannot keep what comes in {}/file/x"),
    (["verify", f"--cache-dir={{}}", f"{NOBODY}/name"], f"{NOBODY}/name: not cached\n"),
    (["mount", f"{NOBODY}/name", "{}/m"], "cannot mount on {}/m: No such file or directory\n  'mkdir -p {}/m'"),
    (["mount", f"{NOBODY}/name", "{}/file"], "cannot mount on {}/file: Not a directory"),
    (["mount", "--cache-dir={}/file", f"{NOBODY}/name", "{}"],
     "cache directory {}/file: Not a directory; --cache-dir=DIR names another"),
    (["mount", "--log-file={}/a/b", f"{NOBODY}/name", "{}"], "cannot write the log {}/a/b: No such file"),
    (["umount", "{}"], "{} is not an adlfs mount"), ([], "'adlfs mount urls.txt DIRECTORY'"),
])
def test_an_error_says_what_it_is_about_and_what_to_do(adlfs, scratch, typed, told):
    (scratch / "file").write_text("")
    result = run(adlfs, *(word.format(scratch) for word in typed), check=False)
    assert result.returncode in (1, 2) and told.replace("{}", str(scratch)) in result.stderr.decode()


def test_help_that_cannot_be_written_is_a_failure(adlfs):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([adlfs, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1 and b"No space left" in result.stderr


def test_mount_returns_when_the_mount_is_usable(mount_here, point, adlfs):
    told = mount_here(f"{NOBODY}/name")
    assert os.listdir(point) == ["name"]
    assert (told.stdout, told.stderr) == (b"", b"")
    pid = daemon_of(point)
    umount(adlfs, point)
    assert not mounted(point) and not running(pid)


def test_the_daemon_keeps_nothing_of_its_caller(adlfs, fuse, scratch, point):
    with open(scratch / "kept open", "w", encoding="utf-8") as kept:
        subprocess.run([adlfs, "mount", f"--cache-dir={scratch}/cache", f"{NOBODY}/name", point],
                       pass_fds=[kept.fileno()], timeout=PATIENCE, check=True)
    pid = daemon_of(point)
    files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert os.fspath(scratch / "kept open") not in files
    assert files.count("/dev/null") == 3
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getsid(pid) == pid != os.getsid(0)


def test_the_caller_of_a_mount_in_a_pipe_does_not_wait_for_its_end(adlfs, fuse, scratch, point):
    command = f"'{adlfs}' mount --cache-dir='{scratch}/cache' {NOBODY}/name '{point}' 2>&1 | cat"
    assert subprocess.run(["sh", "-c", command], timeout=PATIENCE, check=True,
                          stdin=subprocess.DEVNULL).returncode == 0
    assert mounted(point)


def test_relative_paths_mean_where_mount_was_called(adlfs, fuse, scratch, point):
    (scratch / "urls.txt").write_text(f"{NOBODY}/name\n")
    subprocess.run([adlfs, "mount", "--cache-dir=here", "--log-file=log", "urls.txt", point.name],
                   cwd=scratch, timeout=PATIENCE, check=True)
    assert os.listdir(point) == ["name"]
    assert (scratch / "here").is_dir() and "mounted" in (scratch / "log").read_text()


def test_an_error_of_the_daemon_is_told_and_is_the_exit_status(mount_here, scratch, point):
    (scratch / "cache").write_text("a file where the directory should be")
    told = mount_here(f"{NOBODY}/name", check=False)
    assert told.returncode == 1 and b"cache" in told.stderr
    assert not mounted(point)


def test_a_manifest_may_come_from_standard_input(mount_here, point):
    mount_here("-", stdin=f"{NOBODY}/one\n{NOBODY}/two\n".encode())
    assert sorted(os.listdir(point)) == ["one", "two"]


def test_problems_in_standard_input_have_a_name(mount_here, point):
    told = mount_here("-", stdin=b"\nnonsense\n", check=False)
    assert told.returncode == 1 and b"<stdin>:2: error: " in told.stderr
    assert not mounted(point)


@pytest.mark.parametrize("where", [["--exec"], ["-o", "ro,nosuid,exec,x-systemd.automount"]])
def test_exec_makes_files_executable(mount_here, point, where, origin):
    mount_here(*where, origin.file("run", 10))
    assert os.stat(point / "data.bin").st_mode & 0o777 == 0o555


def test_a_mount_for_writing_is_refused(mount_here, point):
    told = mount_here("-o", "rw", f"{NOBODY}/name", check=False)
    assert told.returncode == 2 and b"read-only" in told.stderr
    assert not mounted(point)


@pytest.mark.parametrize("lazy", [[], ["--lazy"]])
def test_umount_clears_a_dead_mount(mount_here, point, adlfs, lazy):
    mount_here(f"{NOBODY}/name")
    pid = daemon_of(point)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not running(pid))
    assert errno_of(os.listdir, point) is not None
    run(adlfs, "umount", *lazy, point)
    assert not mounted(point)


def test_lazy_umount_detaches_a_busy_mount(mount_here, point, adlfs, origin):
    mount_here(origin.file("busy", 1000))
    pid = daemon_of(point)
    with open(point / "data.bin", "rb") as file:
        run(adlfs, "umount", "-z", point)
        assert not mounted(point) and running(pid)
        assert len(file.read()) == 1000
    wait_until(lambda: not running(pid), what="the daemon's end after its last file")


def test_a_mount_that_shows_twice_keeps_its_daemon_and_nobody_waits(mount_here, point, adlfs,
                                                                     origin, scratch):
    mount_here(origin.file("twice", 1000))
    pid, twin = daemon_of(point), scratch / "twin"
    twin.mkdir()
    run("mount", "--bind", point, twin)
    try:
        told = run(adlfs, "umount", point)
        assert str(twin) in told.stderr.decode() and not mounted(point) and running(pid)
        assert same_content(twin / "data.bin", "twice", 1000)
    finally:
        run(adlfs, "umount", twin)
    assert not running(pid)


def test_umount_takes_several_and_goes_on_after_a_failure(mount_here, point, adlfs, scratch):
    mount_here(f"{NOBODY}/name")
    told = run(adlfs, "umount", scratch / "nothing", point, check=False)
    assert told.returncode == 1 and b"nothing" in told.stderr
    assert not mounted(point)


def test_what_umount_waited_for_is_in_the_cache(mount_here, point, adlfs, origin):
    url = origin.file("kept", "3M")
    for _ in range(3):
        mount_here("--revalidate=never", url)
        assert same_content(point / "data.bin", "kept", 3 << 20)
        umount(adlfs, point)
    check_fetched_once(origin, url, 3 << 20)


def test_messages_cannot_talk_to_the_terminal(mount_here):
    told = mount_here("-", stdin=b"\x1b]0;evil\x07\n", check=False)
    assert told.returncode == 1 and b"\x1b" not in told.stderr and b"\x07" not in told.stderr


def test_probe_leaves_nothing_behind(adlfs, origin, scratch, start):
    environment = {**os.environ, "TMPDIR": str(scratch)}
    run(adlfs, "probe", origin.file("probed", 1000), env=environment)
    assert os.listdir(scratch) == []
    silent = origin.file("silent", 1000, "silent")
    process = start(adlfs, "probe", silent, env=environment)
    origin.wait(silent, requests=1)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == -signal.SIGINT
    assert os.listdir(scratch) == []


def test_probe_sends_headers_and_shows_no_secrets(adlfs, origin):
    url = origin.file("closed", 1000, "require=X-Key:sesame")
    result = run(adlfs, "probe", "--json", "--header=X-Key: sesame", f"{url}?token=hunter2")
    answer, = json.loads(result.stdout)
    assert answer["error"] is None and answer["url"] == f"{url}?..."
    assert b"hunter2" not in result.stdout + result.stderr


def blocked_in(pid, number):
    """Which of the process' threads leave the signal to others."""
    masks = {thread: int(re.search(r"^SigBlk:\s*(\w+)$", status, re.M)[1], 16)
             for thread, status in per_thread(pid, "status").items()}
    return {thread: bool(mask >> (number - 1) & 1) for thread, mask in masks.items()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_mount_and_gets_to_no_thread_but_the_one_that_waits(mount, origin, number):
    m = mount([origin.file("a", 10)])
    assert (m / "data.bin").read_bytes() == content("a", 0, 10)
    run(m.binary, "warm", m.path)  # a thread more
    blocked = blocked_in(m.pid, number)
    assert len(blocked) > 3 and [thread for thread in blocked if not blocked[thread]] == [m.pid]
    os.kill(m.pid, number)
    m.wait_end()
