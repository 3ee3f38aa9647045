"""What a spec format does: turn text into plain data whose every value can be found again, and data into text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from torc_core.errors import PluginError
from torc_core.problems import Locate, Problem


class Plain(str):
    """An unquoted scalar that its format would read as a number, a boolean or null.

    It is the text exactly as written (``0.10``, ``1e3``, ``~``), so that a field that wants text gets that text;
    ``value`` is what the format's own rules make of it, for fields that want something else. Formats whose scalars have
    one type only (JSON) never make it.
    """

    __slots__ = ("value",)
    value: int | float | bool | None

    def __new__(cls, text: str, value: float | bool | None) -> Plain:
        """Keep ``text`` and what it reads as."""
        made = super().__new__(cls, text)
        made.value = value
        return made


class ParsedSpec(NamedTuple):
    """A document as dictionaries, lists and scalars, with the place of every value."""

    data: Any
    locate: Locate


class FormatError(Exception):
    """Text that is not a document of the format: one problem with line and column, ``file`` left empty."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class SpecFormat(ABC):
    """One way to write specs. Formats know nothing of files: text in, text out."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    """File name endings in lower case, with the dot."""
    codes: ClassVar[Mapping[str, str]] = {}
    """Codes of problems that texts in this format can have besides ``spec.codes.TEXT_CODES``, with what they mean."""

    @abstractmethod
    def loads(self, text: str) -> ParsedSpec:
        """Read a document; raises FormatError with line and column, also for repeated keys.

        Never raises anything else, however odd the text: nesting deeper than 200 is a FormatError too.
        """

    @abstractmethod
    def dumps(self, data: Any) -> str:
        """Write plain data (no Plain scalars) so that ``loads`` gives the same data again."""

    def read(self, text: str) -> ParsedSpec:
        """Call ``loads`` for torc: raises FormatError, and PluginError when the answer is none."""
        parsed = self.loads(text)
        if not isinstance(parsed, ParsedSpec):
            raise PluginError(
                f'spec format "{self.name}": loads returned a {type(parsed).__name__}, expected a ParsedSpec'
            )
        return parsed

    def write(self, data: Any) -> str:
        """Call ``dumps`` for torc: raises what that does, and PluginError when the answer is no text."""
        text = self.dumps(data)
        if not isinstance(text, str):
            raise PluginError(f'spec format "{self.name}": dumps returned a {type(text).__name__}, expected a str')
        return text
