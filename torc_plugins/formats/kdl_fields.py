"""How the fields of a spec look in KDL: one table, read in both directions.

Only what is not simply ``field value`` is in the table. A node that it does not know is kept under its own name as
plain data, so that whoever checks the spec can refuse it and say where it is.

Plain data: one argument is a scalar, several are a list, a block or properties are a mapping (an argument in front of a
block is its ``name``), a block of nodes called ``-`` is a list. The annotations ``(array)`` and ``(object)`` say which
of the two a node is when its look does not; each of them, and ``(value)``, also says that a node is plain data although
its name is in the table. Other annotations are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

LIST = "list"
"""All arguments of all nodes of this name: ``depends_on "a" "b"``."""
TEXT_JSON = "json"
"""Any value, written as JSON in one string: ``data #"{"k": [1, 2]}"#``."""
SECTION = "section"
"""A mapping: a block whose nodes are its fields."""
ITEM = "item"
"""One element of a list of mappings; its argument is its ``name``: ``job "train" { ... }``."""
ITEMS = "items"
"""All elements of such a list in one block, ``jobs { job "a" { ... }; }``; without a block the list is empty."""


class Field(NamedTuple):
    """What a node means: the shape of its value, the key it has in the data, and what its block may hold."""

    shape: str
    key: str
    fields: Mapping[str, Field] = {}
    always: tuple[str, ...] = ()
    """Lists that are empty, not absent, when no node adds to them."""


def _lists(**nodes: str) -> dict[str, Field]:
    """Return the fields of nodes that add to lists: node name to key."""
    return {node: Field(LIST, key) for node, key in nodes.items()}


def _section(key: str, **fields: Field) -> dict[str, Field]:
    return {key: Field(SECTION, key, fields)}


def _items(node: str, key: str, fields: Mapping[str, Field] = {}, always: tuple[str, ...] = ()) -> dict[str, Field]:
    item = Field(ITEM, key, fields, always)
    return {node: item} if node == key else {node: item, key: Field(ITEMS, key, {node: item})}


# Where two names have one key, the first is the one we write.
_PARAMETERS = {**_section("parameters"), **_lists(use_parameters="use_parameters")}
_JOB = {
    **_lists(
        depends_on="depends_on", depends_on_job="depends_on", depends_on_jobs="depends_on",
        depends_on_regexes="depends_on_regexes", depends_on_regex="depends_on_regexes",
        input_files="input_files", input_file="input_files",
        output_files="output_files", output_file="output_files",
        input_user_data="input_user_data", output_user_data="output_user_data",
        input_file_regexes="input_file_regexes", output_file_regexes="output_file_regexes",
        input_user_data_regexes="input_user_data_regexes", output_user_data_regexes="output_user_data_regexes",
        labels="labels",
    ),
    **_PARAMETERS,
    **_section("env"),
    **_section("stdio"),
}  # fmt: skip
_ACTION = _lists(
    jobs="jobs", job="jobs", job_name_regexes="job_name_regexes", commands="commands", command="commands"
)  # fmt: skip
_HANDLER = _items("rule", "rules", _lists(exit_codes="exit_codes"))

DOCUMENT = Field(
    SECTION,
    "",
    {
        **_items("job", "jobs", _JOB),
        **_items("file", "files", _PARAMETERS),
        **_items("user_data", "user_data", {"data": Field(TEXT_JSON, "data"), **_PARAMETERS}),
        **_items("resource_requirements", "resource_requirements"),
        **_items("failure_handler", "failure_handlers", _HANDLER, always=("rules",)),
        **_items("slurm_scheduler", "slurm_schedulers"),
        **_items("action", "actions", _ACTION),
        **_lists(access_groups="access_groups", access_group="access_groups"),
        **_section("parameters"),
        **_section("variables"),
        **_section("env"),
        **_section("slurm_defaults"),
        **_section("resource_monitor", jobs=Field(SECTION, "jobs"), compute_node=Field(SECTION, "compute_node")),
        **_section("execution_config", stdio=Field(SECTION, "stdio")),
        **_section("dynamic_jobs"),
    },
    always=("jobs",),
)
"""The table: what the nodes at the top of a document mean."""


def node_for(key: str, fields: Mapping[str, Field]) -> tuple[str, Field | None]:
    """Return the name of the node to write for a key, and its field if the table has one."""
    for name, field in fields.items():
        if field.key == key:
            return name, field
    return key, None
