"""What shells offer for a command line: real ones, asked as by TAB at its end."""

import re
import shlex
import shutil
import subprocess

import pytest

from harness import REPOSITORY

TIME = 180  # s

BASH = """\
source /usr/share/bash-completion/bash_completion
source {file}
compopt() {{ :; }}
offer() {{
    COMP_LINE=$1 COMP_POINT=${{#1}} COMPREPLY=()
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _adlfs adlfs "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
    printf '%s\\n' "${{COMPREPLY[@]}}" --end--
}}
"""

# compadd tells what it was given, too; the widget is called for each line.
ZSH = r"""
zmodload zsh/zpty
zpty z 'TERM=dumb zsh -f -i'
send() { zpty -w z "$1" }
send 'PROMPT= RPROMPT= ; unsetopt zle_bracketed_paste 2>/dev/null; stty -echo'
send 'fpath=(DIRECTORY $fpath); autoload -U compinit; compinit -u -D'
send 'zstyle ":completion:*" list-grouped false'
send 'zstyle ":completion:*" menu no; setopt no_list_beep'
send 'compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits; builtin compadd -A hits "$@"
    local hit; for hit in $hits; do print -r -- "hit:$hit" >>OUT; done
    builtin compadd "$@"
}'
send 'ask() { BUFFER=$(<LINE) CURSOR=$#BUFFER; zle complete-word
    print -r -- --end-- >>OUT; BUFFER=; zle accept-line }'
send 'zle -N ask; bindkey "^A" ask; print ready >>OUT'
wait_for() {
    integer i
    while (( $(grep -c -e "^$1\$" OUT) < $2 )) && (( i++ < 3000 )); do
        sleep 0.01
        zpty -rt z junk '*'
    done
}
wait_for ready 1
integer n
while read -r line; do
    print -rn -- "$line" >LINE
    zpty -wn z $'\x01'
    wait_for --end-- $((++n))
done <LINES
zpty -d z
"""


def ends(text):
    """Of each line asked, the words."""
    return [part.split("\n")[:-1] for part in text.split("--end--\n")[:-1]]


def ask(*command, **options):
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=TIME,
        check=False,
        text=True,
        start_new_session=True,
        **options,
    ).stdout


class Shells:
    """shells.offers(SHELL, LINES) -> for each line the set of words that the shell offers."""

    def __init__(self, adlfs, directory):
        self.directory = directory
        for shell, name in (("bash", "adlfs.bash"), ("zsh", "_adlfs"), ("fish", "adlfs.fish")):
            with open(directory / name, "wb") as out:
                subprocess.run(
                    [REPOSITORY / "contrib/completions/generate", shell, adlfs],
                    stdout=out,
                    check=True,
                )

    def offers(self, shell, lines):
        if not shutil.which(shell) or (
            shell == "bash"
            and not shutil.which("/usr/share/bash-completion/bash_completion", mode=0)
        ):
            pytest.skip(f"{shell} or its completion is not installed")
        found = getattr(self, shell)(lines)
        assert len(found) == len(lines), found
        return [{word.strip() for word in words if word.strip()} for words in found]

    def bash(self, lines):
        script = BASH.format(file=shlex.quote(str(self.directory / "adlfs.bash")))
        for line in lines:
            words = re.findall(r"[=:]+|[^\s=:]+", line) + [""] * line.endswith((" ", "="))
            script += f"offer {shlex.join([line, *words])}\n"
        return ends(ask("bash", "--norc", "-c", script))

    def fish(self, lines):
        script = f"source {self.directory}/adlfs.fish\n"
        for line in lines:
            script += f"complete -C {shlex.quote(line)}; echo --end--\n"
        found = ends(
            ask(
                "fish",
                "--no-config",
                "-c",
                script,
                env={"HOME": str(self.directory), "PATH": "/usr/bin:/bin"},
            )
        )
        return [[word.split("\t")[0] for word in words] for words in found]

    def zsh(self, lines):
        out = self.directory / "out"
        out.write_text("")
        (self.directory / "lines").write_text("".join(f"{line}\n" for line in lines))
        script = ZSH
        for name, value in (
            ("DIRECTORY", self.directory),
            ("OUT", out),
            ("LINES", self.directory / "lines"),
            ("LINE", self.directory / "line"),
        ):
            script = re.sub(rf"\b{name}\b", str(value), script)
        script = script.replace("read -r line", "IFS= read -r line")
        ask("zsh", "-f", "-c", script)
        text = out.read_text().replace("ready\n", "", 1)
        return [[word.removeprefix("hit:") for word in words] for words in ends(text)]
