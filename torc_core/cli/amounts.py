"""Numbers of the command line that must be usable amounts: neither infinite, nor no number, nor absurdly large."""

from __future__ import annotations

from typing import Any

import click

LARGEST = 1e9
"""More than thirty years of seconds, or an exbibyte of gibibytes."""


class Amount(click.FloatRange):
    """A number in a range, of at most a billion."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number that a text stands for."""
        number = super().convert(value, param, ctx)
        if not abs(number) <= LARGEST:  # not a number is not
            self.fail(f"{value} is no usable amount; at most {LARGEST:,.0f}.", param, ctx)
        return number
