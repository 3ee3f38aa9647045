"""Names of one kind, to be searched with patterns and for likely ones."""

from __future__ import annotations

from bisect import bisect_left

_LAST = "\U0010ffff"


class NameIndex:
    """Names to search with many patterns. What a pattern matches is found once."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._sorted: list[tuple[str, int]] | None = None
        self._found: dict[str, tuple[int, ...]] = {}

    def matching(self, pattern: str) -> tuple[int, ...]:
        """Return the positions of all names in which ``pattern`` is found, ascending; raises BadText."""
        found = self._found.get(pattern)
        if found is None:
            from torc_core.spec.patterns import compile_pattern  # only here: most specs have no patterns

            search = compile_pattern(pattern).search
            found = self._found[pattern] = tuple(sorted(i for name, i in self._candidates(pattern) if search(name)))
        return found

    def near(self, name: str, most: int = 500) -> list[str]:
        """Return names to look for a likely one: all, or of many those that sort near ``name``."""
        if len(self._names) <= most:
            return self._names
        place = bisect_left(self._in_order(), (name, -1))
        return [near for near, _ in self._in_order()[max(0, place - most // 2) : place + most // 2]]

    def _candidates(self, pattern: str) -> list[tuple[str, int]]:
        """Return at least all names that can match: those with the literal start of an anchored pattern."""
        from torc_core.spec.patterns import literal_start

        start = literal_start(pattern)
        if not start:
            return self._in_order()
        first = bisect_left(self._in_order(), (start, -1))
        last = bisect_left(self._in_order(), (start + _LAST, -1))
        return self._in_order()[first:last]

    def _in_order(self) -> list[tuple[str, int]]:
        if self._sorted is None:
            self._sorted = sorted(zip(self._names, range(len(self._names)), strict=True))
        return self._sorted
