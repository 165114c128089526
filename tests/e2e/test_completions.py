"""The shells' completions offer every command and option that --help knows, and no other."""

import os
import re

import pytest

from conftest import temporary_directory
from harness import run
from shells import Shells

SHELLS = "bash", "zsh", "fish"


@pytest.fixture(scope="module")
def shells(adlfs):
    with temporary_directory() as directory:
        yield Shells(adlfs, directory)


def help_of(adlfs, *command):
    return run(adlfs, *command, "--help").stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_and_options_are_those_of_the_help(adlfs, shells, shell):
    commands = re.findall(r"(?m)^  ([a-z]+) +\S", help_of(adlfs))
    offered = shells.offers(shell, ["adlfs ", *(f"adlfs {command} --" for command in commands)])
    assert offered[0] >= {*commands, "help"}
    assert offered[0] <= {*commands, "help", "version", "--help", "--version"}
    for command, words in zip(commands, offered[1:]):
        options = set(re.findall(r"(?m)^  (?:-\w, |    )(--[a-z-]+)", help_of(adlfs, command)))
        assert {word.rstrip("=") for word in words} == options, command


@pytest.mark.parametrize("shell", SHELLS)
def test_values_and_paths_are_offered(shells, shell, scratch):
    lines = [
        "adlfs mou",
        "adlfs mount --allocate=",
        "adlfs mount --log-level w",
        "adlfs mount --revalidate=n",
        f"adlfs mount --cache-dir={scratch}/she",
        f"adlfs mount {scratch}/she",
        "adlfs mount -o allow",
        "adlfs mount -o exec,keep",
        "adlfs help um",
    ]
    (scratch / "shelf").mkdir()
    (scratch / "shell.txt").write_text("")
    words, allocate, level, never, directory, files, listed, last, helped = shells.offers(
        shell, lines
    )

    def has(offered, *wanted):
        # A shell may offer the rest of a word, the word, or what stands before it, too.
        return all(
            any(os.path.basename(word.rstrip("/=")).endswith(want) for word in offered)
            for want in wanted
        )

    assert has(words, "mount") and not has(words, "umount")
    assert has(allocate, "sparse", "full") and len(allocate) == 2
    assert has(level, "warning") and has(never, "never")
    assert has(directory, "shelf") and not has(directory, "shell.txt")
    assert has(files, "shelf", "shell.txt")
    assert has(listed, "allow-other") and has(last, "keep-going")
    assert has(helped, "umount")


@pytest.mark.parametrize("shell", SHELLS)
def test_umount_is_offered_what_is_mounted(shells, shell, mount):
    m = mount("http://127.0.0.1:1/name\n")
    (offered,) = shells.offers(shell, [f"adlfs umount {os.path.dirname(m.path)}/"])
    assert str(m.path) in offered
