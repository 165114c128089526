"""The manual, --help and the source say the same: nothing that there is goes untold, and nothing is
told that there is not."""

import re
import shutil

import pytest

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
