"""Rewrites the generated blocks of the documentation, and its picture: ``python -m docs.generate``.

A block stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. What it says comes from the program itself, so
that pages and program cannot drift apart.
"""

from __future__ import annotations

import enum
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import click

from torc_core.cli.app import App
from torc_core.cli.groups import GLOBAL_NAMES
from torc_core.cli.main import COMMANDS, torc
from torc_core.cli.plugin_commands import plugin_command_lines
from torc_core.config.options import OPTIONS, expected
from torc_core.plugins import PluginHost
from torc_core.records.values import REQUIRED, Field, Value
from torc_core.service.api import OPERATIONS
from torc_core.service.rights import Right, rule_of
from torc_core.spec import model
from torc_core.spec.codes import CODES, TEXT_CODES

PAGES = Path(__file__).parent
PICTURE = PAGES / "images" / "gantt.svg"
EXAMPLES = PAGES.parent / "examples"
BLOCK = re.compile(r"(<!-- generated: (?P<name>[a-z-]+)(?: (?P<of>\w+))? -->\n).*?(<!-- end -->)", re.DOTALL)
SECTIONS = {
    "JobSpec": "jobs", "FileSpec": "files", "UserDataSpec": "user_data", "StdioSpec": "stdio",
    "ResourceRequirementsSpec": "resource_requirements", "FailureHandlerSpec": "failure_handlers",
    "FailureRuleSpec": "rules", "SlurmSchedulerSpec": "slurm_schedulers", "ActionSpec": "actions",
    "ResourceMonitorSpec": "resource_monitor", "JobMonitorSpec": "resource_monitorjobs",
    "NodeMonitorSpec": "resource_monitorcompute_node", "ExecutionConfigSpec": "execution_config",
    "DynamicJobsSpec": "dynamic_jobs",
}  # fmt: skip
"""Sections of a spec, and the anchors of their headings in specs.md."""
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


class UnknownBlock(ValueError):
    """A page asks for a block that nobody writes."""


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table; cells are on one line, and bars in them do not end them."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def code(text: str) -> str:
    """Return ``text`` in code type, nothing for no text."""
    return f"`{text}`" if text else ""


# fields of specs


def spec_fields(of: str) -> str:
    """Return the fields of one section; those that it shares with other sections stand in ``ExpandedSpec``."""
    section = getattr(model, of, None)
    if not (isinstance(section, type) and issubclass(section, Value)):
        raise UnknownBlock(f"torc_core.spec.model has no section {of}")
    shared = model.ExpandedSpec.FIELDS if section is not model.ExpandedSpec else {}
    own = [field for name, field in section.FIELDS.items() if name not in shared]
    has_templates = any(field.template for field in own)
    head = ("Field", "Value", "Default", "Meaning", *(["Takes `{parameters}`"] if has_templates else []))
    return table(head, [_field(field, has_templates) for field in own])


def _field(field: Field, has_templates: bool) -> tuple[str, ...]:
    default = "required" if field.default is REQUIRED else _default(field.default)
    row = (code(field.name), kind_of(field.type), default, field.doc)
    return (*row, "yes" if field.template else "") if has_templates else row


def _default(value: Any) -> str:
    if value is None:
        return ""
    return code(str(value).lower() if isinstance(value, bool) else str(value))


def kind_of(kind: Any) -> str:
    """Say in words what values a field takes."""
    if kind is Any:
        return "any"
    if get_origin(kind) is list:
        return f"list of {kind_of(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"mapping to {kind_of(get_args(kind)[1])}"
    if issubclass(kind, enum.Enum):
        return ", ".join(code(str(member.value)) for member in kind)
    if issubclass(kind, Value):
        return f"[mapping](#{SECTIONS[kind.__name__]})"
    return WORDS[kind]


# commands


def commands() -> str:
    """Return every command with its usage, its help and its options, headings and lines as in ``torc --help``."""
    app = App()
    context = click.Context(torc, info_name="torc", obj=app)
    parts = []
    for heading, names in COMMANDS.items():
        parts.append(f"## {heading}\n\n{_summaries([(name, line) for name, (_, line) in names.items()])}")
        for name in names:
            command = torc.get_command(context, name)
            if command is not None:
                parts.extend(_command(command, name, context))
    from torc_server.commands import server

    lines = [(name, line) for name, line in plugin_command_lines(app) if name == server.name]
    parts += ["## The server\n\n", _summaries(lines), *_command(server, "server", context)]
    return "\n" + "".join(parts).rstrip("\n") + "\n\n"


def _summaries(lines: Sequence[tuple[str, str]]) -> str:
    """Return names and lines as ``torc --help`` has them, which are declared apart from the help of each command."""
    return table(("Command", "Summary"), [(f"[`torc {name}`](#torc-{name})", line) for name, line in lines]) + "\n"


def _command(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield f"### `{context.command_path}`\n\n"
    yield f"{_prose(command.help)}\n\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"    {usage}\n\n"
    rows = list(_options(command, context, own=True))
    if rows:
        yield table(("Option", "Meaning"), rows) + "\n"
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            if found is not None and not found.hidden:
                yield from _command(found, sub, context)


def _options(command: click.Command, context: click.Context, *, own: bool) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        is_option = isinstance(parameter, click.Option) and parameter.name != "help"
        if record is not None and is_option and (parameter.name not in GLOBAL_NAMES) == own:
            yield code(record[0]), re.sub(r"\s+", " ", record[1])


def _prose(text: str | None) -> str:
    """Return the help of a command as Markdown; paragraphs that click keeps as they are become code."""
    paragraphs = []
    for paragraph in (text or "").split("\n\n"):
        if paragraph.startswith("\b"):
            paragraphs.append("\n".join(f"    {line}" for line in paragraph.splitlines()[1:]))
        else:
            paragraphs.append(" ".join(paragraph.split()).replace("``", "`"))
    return "\n\n".join(paragraphs)


def global_options() -> str:
    """Return the options that every command takes."""
    context = click.Context(torc, info_name="torc", obj=App())
    return table(("Option", "Meaning"), list(_options(torc, context, own=False)))


# configuration and problems


def options() -> str:
    """Return every option of the configuration."""
    head = ("Key", "Value", "Default", "Environment variable", "Meaning")
    rows = []
    for option in OPTIONS.values():
        default = "" if option.default is None else code(_toml(option.default))
        variable = option.env or f"TORC_{option.key.upper().replace('.', '__')}"
        rows.append((code(option.key), expected(option), default, code(variable), option.doc))
    return table(head, rows)


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def problems() -> str:
    """Return every code of a problem in a spec, whatever the format or in one of ours."""
    known = dict(TEXT_CODES)
    for spec_format in PluginHost(only=()).formats():
        known |= spec_format.codes
    return table(("Code", "Meaning"), [(code(name), meaning) for name, meaning in (known | CODES).items()])


def rights() -> str:
    """Return the operations by the right that each needs; what most of them need is said of all others."""
    rows: dict[Right, list[str]] = {right: [] for right in Right}
    for name, op in sorted(OPERATIONS.items()):
        rule = rule_of(op)
        assert rule is not None, name
        rows[rule.right].append(code(name))
    rows[Right.WORKFLOW] = ["all others"]
    return table(("For", "Operations"), [(right.value, ", ".join(names)) for right, names in rows.items()])


WRITERS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "global-options": global_options,
    "configuration": options,
    "problem-codes": problems,
    "rights": rights,
}


def refreshed(text: str) -> str:
    """Return a page with its blocks written anew; raises UnknownBlock."""

    def write(found: re.Match[str]) -> str:
        name, of = found["name"], found["of"]
        if name == "fields" and of:
            content = spec_fields(of)
        elif name in WRITERS and not of:
            content = WRITERS[name]()
        else:
            raise UnknownBlock(f"nobody writes {found[1].strip()}")
        return f"{found[1]}{content}{found[4]}"

    return BLOCK.sub(write, text)


def draw(path: Path) -> None:
    """Write the Gantt picture of an example to ``path``."""
    command = [
        sys.executable,
        "-m",
        "torc_core.cli",
        "run",
        "--dry-run",
        "--num-cpus",
        "4",
        "--memory-gb",
        "8",
        "--gantt",
        str(path.absolute()),
    ]
    subprocess.run([*command, "specs/json5/model_sweep.json5"], cwd=EXAMPLES, check=True, capture_output=True)


def main() -> None:
    """Rewrite all pages that are out of date, and the picture."""
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text()
        if refreshed(text) != text:
            page.write_text(refreshed(text))
            print(f"{page}: written anew")
    draw(PICTURE)


if __name__ == "__main__":
    main()
