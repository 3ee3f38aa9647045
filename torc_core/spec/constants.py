"""Constants of a spec (``variables``): replaced in every text before anything is typed.

Keys, ``use_parameters`` and the constants themselves are left alone, as is ``${...}``. A spec with constants may not
hold any ``{identifier}`` that is neither constant nor parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torc_core.contracts.formats import Plain
from torc_core.problems import Path, did_you_mean
from torc_core.spec.findings import BadText, Findings
from torc_core.spec.tables import Table
from torc_core.spec.template import IDENTIFIER, IDENTIFIER_HINT, TOKEN

_SECTIONS = ("jobs", "files", "user_data")


def apply_constants(data: Any, tables: Callable[[str], Table], findings: Findings) -> tuple[Any, frozenset[str] | None]:
    """Return ``data`` with the constants put in, and the tokens that may be left; None when any may be.

    ``tables`` reads a parameter table; it raises BadText.
    """
    given = data.get("variables") if isinstance(data, dict) else None
    if not isinstance(given, dict) or not given:
        return data, None
    constants = _checked(given, findings)
    replaced = {
        key: value if key == "variables" else _replaced(value, constants, ("use_parameters",), key)
        for key, value in data.items()
    }
    parameters = _parameter_names(replaced, tables)
    for name in given:
        if name in parameters:
            what = f'variable "{name}" is also a parameter or a column of a table'
            findings.error("variable", what, ("variables", name), hint="Rename one of them.", found=name)
    known = frozenset(parameters.union(given))
    for key, value in replaced.items():
        if key != "variables":
            _check_tokens(value, (key,), known, findings)
    return replaced, known


def _checked(given: dict[str, Any], findings: Findings) -> dict[str, str]:
    constants = {}
    for name, value in given.items():
        path: Path = ("variables", name)
        if not IDENTIFIER.fullmatch(name):
            what = f'"{name}" cannot be the name of a variable'
            findings.error("variable", what, path, hint=IDENTIFIER_HINT, found=name)
        elif not isinstance(value, str):
            continue  # the reader of the section says what is wrong with it
        elif token := TOKEN.search(value):
            what = f'variable "{name}" has the token {token[0]} in its value; variables do not build on each other'
            findings.error("variable", what, path, found=token[0])
        else:
            constants[name] = str(value)
    return constants


def _replaced(value: Any, constants: dict[str, str], kept: tuple[str, ...], key: str = "") -> Any:
    if key in kept:
        return value
    kind = type(value)
    if kind is str:
        return TOKEN.sub(lambda t: constants.get(t[1], t[0]), value) if "{" in value else value
    if kind is dict:
        return {name: _replaced(member, constants, kept, name) for name, member in value.items()}
    if kind is list:
        return [_replaced(item, constants, kept) for item in value]
    return value


def _parameter_names(data: dict[str, Any], tables: Callable[[str], Table]) -> set[str]:
    """Return all names of parameters and columns; tables that cannot be read are told elsewhere."""
    names: set[str] = set()
    items = [item for section in _SECTIONS for item in _listed(data.get(section))]
    for item in [data, *items]:
        if isinstance(item, dict):
            if isinstance(item.get("parameters"), dict):
                names.update(item["parameters"])
            table = item.get("parameters_file")
            if isinstance(table, str) and type(table) is not Plain:
                try:
                    names.update(tables(table).columns)
                except BadText:
                    continue
    return names


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_tokens(value: Any, path: Path, known: frozenset[str], findings: Findings) -> None:
    kind = type(value)
    if kind is str:
        for token in TOKEN.finditer(value) if "{" in value else ():
            if token[1] not in known:
                what = f"{token[0]} is neither a variable nor a parameter of this spec: {_shortened(value)}"
                findings.error("token-unknown", what, path, hint=did_you_mean(token[1], known), found=token[0])
    elif kind is dict:
        for name, member in value.items():
            _check_tokens(member, (*path, name), known, findings)
    elif kind is list:
        for i, item in enumerate(value):
            _check_tokens(item, (*path, i), known, findings)


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
