"""Fixtures of the end-to-end tests. `ADLFS` names another binary than the one in build/; with `CI`
set, what would be skipped for want of /dev/fuse or root fails."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import harness  # noqa: E402
from origin import Origin  # noqa: E402


def pytest_configure(config):
    """`timeout` sends SIGTERM: clean up as after Ctrl-C. (And what is ignored here, as in a
    shell's background, would be ignored in everything that is started.)"""
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session")
def adlfs():
    """The path of the binary."""
    names = [os.environ["ADLFS"]] if "ADLFS" in os.environ else ["build/adlfs"]
    for path in (harness.REPOSITORY / name for name in names):
        if os.access(path, os.X_OK):
            return path
    return pytest.fail(f"no {' or '.join(names)}: build it, or say where it is with ADLFS=")


@pytest.fixture(scope="session")
def fuse():
    """What a mount needs of the machine."""
    missing = None
    if os.geteuid() != 0:
        missing = "mounting takes root"
    elif not os.path.exists("/dev/fuse"):
        missing = "there is no /dev/fuse"
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


@contextlib.contextmanager
def temporary_directory():
    path = Path(tempfile.mkdtemp(prefix="adlfs-e2e."))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def origin_server():
    with Origin() as origin:
        yield origin


@pytest.fixture
def origin(origin_server):
    """The misbehaving origin, as if just started. One server for all tests: a test that is about
    its end starts one of its own."""
    origin_server.reset()
    return origin_server


@pytest.fixture(scope="session")
def nginx():
    with temporary_directory() as directory:
        server = harness.Nginx(directory)
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture
def scratch():
    """A directory that is gone afterwards (pytest's own would stay, gigabytes of it)."""
    with temporary_directory() as directory:
        yield directory


@pytest.fixture
def point(scratch):
    """A directory for commands that the test runs itself to mount on; what is still mounted there
    afterwards goes."""
    path = scratch / "point"
    path.mkdir()
    yield path
    while harness.mounted(path):
        harness.run("umount", "-l", path)


@pytest.fixture
def run():
    return harness.run


@pytest.fixture
def start():
    """Starts commands that the test does not wait for; what still runs at the end is killed."""
    started = []

    def begin(*command, **options):
        options = {"stdin": harness.subprocess.DEVNULL, "start_new_session": True, **options}
        process = harness.subprocess.Popen([str(part) for part in command], **options)
        started.append(process)
        return process
    yield begin
    for process in started:
        harness.kill_group(process)


@pytest.fixture
def mount(adlfs, fuse, scratch):
    """mount(MANIFEST, OPTION...) -> harness.Mount, usable. MANIFEST is text (or bytes), or a list
    of lines. cache=DIR shares a cache; a mount has one of its own if nothing is said."""
    mounts = []

    def begin(manifest, *options, cache=None, foreground=True):
        directory = scratch / f"m{len(mounts)}"
        directory.mkdir()
        if isinstance(manifest, (list, tuple)):
            manifest = "\n".join(manifest) + "\n"
        if isinstance(manifest, str):
            manifest = manifest.encode()
        source = directory / "urls.txt"
        source.write_bytes(manifest)
        one = harness.Mount(adlfs, directory, cache or directory / "cache")
        mounts.append(one)
        return one.start(source, ["--log-level=debug", *options], foreground)
    yield begin
    problems = []
    for one in reversed(mounts):
        try:
            one.close()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)
