"""What `adlfs status` shows is true, fits its screen, and is as good for programs as for people."""

import json
import os
import pty
import re
import subprocess
import unicodedata

from control import Control
from harness import PATIENCE, read_at, run, same_content, stopped, wait_until

MIB = 1 << 20
PLAIN = {**os.environ, "LANG": "C", "LC_ALL": "C", "COLUMNS": "80"}
FINE = {**PLAIN, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "xterm"}


def width(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF"
               else 1 for c in line)


def told(m, *arguments, env=None):
    return run(m.binary, "status", *arguments, env=env or PLAIN).stdout.decode()


def in_terminal(m, *arguments, env=None):
    """What a terminal would get."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([m.binary, "status", *arguments], stdin=theirs, stdout=theirs,
                               stderr=theirs, env=env or FINE, start_new_session=True)
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:  # its other end is closed
        pass
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    return b"".join(parts).decode()


def test_a_mount_is_shown_with_its_files(mount, origin):
    m = mount([origin.file("a", 2 * MIB), " out=d/whole.bin", origin.file("b", MIB, "status=404"),
               " out=gone", origin.file("c", MIB), " out=untouched",
               origin.file("d", 8 * MIB, "gate=go;hold=1000;after=1"), " out=slow"])
    assert same_content(m / "d/whole.bin", "a", 2 * MIB)
    run("cat", m / "gone", check=False)
    assert read_at(m / "slow", 0, 100)
    text = told(m, m.path)
    assert str(m.path) in text and "4 files" in text and "untouched" not in text
    assert re.search(r"complete +100% +2\.0M .* d/whole\.bin", text)
    assert re.search(r"failed .* 1 +gone", text)
    assert re.search(r" slow$", text, re.M)
    below = told(m, m / "d")
    assert "whole.bin" in below and "gone" not in below
    everything = run(m.binary, "status", env=PLAIN, check=False).stdout.decode()
    assert str(m.path) in everything  # among all mounts, of which others may just be ending
    shown = json.loads(told(m, "--json", m.path))
    assert [one["path"] for one in shown[0]["files"]] == ["d/whole.bin", "gone", "slow"]
    assert shown[0]["mount"]["mountpoint"] == str(m.path)


def test_a_file_is_shown_with_its_map(mount, origin):
    url, mirror = origin.file("m", 8 * MIB), origin.file("m", 8 * MIB, name="mirror.bin")
    m = mount([f"{url}\t{mirror}", " out=file.bin"])
    read_at(m / "file.bin", 4 * MIB, MIB)
    with Control(m) as control:
        wait_until(lambda: not control.file("file.bin")["transfers"])
    text = told(m, m / "file.bin")
    assert "mode split" in text and url in text and mirror in text and "ETag" in text
    rows = re.findall(r"^  ([#+.:?1-9a-z]+)$", text, re.M)
    cells = "".join(rows)
    assert len(cells) == 8 * MIB // 65536  # a cell each block
    here = [at for at, cell in enumerate(cells) if cell == "#"]
    assert set(range(64, 80)) <= set(here) and cells[20:60] == "." * 40


def test_every_screen_is_fitted(mount, origin):
    name = "日本語/" + "a-long-name-" * 12 + ".bin"
    m = mount([origin.file("n", 3 * MIB), f" out={name}"])
    assert same_content(m / name, "n", 3 * MIB)
    for columns in "20", "40", "80", "200":
        for env in {**PLAIN, "COLUMNS": columns}, {**FINE, "COLUMNS": columns}:
            for path in m.path, m / name:
                text = told(m, path, env=env)
                assert "\033" not in text  # no terminal, no colours
                if columns not in ("20", "40"):
                    assert max(map(width, text.splitlines())) <= int(columns), text


def test_colours_are_for_terminals_unless_no_color(mount, origin):
    m = mount([origin.file("c", MIB)])
    assert same_content(m / "data.bin", "c", MIB)
    assert "\033[32m" in in_terminal(m, m.path) and "█" in in_terminal(m, m / "data.bin")
    assert "\033" not in in_terminal(m, m.path, env={**FINE, "NO_COLOR": "1"})
    assert "\033" not in in_terminal(m, m.path, env={**FINE, "TERM": "dumb"})


def test_names_and_errors_cannot_harm_a_terminal(mount, origin):
    m = mount([origin.file("e", 10), " out=x%1b[2J\x07y"])
    names = os.listdir(m.path)
    assert read_at(m / names[0], 0, 10)
    for text in in_terminal(m, m.path, env={**FINE, "NO_COLOR": "1"}), told(m, m / names[0]):
        assert "\033" not in text and "\x07" not in text


def test_monitoring_reads_metrics(mount, origin):
    m = mount([origin.file("p", MIB)])
    assert same_content(m / "data.bin", "p", MIB)
    text = told(m, "--format=prometheus", m.path)
    values = dict(re.findall(rf'^(adlfs_\w+){{mountpoint="{m.path}"}} (\d+)$', text, re.M))
    assert int(values["adlfs_fetched_bytes_total"]) >= MIB
    assert values["adlfs_paused"] == "0" and values["adlfs_entries"] == "1"
    assert all(re.fullmatch(r'# (HELP|TYPE) adlfs_.*|adlfs_\w+\{mountpoint="[^"]*"\} \d+', line)
               for line in text.splitlines())


def test_a_watch_goes_on_until_it_is_interrupted_or_the_mount_goes(mount, origin, start):
    m = mount([origin.file("w", 10)])
    watch = start(m.binary, "status", "--watch", "--json", m.path, stdout=subprocess.PIPE)
    first = json.loads(watch.stdout.readline())
    assert json.loads(watch.stdout.readline())["mount"]["pid"] == first["mount"]["pid"] == m.pid
    watch.send_signal(2)
    assert watch.wait(PATIENCE) == 0
    other = start(m.binary, "status", "--watch", m.path, stdout=subprocess.PIPE,
                  stderr=subprocess.PIPE)
    assert other.stdout.readline()
    m.umount()
    assert b"ended" in other.communicate(timeout=PATIENCE)[1] and other.returncode == 1


def test_what_is_no_mount_is_told(adlfs, scratch):
    said = run(adlfs, "status", scratch, check=False)
    assert said.returncode == 1 and b"not in a mount of adlfs" in said.stderr
    said = run(adlfs, "status", scratch / "nothing", check=False)
    assert said.returncode == 1 and b"No such file" in said.stderr


def test_a_daemon_that_is_stopped_does_not_stop_others_status(mount, origin):
    one, well = mount([origin.file("s", 10)]), mount([origin.file("w", 10)])
    with Control(one), Control(well):
        pass
    with stopped(one.pid):
        said = run(well.binary, "status", env=PLAIN, check=False)
        assert str(well.path) in said.stdout.decode()
        assert f"{one.path}: its daemon does not answer" in said.stderr.decode()
