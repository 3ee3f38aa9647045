"""The text of a systemd unit that runs a server with few rights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

STATE = "/var/lib/torc"
"""The folder that systemd makes for the server."""
ENVIRONMENT = "/etc/torc/environment"
_HOMES = ("/home", "/root", "/run/user")
_PLAIN = re.compile(r"[\w@%+=:,./$-]+", re.ASCII)


class Unit(NamedTuple):
    """What a unit depends on."""

    program: Sequence[str]
    options: Sequence[Sequence[str]]
    """Of ``torc server run``: each with its value, if it has one."""
    user: str
    reads: Sequence[str] = ()
    """Paths that options name."""
    writes: Sequence[str] = ()
    """Folders outside of ``STATE`` that the server writes to."""
    port: int = 8080
    reloads: bool = False
    """Whether there are users to read again."""


def text_of(unit: Unit) -> str:
    """Return the text; none of its lines has a secret."""
    binds = "CAP_NET_BIND_SERVICE" if 0 < unit.port < 1024 else ""
    in_home = any(_is_below(path, home) for path in (*unit.program, *unit.reads, *unit.writes) for home in _HOMES)
    command = [" ".join(map(_quoted, (*unit.program, "server", "run")))]
    command += [" ".join(map(_quoted, words)) for words in unit.options]
    lines = [
        "[Unit]",
        "Description=Torc server",
        "Wants=network-online.target",
        "After=network-online.target postgresql.service",
        "",
        "[Service]",
        "Type=notify",
        f"User={unit.user}",
        "# For secrets, with mode 0600: DATABASE_URL of a database with a password.",
        f"EnvironmentFile=-{ENVIRONMENT}",
        "ExecStart=" + " \\\n    ".join(command),
        *(["ExecReload=/bin/kill -HUP $MAINPID"] if unit.reloads else []),
        "Restart=on-failure",
        "RestartSec=2",
        "TimeoutStopSec=60",
        "LimitNOFILE=65536",
        "",
        "StateDirectory=torc",
        f"WorkingDirectory={STATE}",
        *(f"ReadWritePaths={_quoted(path)}" for path in unit.writes),
        "UMask=0077",
        "",
        *_HARDENING,
        f"ProtectHome={'read-only' if in_home else 'yes'}",
        f"CapabilityBoundingSet={binds}",
        *([f"AmbientCapabilities={binds}"] if binds else []),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


_HARDENING = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
)


def is_in_state(path: str) -> bool:
    """Whether systemd sees to it that the server may write there."""
    return _is_below(path, STATE)


def _is_below(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def _quoted(word: str) -> str:
    """Return a word as it has to stand in a unit, where ``%`` and ``$`` mean something."""
    word = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
