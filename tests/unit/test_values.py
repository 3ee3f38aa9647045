"""Declared values: reading with every problem at once, defaults, unknown fields, changes."""

import enum
from typing import Any

import pytest

from torc_core.contracts.formats import Plain
from torc_core.errors import Invalid
from torc_core.records.values import Json, Value, at_least, field, typed


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


class Wheel(Value, closed=True):
    size: int = field("inches", check=at_least(1))
    colour: Colour = Colour.RED


class Bicycle(Value, closed=True, wire="BicycleModel"):
    name: str = field()
    speed: float | None = None
    bell: bool = False
    wheels: list[Wheel] | None = None
    tags: dict[str, str] | None = None
    extra: Json = None
    secret: str = field(default="s", internal=True)
    note: str | None = field(default=None, cleared_by_null=True)


def found(data: Any, kind: type[Value] = Bicycle) -> list[tuple[str, tuple]]:
    problems: list[Any] = []
    kind.read_at(data, None, problems)
    return [(p.code, p.path) for p in problems]


def test_fields_that_are_not_given_have_their_default():
    made = Bicycle.read({"name": "b"})
    assert (made.name, made.speed, made.bell, made.wheels, made.extra) == ("b", None, False, None, None)


def test_nested_values_lists_and_enumerations_are_read():
    made = Bicycle.read({"name": "b", "wheels": [{"size": 26, "colour": "green"}, {"size": 28}], "tags": {"a": "b"}})
    assert made.wheels == [Wheel(size=26, colour=Colour.GREEN), Wheel(size=28)]
    assert made.tags == {"a": "b"}


def test_every_problem_is_found_at_once_with_its_path():
    data = {
        "speed": "fast",
        "bell": 1,
        "wheels": [{"size": 0}, {"size": 1, "colour": "gren"}, {}, 7],
        "tags": {"a": 1},
        "bel": True,
    }
    assert found(data) == [
        ("missing", ("name",)),
        ("type", ("speed",)),
        ("type", ("bell",)),
        ("value", ("wheels", 0, "size")),
        ("choice", ("wheels", 1, "colour")),
        ("missing", ("wheels", 2, "size")),
        ("type", ("wheels", 3)),
        ("type", ("tags", "a")),
        ("unknown-field", ("bel",)),
    ]


def test_problems_carry_the_text_as_written_and_a_suggestion():
    problems: list[Any] = []
    Bicycle.read_at({"name": "b", "bel": True, "wheels": [{"size": 1, "colour": "gren"}]}, None, problems)
    by_code = {p.code: p for p in problems}
    assert by_code["unknown-field"].hint == 'Did you mean "bell"?'
    assert by_code["choice"].hint == 'Did you mean "green"?'
    assert by_code["choice"].found == "gren"


def test_reading_raises_one_error_that_names_all():
    with pytest.raises(Invalid, match=r"BicycleModel: name: .*required.*speed: expected a number") as caught:
        Bicycle.read({"speed": "x"})
    assert caught.value.details["field"] == "name"


@pytest.mark.parametrize(
    ("field_name", "value", "ok"),
    [
        ("speed", 1, True), ("speed", 1.5, True), ("speed", True, False), ("bell", "true", False), ("bell", 0, False),
        ("name", 7, False), ("tags", [], False), ("wheels", {}, False), ("extra", {"any": [1]}, True),
    ],
)  # fmt: skip
def test_types_are_not_coerced(field_name, value, ok):
    assert (found({"name": "b", field_name: value}) == []) is ok


def test_booleans_are_no_numbers_and_numbers_fit_64_bits():
    assert found({"size": True}, Wheel) == [("type", ("size",))]
    assert found({"size": 2.0}, Wheel) == [("type", ("size",))]
    assert found({"size": 2**63}, Wheel) == [("range", ("size",))]
    assert found({"size": 2**63 - 1}, Wheel) == []


def test_null_is_the_same_as_absent():
    assert Bicycle.read({"name": "b", "bell": None, "speed": Plain("~", None)}) == Bicycle.read({"name": "b"})
    assert found({"name": None}) == [("missing", ("name",))]


def test_unquoted_scalars_are_text_where_text_is_wanted_and_values_elsewhere():
    made = Bicycle.read(
        {
            "name": Plain("0.10", 0.1),
            "speed": Plain("1e3", 1000.0),
            "bell": Plain("true", True),
            "wheels": [{"size": Plain("26", 26)}],
            "extra": [Plain("1.0", 1.0), {"k": Plain("null", None)}],
        }
    )
    assert (made.name, made.speed, made.bell, made.wheels[0].size, made.extra) == (
        "0.10",
        1000.0,
        True,
        26,
        [1.0, {"k": None}],
    )
    assert type(made.name) is str
    assert found({"name": "b", "bell": Plain("1", 1)}) == [("type", ("bell",))]


def test_typed_replaces_unquoted_scalars_deep_inside():
    assert typed({"a": [Plain("1", 1), "1"], "b": Plain("x", True)}) == {"a": [1, "1"], "b": True}


def test_internal_fields_are_neither_read_nor_written():
    assert found({"name": "b", "secret": "x"}) == []
    made = Bicycle(name="b", secret="x")
    assert "secret" not in made.wire()


def test_changes_hold_only_what_is_given_and_null_where_that_clears():
    assert Bicycle.read_changes({"bell": True, "speed": None, "note": None}) == {"bell": True, "note": None}
    with pytest.raises(Invalid):
        Bicycle.read_changes({"bell": "x"})


def test_making_one_by_hand_checks_the_names():
    with pytest.raises(TypeError, match="unknown"):
        Bicycle(name="b", colour="red")
    with pytest.raises(TypeError, match="missing"):
        Bicycle(bell=True)


def test_values_compare_by_kind_and_fields_and_changed_makes_a_copy():
    first = Bicycle.read({"name": "b"})
    second = first.changed(bell=True)
    assert (first.bell, second.bell) == (False, True)
    assert first != second
    assert second.changed(bell=False) == first
    assert Wheel(size=1) != first


def test_what_is_no_mapping_is_one_problem():
    for data in ([], "x", 7, None):
        assert found(data) == [("type", ())]


def test_open_values_ignore_what_they_do_not_know():
    class Open(Value):
        a: int = 1

    assert found({"a": 2, "b": 3}, Open) == []


def test_derived_values_have_the_fields_of_their_base_first():
    class Tandem(Bicycle):
        seats: int = 2

    assert list(Tandem.FIELDS)[-1] == "seats"
    assert found({"name": "t", "sets": 3}, Tandem) == [("unknown-field", ("sets",))]
