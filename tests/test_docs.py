"""The documentation says what is true: its transcripts run, what it names exists, its generated parts are fresh.

A ``console`` block is a transcript: its commands (``$``, continued with ``>``) run in a new folder for each page, one
block after the other, and must write what stands below them. ``...`` stands for anything; seconds with a fraction and
moments are not compared. ``# exit 1`` behind a command is the expected exit code. A block below a line that holds
nothing but `` `a/name`: `` is a file of that folder.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from docs import generate
from torc_core.cli.app import App
from torc_core.cli.main import torc
from torc_core.cli.plugin_commands import LazyCommand

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "plugins.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"(?:^`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\S*)[^\n]*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
SPECS = ("yaml", "json", "json5", "kdl")
OTHERS = {"hello", "site-rules"}  # commands of the plugins that plugins.md builds


class Block(NamedTuple):
    """A fenced block; ``file`` is the name above it."""

    file: str | None
    kind: str
    body: str


class Step(NamedTuple):
    """A command of a transcript and what it shows."""

    command: str
    shown: list[str]

    @property
    def code(self):
        said = re.search(r"  # exit (\d+)$", self.command)
        return int(said[1]) if said else 0


def blocks_of(text):
    return [Block(found["file"], found["kind"], found["body"]) for found in FENCE.finditer(text)]


def steps_of(transcript):
    steps = []
    for line in transcript.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], []))
        elif line.startswith("> ") and steps and not steps[-1].shown:
            steps[-1] = steps[-1]._replace(command=f"{steps[-1].command}\n{line[2:]}")
        else:
            steps[-1].shown.append(line)
    return steps


# transcripts


def environment(home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TORC_") and name != "RUST_LOG"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"HOME": home, "XDG_CONFIG_HOME": home, "TMPDIR": home, "USER": "ada", "COLUMNS": "80", "TERM": "dumb"}
    return {**kept, "PATH": path, **{name: str(value) for name, value in settings.items()}}


def wrong_transcripts(text, folder):
    """Run the transcripts of a page in ``folder`` and return what is not as it says."""
    blocks = blocks_of(text)
    if not any(block.kind == "console" for block in blocks):
        return []
    home, place = folder / "home", folder / "page"
    home.mkdir()
    place.mkdir()
    shutil.copytree(ROOT / "examples", place / "examples", ignore=shutil.ignore_patterns("output", "torc_output"))
    wrong = []
    for block in blocks:
        if block.kind == "console":
            for step in steps_of(block.body):
                place = run_step(step, place, environment(home), wrong)
        elif block.file is not None:
            (place / block.file).parent.mkdir(parents=True, exist_ok=True)
            (place / block.file).write_text(block.body)
    return wrong


def run_step(step, place, env, wrong):
    """Run one command, note what is wrong, and return the folder that the next one runs in."""
    if step.command.startswith("cd "):
        place = place / step.command[3:]
        if not place.is_dir():
            wrong.append(f"$ {step.command}: no such folder")
        return place
    done = subprocess.run(
        ["bash", "-c", step.command], cwd=place, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )  # fmt: skip
    if done.returncode != step.code:
        wrong.append(f"$ {step.command}: exit {done.returncode}\n{done.stdout}")
    elif not re.fullmatch(pattern_for(step.shown), comparable(done.stdout.splitlines())):
        wrong.append(f"$ {step.command}: wrote\n{done.stdout}")
    return place


def comparable(lines):
    """Return lines without what differs from run to run, and without the widths of columns."""
    text = "".join(f"{line.rstrip()}\n" for line in lines).rstrip("\n") + "\n"
    text = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+Z", "TIME", text)
    text = re.sub(r"\b\d+\.\d+s\b", "SECONDS", text)
    return re.sub("-{3,}", "--", re.sub("[ \t]+", " ", text))


def pattern_for(lines):
    pattern = ""
    for line in comparable(lines).splitlines():
        pattern += r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
    return pattern


# links


def anchors_of(text):
    """Return the anchors that GitHub gives to headings."""
    outside = FENCE.sub("", text)
    headings = re.findall(r"^#+ +(.+)$", outside, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", h)).strip().lower().replace(" ", "-")
        for h in headings
    }


def broken_links(page):
    text = FENCE.sub("", page.read_text())
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+://", target):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in anchors_of(path.read_text())):
            broken.append(target)
    return broken


# commands and options


def command_lines(text):
    """Return everything on a page that looks like a call of torc."""
    for block in blocks_of(text):
        if block.kind == "console":
            yield from (step.command for step in steps_of(block.body))
        elif block.kind in ("sh", "bash", ""):
            yield from block.body.splitlines()
    outside = FENCE.sub("", text)
    yield from re.findall(r"`([^`\n]+)`", outside)
    yield from re.findall(r"^    (torc .*)$", outside, re.MULTILINE)


def unknown_words(text):
    """Return the commands and options on a page that the program does not have."""
    unknown = []
    for line in command_lines(text):
        line = re.sub(r"'[^']*'|\"[^\"]*\"", "TEXT", line)
        for call in re.findall(r"(?:^|[;|&(]\s*|\$ )(torc(?: [^;|&)#\n]*)?)", line):
            unknown.extend(f"{call}: {word}" for word in unknown_in(call.split()[1:]))
        if re.fullmatch(r"--[a-z][a-z-]+", line) and line not in all_options():
            unknown.append(line)
    return unknown


def unknown_in(words):
    context = click.Context(torc, info_name="torc", obj=App())
    command = torc
    takes_value = False
    for word in words:
        options = options_of(command, context)
        if takes_value:
            takes_value = False
        elif word == "--":
            return
        elif word.startswith("-") and word != "-":
            name = word.split("=")[0]
            if name not in options:
                yield word
            else:
                takes_value = "=" not in word and not options[name].is_flag
        elif isinstance(command, click.Group) and re.fullmatch("[a-z-]+", word):
            found = None if word in OTHERS else command.get_command(context, word)
            if found is None:
                if word not in OTHERS:
                    yield word
                return
            command = found.load() if isinstance(found, LazyCommand) else found


def options_of(command, context):
    options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    return {name: option for option in options for name in (*option.opts, *option.secondary_opts)}


def all_options():
    def walk(command, context):
        command = command.load() if isinstance(command, LazyCommand) else command
        yield from options_of(command, context)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                yield from walk(command.get_command(context, name), context)

    if not hasattr(all_options, "found"):
        all_options.found = set(walk(torc, click.Context(torc, info_name="torc", obj=App())))
    return all_options.found


# specs


def bad_specs(text, folder):
    """Return the names of the specs on a page that have problems; those called broken are meant to."""
    written = [block for block in blocks_of(text) if block.file]
    for block in written:
        (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / block.file).write_text(block.body)
    specs = [b.file for b in written if b.kind in SPECS and "command" in b.body and not b.file.startswith("broken")]
    program = Path(sys.executable).with_name("torc")
    check = [program, "spec", "check"]
    return [name for name in specs if subprocess.run([*check, name], cwd=folder, capture_output=True).returncode]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestPage:
    def test_the_transcripts_are_true(self, page, tmp_path):
        assert wrong_transcripts(page.read_text(), tmp_path) == []

    def test_the_links_lead_somewhere(self, page):
        assert broken_links(page) == []

    def test_every_command_and_option_exists(self, page):
        assert unknown_words(page.read_text()) == []

    def test_the_specs_are_valid(self, page, tmp_path):
        assert bad_specs(page.read_text(), tmp_path) == []

    def test_the_generated_blocks_are_fresh(self, page):
        assert page.read_text() == generate.refreshed(page.read_text()), "run python -m docs.generate"


def test_the_picture_is_what_the_program_draws(tmp_path):
    generate.draw(tmp_path / "gantt.svg")
    assert (tmp_path / "gantt.svg").read_text() == generate.PICTURE.read_text(), "run python -m docs.generate"


def test_every_section_of_a_spec_is_on_the_page_about_specs():
    text = (ROOT / "docs" / "specs.md").read_text()
    assert set(re.findall(r"<!-- generated: fields (\w+) -->", text)) == {
        *generate.SECTIONS,
        "WorkflowSpec",
        "ExpandedSpec",
    }


def test_the_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text()
    assert [page.name for page in PAGES if page.parent.name == "docs" and f"]({page.name})" not in index] == [
        "README.md"
    ]


# the checks themselves


@pytest.mark.parametrize(
    "transcript",
    [
        "$ echo 12\n13\n",
        "$ echo 12\n",
        "$ echo 12\n12\n13\n",
        "$ true\n12\n",
        "$ false\n",
        "$ true  # exit 1\n",
        "$ printf 'a\\nb\\n'\n...\na\n",
        "$ cd nowhere\n",
        "$ torc --version\ntorc 999\n",
        "$ cat a.txt\none\n",
    ],
)
def test_a_transcript_that_is_not_true_is_found(transcript, tmp_path):
    page = f"`a.txt`:\n\n```\ntwo\n```\n\n```console\n{transcript}```\n"
    assert len(wrong_transcripts(page, tmp_path)) == 1


def test_a_transcript_may_leave_out_what_varies(tmp_path):
    page = """
`a.txt`:

```
one
```

```console
$ mkdir b && mv a.txt b
$ cd b
$ cat a.txt; echo took 3.25s at 2026-01-01T00:00:00.123Z; seq 5; echo pid 17 ended
one
took 0.1s at 2030-12-31T12:00:00Z
1
...
5
pid ... ended
$ echo two \\
> lines; exit 3  # exit 3
two lines
```
"""
    assert wrong_transcripts(page, tmp_path) == []


@pytest.mark.parametrize(
    "link", ["[a](nothing.md)", "[a](#nowhere)", "[a](page.md#nowhere)", "![a](images/nothing.svg)"]
)
def test_a_broken_link_is_found(link, tmp_path):
    (tmp_path / "page.md").write_text(f"# Here\n\n[fine](#here) [too](page.md#here) {link}\n")
    assert len(broken_links(tmp_path / "page.md")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Use `torc frobnicate`.",
        "Use `torc run --frobnicate spec.yaml`.",
        "Use `torc jobs frobnicate`.",
        "Use `--frobnicate`.",
        "```sh\ncd x && torc jobs list --frobnicate 3\n```",
        "```console\n$ torc wait 3 --frobnicate\n```",
        "    torc status --frobnicate\n",
    ],
)
def test_a_command_or_option_that_does_not_exist_is_found(text):
    assert len(unknown_words(text)) == 1
    assert unknown_words("`torc -f json jobs list 3 --status ready`, `--resume`, `torc spec check -`") == []


def test_a_spec_with_a_problem_is_found(tmp_path):
    good = "`good.yaml`:\n\n```yaml\nname: a\njobs:\n  - {name: b, command: c}\n```\n"
    assert bad_specs(good, tmp_path) == []
    assert bad_specs(good.replace("good", "bad").replace("command: c", "command: c, depends_on: [d]"), tmp_path) == [
        "bad.yaml"
    ]


def test_a_changed_line_of_the_help_is_noticed(monkeypatch):
    page = (ROOT / "docs" / "commands.md").read_text()
    for heading, name in (("Workflows", "run"), ("The program", "config")):
        with monkeypatch.context() as changed:
            changed.setitem(generate.COMMANDS[heading], name, ("system:ping", "Something else."))
            assert "Something else." in generate.refreshed(page)
    assert "| [`torc server`](#torc-server) | Run a server for many people and machines. |" in page


def test_a_stale_block_is_found_and_an_unknown_one_refused():
    stale = "<!-- generated: fields StdioSpec -->\n| Field |\n<!-- end -->\n"
    fresh = generate.refreshed(stale)
    assert fresh != stale
    assert "`delete_on_success`" in fresh
    assert generate.refreshed(fresh) == fresh
    for name in ("nothing", "fields Nothing", "fields", "commands JobSpec"):
        with pytest.raises(generate.UnknownBlock):
            generate.refreshed(f"<!-- generated: {name} -->\n<!-- end -->\n")
