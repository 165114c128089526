"""At home on the system: mount(8) and fstab, the service manager, the journal."""

import contextlib
import os
import re
import shutil
import signal
import socket

import pytest

from harness import PATIENCE, REPOSITORY, run, wait_until, xattr
from namespace import world

NOBODY = "http://127.0.0.1:1"  # mounting needs no network
# What of mount(8)'s and systemd's an fstab line may say.
WORDS = (
    "noauto,user,exec,nosuid,nofail,_netdev,noatime,x-systemd.automount,"
    "x-systemd.idle-timeout=60,X-mount.mkdir,comment=films"
)


@pytest.fixture
def system(fuse, adlfs, scratch):
    """A world in which adlfs is installed, with a list and a mount point in `scratch`."""
    (scratch / "urls.txt").write_text(f"{NOBODY}/name\n")
    (scratch / "mnt").mkdir()
    with world(scratch / "world") as one:
        shutil.copy(adlfs, one.path("/usr/sbin/adlfs"))
        yield one


@pytest.fixture
def helper(system):
    system.path("/usr/sbin/mount.fuse.adlfs").symlink_to("adlfs")
    system.path("/usr/sbin/mount.adlfs").symlink_to("adlfs")


def check_mount(system, scratch, options=()):
    """It is there as ordered, and umount(8) ends it and its daemon."""
    point = scratch / "mnt"
    line = system.mounted(point)
    assert f" - fuse.adlfs {scratch}/urls.txt ro," in line, line
    assert {"ro", "nosuid", "nodev"} <= set(line.split(" ")[5].split(","))
    for option in options:
        assert option in re.split("[ ,]", line)
    inside = system.path(point)
    assert os.listdir(inside) == ["name"]
    daemon = xattr(inside, "pid")
    system.run("umount", point)
    assert not system.mounted(point)
    wait_until(lambda: not running_inside(system, daemon), what="the daemon's end")


def running_inside(system, pid):
    return system.run("ps", "-o", "stat=", "-p", pid, check=False).stdout.strip()[:1] not in (
        b"",
        b"Z",
    )


@pytest.mark.parametrize("type_", ["fuse.adlfs", "adlfs"])
def test_mount8_mounts(system, helper, scratch, type_):
    system.run(
        "mount",
        "-v",
        "-t",
        type_,
        scratch / "urls.txt",
        scratch / "mnt",
        "-o",
        f"{WORDS},allow_other,cache-dir={scratch}/cache",
    )
    check_mount(system, scratch, ["allow_other"])


def test_mount8_mounts_where_no_helper_of_ours_is_installed(system, scratch):
    system.run(
        "mount",
        "-t",
        "fuse.adlfs",
        scratch / "urls.txt",
        scratch / "mnt",
        "-o",
        f"ro,{WORDS},cache-dir={scratch}/cache",
    )
    check_mount(system, scratch)


def test_a_line_of_fstab_mounts(system, helper, scratch):
    (scratch / "fstab").write_text(
        f"{scratch}/urls.txt {scratch}/mnt fuse.adlfs {WORDS},cache-dir={scratch}/cache,"
        f"block-size=128K 0 0\n"
    )
    system.run("mount", "-T", scratch / "fstab", scratch / "mnt")
    again = system.run(
        "mount", "-T", scratch / "fstab", "-o", "remount", scratch / "mnt", check=False
    )
    assert again.returncode != 0 and b"unmount it first" in again.stderr
    check_mount(system, scratch)


def test_a_user_mounts_what_fstab_lets_users_mount(system, helper, scratch, adlfs):
    if b"__tsan_init" in adlfs.read_bytes():
        pytest.skip("set-user-ID mount(8) brings back the random addresses that TSan cannot have")
    fstab = scratch / "fstab"
    fstab.write_text(
        f"{scratch}/urls.txt {scratch}/mnt fuse.adlfs user,noauto,cache-dir={scratch}/c 0 0\n"
    )
    scratch.chmod(0o755)
    os.chown(scratch / "mnt", 65534, 65534)
    (scratch / "c").mkdir(0o700)
    os.chown(scratch / "c", 65534, 65534)
    system.run("mount", "--bind", fstab, "/etc/fstab")
    # As udev makes it, where there is udev.
    system.run("mknod", "--mode=666", "/run/fuse", "c", "10", "229")
    system.run("mount", "--bind", "/run/fuse", "/dev/fuse")
    user = "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"
    system.run(*user, "mount", scratch / "mnt")
    assert "user_id=65534" in system.mounted(scratch / "mnt")
    assert system.run(*user, "ls", scratch / "mnt").stdout == b"name\n"
    system.run(*user, "umount", scratch / "mnt")
    assert not system.mounted(scratch / "mnt")


@pytest.mark.parametrize(
    "options, told, status",
    [
        ("cahce-dir=x", b"did you mean 'cache-dir'?", 1),
        ("block-size=5", b"block-size: '5'", 1),
        ("ro", b"nothing.txt: No such file", 32),
    ],
)
def test_mount8_passes_on_what_is_wrong(system, helper, scratch, options, told, status):
    answer = system.run(
        "mount",
        "-t",
        "fuse.adlfs",
        scratch / "nothing.txt",
        scratch / "mnt",
        "-o",
        options,
        check=False,
    )
    assert told in answer.stderr and answer.returncode == status
    assert not system.mounted(scratch / "mnt")


def test_a_fake_mount_mounts_nothing_and_a_sloppy_one_takes_any_word(system, helper, scratch):
    call = "mount.fuse.adlfs", scratch / "urls.txt", scratch / "mnt"
    system.run(*call, "-f", "-o", "ro")
    assert system.run(*call, "-f", "-o", "whatever=1", check=False).returncode == 1
    system.run(*call, "-sf", "-o", "whatever=1")
    assert not system.mounted(scratch / "mnt")


def test_installing_puts_all_in_place(adlfs, scratch):
    build = adlfs.parent
    if not (build / "build.ninja").exists() or not shutil.which("scdoc"):
        pytest.skip("not in a build directory, or without scdoc")
    run("meson", "install", "-C", build, "--no-rebuild", "--destdir", scratch)
    found = {os.fspath(path.relative_to(scratch)) for path in scratch.rglob("*")}
    wanted = ["bin/adlfs", "share/man/man1/adlfs.1", "share/man/man5/adlfs-manifest.5"]
    wanted += ["share/man/man7/adlfs-control.7", "share/man/man8/mount.fuse.adlfs.8"]
    wanted += ["lib/systemd/system/adlfs@.service", "lib/systemd/user/adlfs@.service"]
    if not any(name in adlfs.read_bytes() for name in (b"__asan_init", b"__tsan_init")):
        wanted += ["share/bash-completion/completions/adlfs", "share/zsh/site-functions/_adlfs"]
        wanted += ["share/fish/vendor_completions.d/adlfs.fish"]
    assert {f"usr/local/{name}" for name in wanted} <= found
    assert {"usr/sbin/mount.fuse.adlfs", "usr/sbin/mount.adlfs"} <= found
    for path in scratch.glob("usr/local/lib/systemd/*/adlfs@.service"):
        assert "ExecStart=/usr/local/bin/adlfs mount " in path.read_text()


@pytest.mark.parametrize("unit", ["adlfs@", "adlfs-user@"])
def test_a_service_reads_its_list_again_when_told_to(adlfs, mount, unit):
    text = (REPOSITORY / f"contrib/systemd/{unit}.service.in").read_text()
    command = re.search(r"(?m)^ExecReload=\+?(.*)$", text)[1]
    m = mount([f"{NOBODY}/one"])
    words = {"@bindir@/adlfs": str(adlfs), "${MOUNTPOINT}": str(m.path)}
    reload = [words.get(word, word) for word in command.split()]
    (m.path.parent / "urls.txt").write_text(f"{NOBODY}/one\n{NOBODY}/two\n")
    run(*reload)
    assert sorted(os.listdir(m.path)) == ["one", "two"]
    (m.path.parent / "urls.txt").write_text("no URL\n")
    assert run(*reload, check=False).returncode == 1
    assert sorted(os.listdir(m.path)) == ["one", "two"]


@pytest.mark.parametrize(
    "name, kind", [("adlfs@.service", "--system"), ("adlfs-user@.service", "--user")]
)
def test_systemd_takes_the_units(adlfs, scratch, name, kind):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    text = (
        (REPOSITORY / f"contrib/systemd/{name}.in")
        .read_text()
        .replace("@bindir@", str(adlfs.parent))
    )
    (scratch / "adlfs@.service").write_text(text)
    told = run(
        "systemd-analyze",
        kind,
        "verify",
        "--man=no",
        "--recursive-errors=no",
        scratch / "adlfs@films.service",
        env={**os.environ, "XDG_RUNTIME_DIR": str(scratch)},
        check=False,
    )
    assert told.returncode == 0 and told.stderr == b"", told.stderr.decode()


@contextlib.contextmanager
def datagrams(path):
    """A socket that is told things, as the service manager's and the journal's are."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(os.fspath(path))
        one.settimeout(PATIENCE)
        yield one


def test_the_service_manager_is_told_how_it_goes(adlfs, fuse, scratch, start):
    point = scratch / "mnt"
    point.mkdir()
    with datagrams(scratch / "notify") as manager:
        service = start(
            adlfs,
            "mount",
            "-f",
            f"--cache-dir={scratch}/cache",
            f"{NOBODY}/name",
            point,
            env={**os.environ, "NOTIFY_SOCKET": f"{scratch}/notify"},
        )
        told = manager.recv(4096).decode().splitlines()
        assert os.listdir(point) == ["name"]  # when it says so, it is usable
        assert told == ["READY=1", f"STATUS=Mounted {NOBODY}/name at {point}: 1 file"]
        service.send_signal(signal.SIGTERM)
        assert manager.recv(4096).decode().splitlines()[0] == "STOPPING=1"
        assert service.wait(PATIENCE) == 0
        assert not os.listdir(point)

        (scratch / "file").write_text("")
        run(
            adlfs,
            "mount",
            "-f",
            f"--cache-dir={scratch}/file",
            f"{NOBODY}/name",
            point,
            check=False,
            env={**os.environ, "NOTIFY_SOCKET": f"{scratch}/notify"},
        )
        assert manager.recv(4096).decode().splitlines() == [
            "STATUS=Failed: Not a directory",
            "ERRNO=20",
        ]


def journal_environment(stderr):
    status = os.fstat(stderr.fileno())
    return {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


def fields(datagram):
    return dict(line.split("=", 1) for line in datagram.decode().splitlines())


@pytest.mark.parametrize("foreground", [True, False])
def test_the_journal_gets_fields(system, scratch, start, origin, foreground):
    """From a service, and from a daemon in the background as mount(8) leaves one."""
    url = origin.file("gone", 100, "status=404")
    (scratch / "urls.txt").write_text(f"{url}?token=hunter2\n")
    point = scratch / "mnt"
    with datagrams(system.path("/run/systemd/journal/socket")) as journal, open(
        scratch / "stderr", "wb"
    ) as stderr:
        process = start(
            *system.command(
                "/usr/sbin/adlfs",
                "mount",
                *["-f"] * foreground,
                f"--cache-dir={scratch}/cache",
                f"{scratch}/urls.txt",
                point,
            ),
            stderr=stderr,
            env=journal_environment(stderr) if foreground else None,
        )
        told = fields(journal.recv(8192))
        assert told["MESSAGE"].startswith("mounted ")
        about = {
            "SYSLOG_IDENTIFIER": "adlfs",
            "ADLFS_MOUNT": str(point),
            "ADLFS_SOURCE": f"{scratch}/urls.txt",
        }
        assert {**about, "PRIORITY": "5"}.items() <= told.items() and "ADLFS_URL" not in told
        (name,) = os.listdir(system.path(point))
        with contextlib.suppress(FileNotFoundError):
            os.stat(system.path(point) / name)
        told = fields(journal.recv(8192))
        assert {**about, "PRIORITY": "4", "ADLFS_URL": f"{url}?..."}.items() <= told.items()
        assert "404" in told["MESSAGE"] and "hunter2" not in str(told)
        system.run("umount", point)
        assert fields(journal.recv(8192))["MESSAGE"].startswith("unmounted ")
        assert process.wait(PATIENCE) == 0
    assert (scratch / "stderr").read_bytes() == b""


def test_a_journal_without_a_socket_gets_priorities(system, scratch, start):
    with open(scratch / "stderr", "wb") as stderr:
        process = start(
            *system.command(
                "/usr/sbin/adlfs",
                "mount",
                "-f",
                f"--cache-dir={scratch}/cache",
                scratch / "urls.txt",
                scratch / "mnt",
            ),
            stderr=stderr,
            env=journal_environment(stderr),
        )
        wait_until((scratch / "stderr").read_bytes)
        system.run("umount", scratch / "mnt")
        assert process.wait(PATIENCE) == 0
    lines = (scratch / "stderr").read_text().splitlines()
    assert [line[: len("<5>mounted")] for line in lines] == ["<5>mounted", "<5>unmount"]


def test_other_mounts_end_though_such_a_world_began_while_they_were_there(mount, scratch):
    """A copy of a mount in another name space would keep its daemon: contrib/let-go lets go of it."""
    m = mount([f"{NOBODY}/name"])
    with world(scratch / "world"):
        m.umount()
