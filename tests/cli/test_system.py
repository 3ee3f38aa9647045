"""``torc ping``, ``torc completions`` and ``torc config`` and ``torc plugins`` as the reference has them."""

import subprocess
import sys

import pytest

from tests.cli.programs import clean_environment


def test_ping(torc):
    done = torc("ping", code=1)
    assert done.out == ""
    assert torc("ping", "-f", "json", code=1).error["status"] == "error"
    torc.create("name: w\njobs: []")
    assert torc("ping").out == "Server is running\n"
    assert torc.json("ping") == {"status": "Server is running"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(torc, shell):
    done = torc("completions", shell)
    assert f"_TORC_COMPLETE={shell}_complete" in done.out


def test_other_shells_are_wrong_usage(torc):
    torc("completions", "elvish", code=2)


def completions(folder, words, position):
    env = clean_environment(folder) | {
        "_TORC_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(position),
    }  # fmt: skip
    command = [sys.executable, "-m", "torc_core.cli"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def completed(folder, words, position):
    return [line.partition(",")[2] for line in completions(folder, words, position)]


def test_names_of_formats_and_executors_are_completed(tmp_path):
    assert completed(tmp_path, ["torc", "spec", "convert", "x.yaml", "--to", "j"], 5) == ["json", "json5"]
    assert completed(tmp_path, ["torc", "spec", "check", "x", "--from", "k"], 5) == ["kdl"]
    assert completed(tmp_path, ["torc", "run", "x.yaml", "--executor", ""], 4) == ["local", "dry-run"]


def test_words_are_completed(tmp_path):
    assert completed(tmp_path, ["torc", "wor"], 1) == ["workflows"]
    assert completed(tmp_path, ["torc", "workflows", "rei"], 2) == ["reinit", "reinitialize"]
    assert completed(tmp_path, ["torc", "jobs", "list", "--status", "ter"], 4) == ["terminated"]
    assert "--format" in completed(tmp_path, ["torc", "status", "--fo"], 2)


def test_help_completes_commands_and_what_is_in_them(tmp_path):
    assert completed(tmp_path, ["torc", "help", ""], 2) == completed(tmp_path, ["torc", ""], 1)
    assert completed(tmp_path, ["torc", "help", "wor"], 2) == ["workflows"]
    assert completed(tmp_path, ["torc", "help", "spec", ""], 3) == ["check", "expand", "convert", "lint", "codes"]
    assert completed(tmp_path, ["torc", "help", "workflows", "rei"], 3) == ["reinit", "reinitialize"]
    assert completed(tmp_path, ["torc", "help", "server", "user", "ver"], 4) == ["verify"]
    assert completed(tmp_path, ["torc", "help", "spec", "check", ""], 4) == [""]  # an empty line: it is no group
    assert completed(tmp_path, ["torc", "help", "nothing", ""], 3) == [""]
    assert "--format" in completed(tmp_path, ["torc", "help", "--fo"], 2)


@pytest.mark.parametrize(
    "words",
    [["run"], ["create"], ["execution-plan"], ["spec", "check"], ["spec", "convert"], ["exec", "-C"]],
    ids=" ".join,
)
def test_the_shell_completes_names_of_files_where_a_spec_is_asked_for(tmp_path, words):
    assert completions(tmp_path, ["torc", *words, "flow"], len(words) + 1) == ["file,flow"]


def test_the_configuration_in_both_forms(torc):
    assert torc("config", "show", "-f", "json").json["client"]["format"] == "table"
    assert torc("-f", "json", "config", "show").json == torc("config", "show", "--format", "json").json
    assert "[client" in torc("config", "show", "-f", "toml").out
    assert torc("config", "init", "--local", "--format", "json").json["path"] == str(torc.path / "torc.toml")
    done = torc("config", "init", "--local", "--format", "json", code=1)
    assert "exists already" in done.error["message"]
    torc("config", "init", "--local", "-f")


def test_plugins_are_listed_in_the_form_of_the_reference(torc):
    listed = torc("plugins", "-f", "json").json["plugins"]
    assert torc.json("plugins", "list") == {"plugins": listed}
    builtin = next(plugin for plugin in listed if plugin["name"] == "builtin")
    assert set(builtin) >= {"name", "version", "kinds", "enabled"}
    assert builtin["enabled"] is True
    assert torc.json("plugins", "check")["ok"] is True
