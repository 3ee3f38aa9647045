"""How a job's command becomes an argument vector: run directly when bash would add nothing, else by bash.

And what is told when that cannot be started.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping

from torc_core.contracts.executor import LaunchRequest

_WORDS = re.compile(r"[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:@%+,=-]*(?:[ \t]+[A-Za-z0-9_./:@%+,=-]+)*")
"""Text in which bash sees plain words only: no quotes, variables, globs, redirections, comments or lists."""

_SHELL_ONLY = frozenset(
    """
    alias bg bind break builtin caller case cd command compgen complete compopt continue coproc declare dirs disown
    do done elif else enable esac eval exec exit export fc fg fi for function getopts hash help history if in jobs
    kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source
    suspend test then time times trap type typeset ulimit umask unalias unset until wait while . :
    """.split()  # noqa: SIM905  (readable)
)
"""Keywords and builtins of bash; those with a program of the same name may behave differently from it."""

_SAME_AS_PROGRAM = frozenset({"true", "false", "echo"})
"""Builtins that do what the program of the same name does, as long as no option is given."""

_STARTUP = ("BASH_ENV", "SHELLOPTS", "BASHOPTS")
"""Variables that make bash do something before or while it runs a command."""

DEFAULT_PATH = os.defpath

_found: dict[tuple[str, str], str] = {}


def find_program(name: str, path: str) -> str | None:
    """Return the file that ``name`` stands for in the search path, or None; a name with a slash is itself.

    What was found is remembered; what was not is looked for again, since a job may have made it meanwhile.
    """
    known = _found.get((name, path))
    if known is not None:
        return known
    if "/" in name:
        return name if os.access(name, os.X_OK) else None
    for directory in path.split(os.pathsep):
        candidate = os.path.join(directory or ".", name)  # noqa: PTH118  (of every job)
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):  # noqa: PTH112
            if candidate.startswith("/"):
                _found[name, path] = candidate
            return candidate
    return None


def simple_words(command: str, env: Mapping[str, str]) -> list[str] | None:
    """Return the words of a command that needs no shell, or None when bash has to read it."""
    if _WORDS.fullmatch(command) is None:
        return None
    words = command.split()
    program = words[0]
    if "=" in program or program in _SHELL_ONLY:
        return None
    if program in _SAME_AS_PROGRAM and any(word.startswith("-") for word in words[1:]):
        return None
    if f"BASH_FUNC_{program}%%" in env or any(name in env for name in _STARTUP):
        return None
    return words


def direct_argv(command: str, env: Mapping[str, str]) -> tuple[str, list[str]] | None:
    """Return program file and arguments when the command can be run without a shell and its program is there."""
    words = simple_words(command, env)
    if words is None:
        return None
    program = find_program(words[0], env.get("PATH", DEFAULT_PATH))
    return None if program is None else (program, words)


def bash_argv(command: str, env: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return program file and arguments that have bash run the command."""
    return find_program("bash", env.get("PATH", DEFAULT_PATH)) or "/bin/bash", ["bash", "-c", command]


def in_group(door: str, command: tuple[str, list[str]], env: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return program file and arguments that move into a control group and then run ``command``, in one process.

    Whoever starts a process could move it only after it has begun, when it may have children elsewhere.
    """
    program, argv = command
    first = argv[0] if find_program(argv[0], env.get("PATH", DEFAULT_PATH)) == program else program
    return "/bin/sh", ["sh", "-c", '{ echo 0 > "$0"; } 2>/dev/null; exec "$@"', door, first, *argv[1:]]


def has_interpreter(program: str) -> bool:
    """Say whether a file can be run by itself; what has no interpreter line is left to bash."""
    try:
        with open(program, "rb") as file:
            return file.read(4).startswith((b"\x7fELF", b"#!"))
    except OSError:
        return False


def in_directory(directory: str, argv: list[str], env: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return program file and arguments that run ``argv`` in ``directory``."""
    bash, _ = bash_argv("", env)
    return bash, ["bash", "-c", 'cd -- "$0" && exec "$@"', directory, *argv]


def explain(exc: OSError | ValueError, request: LaunchRequest) -> str:
    """Say what is wrong; the error of posix_spawn names the program even when a log file was the trouble."""
    if isinstance(exc, OSError) and exc.errno == errno.E2BIG:
        size = len(os.fsencode(request.command))
        return f"the command ({size:,} bytes) or a variable is longer than the system takes; put it into a file"
    for path in (request.stdout, request.stderr):
        folder = os.path.dirname(path or "") or "."  # noqa: PTH120
        if path is not None and not os.access(folder, os.W_OK):
            return f"log file {path!r} cannot be written"
    return exc.strerror or str(exc) if isinstance(exc, OSError) else str(exc)
