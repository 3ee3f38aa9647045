"""What a plugin offers: a name, and where the code is that answers to it. Nothing is imported until it is used."""

from __future__ import annotations

from typing import Any, NamedTuple

from torc_core.errors import PluginError


class Provider(NamedTuple):
    """One executor, spec format, storage or command of a plugin.

    ``target`` is ``"package.module:Attribute"``. ``suffixes`` are the file name endings of a spec format, in lower case
    with the dot, so that choosing a format by file name imports the chosen one only. ``summary`` is shown in lists.
    """

    name: str
    target: str
    summary: str = ""
    suffixes: tuple[str, ...] = ()

    def load(self, plugin: str) -> Any:
        """Import the target; ``plugin`` names the plugin in the PluginError that every failure becomes."""
        try:
            return load_target(self.target)
        except (Exception, SystemExit) as exc:  # whatever a third party's module does while it is imported
            raise PluginError(
                f'{plugin} cannot load "{self.name}" from {self.target}: {told(exc)}',
                hint='See "torc plugins check"',
            ) from exc


def load_target(target: str) -> Any:
    """Return what ``"package.module:attribute.attribute"`` names, or the module when there is no colon."""
    from importlib import import_module

    module, _, attributes = target.partition(":")
    found: Any = import_module(module.strip())
    for name in attributes.strip().split(".") if attributes.strip() else ():
        found = getattr(found, name)
    return found


def told(exc: BaseException) -> str:
    """Return an exception on one line, with the line of a plugin's source that raised it."""
    text = " ".join(f"{type(exc).__name__}: {exc}".split()).removesuffix(":")
    place, frame = "", exc.__traceback__
    core = __file__.removesuffix("contracts/provider.py")
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if not file.startswith(("<", core)) and not file.endswith("importlib/__init__.py"):
            place = f" ({file.rpartition('/')[2]}:{frame.tb_lineno})"
        frame = frame.tb_next
    return text + place
