"""What is installed is hardened as Debian's programs are, and a little more."""

import os
import re
import shutil
import subprocess

import pytest

from harness import REPOSITORY, run


@pytest.fixture(scope="module")
def installed(adlfs, tmp_path_factory):
    """The program as `meson install` puts it."""
    build = adlfs.resolve().parent
    if not (build / "build.ninja").exists() or not shutil.which("readelf"):
        pytest.skip("takes a build directory, and readelf")
    root = tmp_path_factory.mktemp("installed")
    try:
        run("meson", "install", "-C", build, "--destdir", root, "--no-rebuild", "--quiet")
        found = [path for path in root.rglob("bin/adlfs") if os.access(path, os.X_OK)]
        assert len(found) == 1
        if re.search(r"__[at]san_init", told(found[0], "--dyn-syms")):
            pytest.skip("a sanitizer's build is not what is installed")
        yield found[0]
    finally:
        shutil.rmtree(root, ignore_errors=True)


def told(path, *what):
    return subprocess.run(["readelf", "--wide", *what, path], check=True, capture_output=True,
                          text=True).stdout


def test_it_is_position_independent_and_nothing_of_it_is_writable_and_executable(installed):
    head = told(installed, "--file-header", "--program-headers", "--dynamic")
    assert re.search(r"Type:\s+DYN", head) and re.search(r"FLAGS_1.*\bPIE\b", head)
    for segment in re.findall(r"^\s+(?:LOAD|GNU_STACK|GNU_RELRO)\s.*$", head, re.M):
        assert not re.search(r"\bRWE\b", segment), segment
    assert "GNU_STACK" in head


def test_its_relocations_are_read_only_and_bound_at_start(installed):
    head = told(installed, "--program-headers", "--dynamic")
    assert "GNU_RELRO" in head
    assert re.search(r"FLAGS_1.*\bNOW\b", head) and "BIND_NOW" in head


def test_buffers_are_watched(installed):
    symbols = told(installed, "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    fortified = set(re.findall(r"\b__\w+_chk\b", symbols)) - {"__stack_chk_fail"}
    assert {"__snprintf_chk", "__memcpy_chk"} <= fortified, fortified


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="CET is x86's")
def test_control_flow_is_enforceable(installed, adlfs):
    """Shadow stacks for the whole; indirect branches in our own code (the C library's startup code
    is not marked on every Debian, and the linker would drop the mark of the whole)."""
    assert "SHSTK" in told(installed, "--notes")
    objects = sorted(adlfs.resolve().parent.glob("src/libadl.a.p/*.o"))
    assert len(objects) == len(list((REPOSITORY / "src").glob("*.c")))
    for one in objects:
        assert re.search(r"x86 feature:.*IBT.*SHSTK", told(one, "--notes")), one
