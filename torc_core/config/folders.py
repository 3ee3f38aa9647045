"""Whether the folders that the configuration names are there: looked at when somebody asks, not with every command."""

from __future__ import annotations

import os
from pathlib import Path

from torc_core.config.layers import Config
from torc_core.config.options import FOLDER, OPTIONS
from torc_core.config.places import locate
from torc_core.problems import Problem


def folder_problems(config: Config) -> list[Problem]:
    """Return a problem, with its place, for each folder that cannot be read."""
    problems = []
    for option in OPTIONS.values():
        folder = config[option.key]
        if option.kind != FOLDER or folder is None:
            continue
        try:
            os.scandir(folder).close()
        except OSError as exc:
            problems.append(_placed(config, option.key, f"{option.key}: cannot read {folder}: {exc.strerror or exc}"))
    return problems


def _placed(config: Config, key: str, message: str) -> Problem:
    source = config.sources[key]
    line, column = 0, 0
    if source in config.read:
        line, column = locate(Path(source).read_text(encoding="utf-8"), tuple(key.split(".")))
    hint = "Correct the path, make the folder, or remove the setting"
    return Problem("config-folder", message, hint=hint, file=source, line=line, column=column)
