"""The manual, --help and the source say the same: nothing that there is goes untold, and nothing is
told that there is not."""

import re
import shutil

import pytest

from control import Control
from harness import REPOSITORY, run

MANUAL = REPOSITORY / "contrib/man"


def help_of(adlfs, *command):
    return run(adlfs, *command, "--help").stdout.decode()


def commands_of(adlfs):
    """name -> what it says of itself, its help."""
    return {
        name: help_of(adlfs, name) for name in re.findall(r"(?m)^  ([a-z]+) +\S", help_of(adlfs))
    }


def helped_options(text):
    """[letter, ]name -> (value, default) of a command's help."""
    text = re.sub(r"\n {33}", "  ", text)  # a long name stands alone
    found = {}
    for names, value, rest in re.findall(
        r"(?m)^  (-\w(?:, --[a-z-]+)?|    --[a-z-]+)(?:[= ]((?:'[^']*'|[^\s'])+))?(?: {2,}(.*))?$",
        text,
    ):
        default = re.search(r"\[(.*)\]$", rest)
        found[names.strip()] = value, default and default[1]
    return found


def manual_sections():
    """command -> (its synopsis, its text) of adlfs(1)'s source."""
    text = (MANUAL / "adlfs.1.scd").read_text()
    body = re.search(r"(?ms)^# COMMANDS\n(.*?)^# ", text)[1]
    parts = re.split(r"(?m)^## adlfs ([a-z]+) ?(.*)\n", body)[1:]
    return {
        name: (synopsis, part) for name, synopsis, part in zip(parts[::3], parts[1::3], parts[2::3])
    }


def manual_options(text):
    """The same as of the help, with the paragraph in place of the default."""
    found = {}
    for line, paragraph in re.findall(r"(?m)^(\*-.*)\n((?:\t.*\n?|\n(?=\t))+)", text):
        match = re.fullmatch(r"(\*-\w\*(?:, \*--[a-z-]+\*)?|\*--[a-z-]+\*)(?:[= ]_(.*)_)?", line)
        assert match, f"not understood: {line}"
        found[match[1].replace("*", "")] = match[2] or "", " ".join(paragraph.split())
    return found


def plain_default(default):
    """A default as both may say it: without the version, and the first word of a sentence."""
    return re.sub(r"adlfs/\S+", "adlfs/VERSION", default)


def test_every_command_is_in_the_manual_and_the_other_way_round(adlfs):
    helped, told = commands_of(adlfs), manual_sections()
    assert sorted(helped) == sorted(told)
    for name, text in helped.items():
        assert text.splitlines()[0] == f"Usage: adlfs {name} {told[name][0]}".rstrip()


def test_every_option_is_in_the_manual_with_its_default_and_the_other_way_round(adlfs):
    sections = manual_sections()
    for command, text in commands_of(adlfs).items():
        helped, told = helped_options(text), manual_options(sections[command][1])
        assert helped and list(helped) == list(told), command
        for option, (value, default) in helped.items():
            said_value, paragraph = told[option]
            assert value == said_value, f"{command} {option}"
            assert re.search(
                r"Since \d+\.\d+\.\d+\.$", paragraph
            ), f"{command} {option}: since when?"
            if default and re.fullmatch(r"[\w/.]+", default):
                assert f"Default: {plain_default(default)}." in paragraph, f"{command} {option}"
            elif default:
                assert "Default: " in paragraph, f"{command} {option}"


def test_the_list_s_options_are_in_the_manual_and_the_other_way_round():
    known = re.findall(r'\{"([a-z-]+)", take_\w+', (REPOSITORY / "src/options.c").read_text())
    page = (MANUAL / "adlfs-manifest.5.scd").read_text()
    told = [
        name
        for line in re.findall(r"(?m)^(\*.*)\n\t", page)
        for name in re.findall(r"\*([a-z-]+)\*=", line)
    ]
    assert known and sorted(known) == sorted(told)


def test_attributes_are_in_the_manual():
    source = (REPOSITORY / "mount/xattr.c").read_text()
    page = (MANUAL / "adlfs.1.scd").read_text().replace("\\_", "_")
    told = page[page.index("# EXTENDED ATTRIBUTES") : page.index("# ERRORS")]
    for name in re.findall(r'PREFIX "(\w+)"', source):
        assert f".{name}_" in told, name


def test_fields_of_the_journal_are_in_the_manual():
    page = (MANUAL / "adlfs.1.scd").read_text()
    names = set(re.findall(r'"(ADLFS_\w+)"', (REPOSITORY / "mount/journal.c").read_text()))
    assert names and names == set(re.findall(r"(?m)^_(ADLFS_\w+)_\n\t", page))


def protocol_pages():
    """adlfs-control(7): its part on questions, its part on answers; and control.md."""
    page = (MANUAL / "adlfs-control.7.scd").read_text()
    questions, answers = page.index("# QUESTIONS"), page.index("# ANSWERS")
    return (page[questions:answers], page[answers : page.index("# LIMITS")],
            (REPOSITORY / "src/control.md").read_text())


def words(text):
    """What scdoc underlines."""
    found = re.findall(r"(?<![\w\\])_((?:[a-z-]|\\_)+)_(?!\w)", text)
    return {word.replace("\\_", "_") for word in found}


def keys(answer):
    """All names in an answer, however deep; of what a map says only that there is one."""
    for value in answer.values() if isinstance(answer, dict) else answer:
        if isinstance(value, (dict, list)):
            yield from keys(value)
    if isinstance(answer, dict):
        yield from answer


def test_every_order_of_the_protocol_is_in_both_manuals_and_the_other_way_round():
    source = (REPOSITORY / "src/order.c").read_text()
    questions, _, page = protocol_pages()
    orders = set(re.findall(r'\[ADL_ORDER_\w+\] = "(\w+)"', source))
    told = re.findall(r"(?m)^((?:\*\w+\*(?:, )?)+)\n\t", questions)
    assert orders and orders == set(re.findall(r"\*(\w+)\*", " ".join(told)))
    assert orders == set(", ".join(re.findall(r"(?m)^## ([a-z, ]+)$", page)).split(", "))
    fields = set(re.findall(r'(?:number|json_object_get)\(object, "([\w-]+)"', source))
    assert fields == words(questions) - {"next", "mount", "status", "job", "error"} | {"job"}
    assert all(f"`{field}`" in page for field in fields), fields


def test_every_field_that_a_daemon_tells_is_in_both_manuals_and_the_other_way_round(mount, origin):
    m = mount([origin.file("mc1", "3M"), " out=a", origin.file("mc2", "1M", "status=404"),
               " out=b", origin.file("mc3", "8M", "gate=mc3;hold=100K"), " out=c"])
    _, answers, page = protocol_pages()
    told = set()
    with Control(m) as control, open(m / "a", "rb") as file:
        file.read(10)
        job = control.ask(do="warm", paths=["b", "c"])["job"]
        control.send(do="job", job=job, every=100)
        while (answer := control.next()) and not answer["job"]["failures"]:
            told.update(keys(answer))
        told.update(keys(answer))
    with Control(m) as control:
        for order in (
            {"do": "hello"}, {"do": "status"}, {"do": "status", "paths": ["a", "c"], "cells": 9},
            {"do": "pause"}, {"do": "verify"}, {"do": "evict"}, {"do": "set", "limit-rate": 0},
            {"do": "stop", "job": job}, {"do": "stop", "job": 12345}, {"do": "resume"},
        ):
            told.update(keys(control.ask(**order, id=1)))
    origin.open("mc3")
    named = words(answers) | words(protocol_pages()[0])
    assert told <= named, told - named
    assert all(f"`{field}`" in page for field in told), [
        field for field in told if f"`{field}`" not in page]
    others = {"every", "cells"}  # of questions
    assert words(answers) - others <= told, words(answers) - others - told


@pytest.mark.parametrize("page", sorted(path.name for path in MANUAL.glob("*.scd")))
def test_pages_are_rendered_without_complaint(page):
    for tool in "scdoc", "man":
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    rendered = run("scdoc", stdin=(MANUAL / page).read_bytes()).stdout
    told = run("man", "--warnings", "-E", "UTF-8", "-Tutf8", "-l", "-", stdin=rendered)
    assert told.stderr == b"" and len(told.stdout) > 1000


def test_what_manual_pages_refer_to_is_there():
    pages = {path.name.removesuffix(".scd") for path in MANUAL.glob("*.scd")}
    for path in MANUAL.glob("*.scd"):
        for name, number in re.findall(r"\*(adlfs[a-z-]*)\*\((\d)\)", path.read_text()):
            assert f"{name}.{number}" in pages, f"{path.name}: {name}({number})"
