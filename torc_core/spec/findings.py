"""Where the steps of reading a spec put what they find, so that everything is told at once."""

from __future__ import annotations

from torc_core.problems import ERROR, NOTE, WARNING, Path, Problem


class BadText(ValueError):
    """A text that cannot be understood; the caller knows where it stands and turns it into a problem."""

    def __init__(self, message: str, *, hint: str = "", code: str = "param-value") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class Findings:
    """A growing list of problems. ``code`` is a key of ``codes.CODES``."""

    __slots__ = ("problems",)

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def error(self, code: str, message: str, path: Path, *, hint: str = "", found: str = "") -> None:
        """Note something that prevents a plan."""
        self.problems.append(Problem(code, message, path, ERROR, hint, found))

    def warning(self, code: str, message: str, path: Path, *, hint: str = "", found: str = "") -> None:
        """Note something that works, but probably not as meant."""
        self.problems.append(Problem(code, message, path, WARNING, hint, found))

    def note(self, code: str, message: str, path: Path, *, hint: str = "", found: str = "") -> None:
        """Note something worth knowing."""
        self.problems.append(Problem(code, message, path, NOTE, hint, found))

    def bad_text(self, exc: BadText, what: str, path: Path, found: str = "") -> None:
        """Note a text that could not be understood."""
        self.error(exc.code, f"{what}: {exc}", path, hint=exc.hint, found=found)

    @property
    def has_errors(self) -> bool:
        """Whether anything found so far prevents a plan."""
        return any(p.severity == ERROR for p in self.problems)


def quoted(names: list[str], most: int = 5) -> str:
    """Write names for a message, the first few and the number of the others: ``"a", "b" and 3 more``."""
    text = ", ".join(f'"{name}"' for name in names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text
