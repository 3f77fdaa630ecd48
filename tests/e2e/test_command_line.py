"""Help, manual pages and completion: all from one table, as shells and page viewers see them."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
from conftest import ROOT

BINARY = ROOT / os.environ.get("CHAPERONE_BUILD", "build") / "chaperone"
PAGES = sorted((ROOT / "docs/man").iterdir())


def chaperone(*args, **kwargs):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=20, **kwargs)


def commands():
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +[A-Z]", chaperone("help").stdout, re.M)


def test_each_command_has_whole_help():
    names = commands()
    assert len(names) > 40
    for name in names:
        by_word, by_option = chaperone("help", *name.split()), chaperone(*name.split(), "--help")
        assert by_word.returncode == by_option.returncode == 0, name
        assert by_word.stdout == by_option.stdout, name
        for part in (f"usage: chaperone {name}", "Options:", "--config FILE", "Exit status:\n  0 done", "Example:\n  "):
            assert part in by_word.stdout, (name, part)


def test_help_on_a_group_and_on_nothing_known():
    assert "user passwd" in chaperone("help", "user").stdout
    assert chaperone("user", "--help").stdout == chaperone("help", "user").stdout
    missing = chaperone("help", "patients")
    assert (missing.returncode, missing.stdout) == (2, "") and "patients" in missing.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_manual_pages_are_clean(page):
    shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page], capture_output=True,
                           text=True, env=dict(os.environ, LC_ALL="C.UTF-8", MANROFFSEQ=""))
    assert (shown.returncode, shown.stderr) == (0, "")
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


def test_manual_page_names_every_command_and_option():
    page = (ROOT / "docs/man/chaperone.1").read_text()
    for name in commands():
        assert f".Ss {name}\n" in page
    shown = chaperone("help", "audit", "verify").stdout
    for option in re.findall(r"--([a-z-]+)", shown):
        assert f"Fl \\-{option}" in page


# --- completion -------------------------------------------------------------------------------

def typed(folder, keys, *, env=None):
    """What an interactive bash shows after `keys` were typed."""
    script = folder / "completion.bash"
    script.write_text(chaperone("completion", "bash").stdout)
    (folder / "rc").write_text(f"PS1='ready> '; PATH={BINARY.parent}:$PATH; bind 'set bell-style none'; "
                               f"bind 'set page-completions off'; . {script}\n")
    if not pathlib.Path("/dev/pts/ptmx").exists():
        pytest.skip("no pseudo-terminals here: /dev/pts is not mounted")
    child, master = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve("/bin/bash", ["bash", "--noprofile", "--rcfile", str(folder / "rc"), "-i"],
                  dict(os.environ, TERM="dumb", COLUMNS="200", HISTFILE="/dev/null", **(env or {})))
    try:
        read_until(master, b"ready> ")
        os.write(master, keys.encode())
        return read_until(master, None)
    finally:
        os.close(master)
        os.waitpid(child, 0)


def read_until(master, what, quiet=1.5, seconds=15):
    seen, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if not select.select([master], [], [], quiet)[0]:
            break
        seen += os.read(master, 4096)
        if what is not None and what in seen:
            break
    assert what is None or what in seen, seen
    return seen.decode()


def test_bash_completes_words_options_values_and_files(tmp_path):
    (tmp_path / "one file.yaml").touch()
    assert "chaperone audit verify" in typed(tmp_path, "chaperone aud\tver\t")
    both = typed(tmp_path, "chaperone user \t\t")
    assert {"add", "passwd", "groups"} <= set(both.split())
    assert "--require-anchor" in typed(tmp_path, "chaperone audit verify --req\t")
    assert "--group" not in typed(tmp_path, "chaperone audit verify --\t\t").split()
    assert "chaperone user add x --kind service" in typed(tmp_path, "chaperone user add x --kind ser\t")
    assert "one\\ file.yaml" in typed(tmp_path, "chaperone config validate one\t")


def test_completion_offers_what_the_gateway_lists(site, tmp_path):
    env = {"CHAPERONE_CONFIG": str(site.gate.config)}
    assert "chaperone user passwd dana" in typed(tmp_path, "chaperone user passwd da\t", env=env)
    offered = chaperone("--complete", "session", "ls", "--user", "", env=dict(os.environ, **env))
    assert {"dana", "pat"} <= set(offered.stdout.split())
    # Without a gateway there is nothing to offer, at once and without a word in the way.
    started = time.monotonic()
    alone = chaperone("--complete", "-c", "/nonexistent", "user", "passwd", "")
    assert (alone.returncode, alone.stdout) == (0, "") and time.monotonic() - started < 2


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes(tmp_path):
    (tmp_path / "c.fish").write_text(chaperone("completion", "fish").stdout)
    env = dict(os.environ, PATH=f"{BINARY.parent}:{os.environ['PATH']}", HOME=str(tmp_path))

    def complete(line):
        asked = subprocess.run(["fish", "-c", f"source {tmp_path}/c.fish; complete -C '{line}'"], capture_output=True,
                               text=True, env=env, cwd=tmp_path)
        return [entry.split("\t")[0] for entry in asked.stdout.splitlines()]

    assert "passwd" in complete("chaperone user ")
    assert complete("chaperone audit verify --req") == ["--require-anchor"]
    assert complete("chaperone completion z") == ["zsh"]
    assert "c.fish" in complete("chaperone config validate c.")


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_completes(tmp_path):
    (tmp_path / "_chaperone").write_text(chaperone("completion", "zsh").stdout)
    # _describe is what the menu is made by: what it is given is what would be offered.
    script = (f"fpath=({tmp_path} $fpath); PATH={BINARY.parent}:$PATH; autoload -Uz compinit; compinit -u -D; "
              "print -r -- $_comps[chaperone]; _describe() { print -rl -- \"${(@P)4}\" }; "
              "words=(chaperone user ''); CURRENT=3; autoload -Uz _chaperone; _chaperone")
    shown = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert lines[0] == "_chaperone" and "passwd:Set a password; sessions that the old one opened end." in lines


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_scripts_parse(shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(chaperone("completion", shell).stdout)
    assert subprocess.run([shell, "-n", tmp_path / "script"]).returncode == 0
