"""Random documents for the tests of the formats."""

from hypothesis import strategies as st

from torc_plugins.formats.kdl_fields import DOCUMENT

TEXT = st.one_of(
    st.text(max_size=12),
    st.text(alphabet=" \n\t\"'\\:#-{}[],&*!|>%@`~=?.ar1", max_size=10),
    st.sampled_from(["", "null", "true", "no", "1", "0x1F", "1e3", ".5", "~", "<<", "- a", "a: b", "a #b", "x" * 1200]),
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), FINITE, TEXT)
KEYS = st.one_of(TEXT, st.sampled_from(["name", "-", "data", "command", "jobs"]))


def _boxes(inner):
    return st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)


JSON_VALUES = st.recursive(SCALARS, _boxes, max_leaves=15)
KDL_NAMES = st.sampled_from(
    sorted({*DOCUMENT.fields, *DOCUMENT.fields["job"].fields, *DOCUMENT.fields["action"].fields})
)
MAPPINGS = st.dictionaries(st.one_of(KEYS, KDL_NAMES), JSON_VALUES, max_size=5)
"""Any mapping, with many keys that mean something in a spec but have values of other shapes."""

NAMES = st.lists(TEXT, max_size=4)
TEXT_MAP = st.dictionaries(TEXT, TEXT, max_size=3)
COUNT = st.integers(-(2**31), 2**63)
NUMBER = COUNT | st.floats(allow_nan=False, allow_infinity=False)


def _items(required, **fields):
    return st.lists(st.fixed_dictionaries(required, optional=fields), max_size=3)


PARAMETERS = {
    "parameters": st.dictionaries(TEXT, JSON_VALUES, max_size=3),
    "parameter_mode": TEXT,
    "use_parameters": NAMES,
}
JOBS = _items(
    {"name": TEXT, "command": TEXT},
    invocation_script=st.none() | TEXT,
    resource_requirements=TEXT,
    failure_handler=TEXT,
    scheduler=TEXT,
    cancel_on_blocking_job_failure=st.booleans(),
    priority=COUNT,
    labels=NAMES,
    env=TEXT_MAP,
    stdio=st.fixed_dictionaries({}, optional={"mode": TEXT, "delete_on_success": st.booleans()}),
    **{
        f"{kind}{end}": NAMES
        for kind in ("input_file", "output_file", "input_user_data", "output_user_data", "depends_on")
        for end in (("", "_regexes") if kind.endswith(("_data", "_on")) else ("s", "_regexes"))
    },
    **PARAMETERS,
)
RULES = _items(
    {},
    exit_codes=st.lists(COUNT, max_size=3),
    match_all_exit_codes=st.booleans(),
    recovery_script=TEXT,
    max_retries=COUNT,
    delay_seconds=NUMBER,
    backoff=NUMBER,
    max_delay_seconds=NUMBER,
)
MONITOR = {"enabled": st.booleans(), "granularity": TEXT}
SPECS = st.fixed_dictionaries(
    {"name": TEXT, "jobs": JOBS},
    optional={
        "description": st.none() | TEXT,
        "metadata": TEXT | MAPPINGS,
        "parameters": st.dictionaries(TEXT, JSON_VALUES, max_size=3),
        "variables": TEXT_MAP,
        "env": TEXT_MAP,
        "access_groups": NAMES,
        "compute_node_wait_for_new_jobs_seconds": COUNT,
        "use_pending_failed": st.booleans(),
        "files": _items({"name": TEXT, "path": TEXT}, identifier=TEXT, st_mtime=FINITE, **PARAMETERS),
        "user_data": _items({}, name=TEXT, data=JSON_VALUES, is_ephemeral=st.booleans(), **PARAMETERS),
        "resource_requirements": _items({"name": TEXT}, num_cpus=COUNT, memory=TEXT, runtime=TEXT),
        "failure_handlers": _items({"name": TEXT, "rules": RULES}),
        "slurm_schedulers": _items({"account": TEXT}, name=TEXT, nodes=COUNT, serialize_allocations=st.booleans()),
        "slurm_defaults": st.dictionaries(TEXT, JSON_VALUES, max_size=3),
        "actions": _items(
            {"trigger_type": TEXT, "action_type": TEXT},
            jobs=NAMES, job_name_regexes=NAMES, commands=NAMES, scheduler=TEXT, num_allocations=COUNT,
        ),
        "resource_monitor": st.fixed_dictionaries(
            MONITOR, optional={"jobs": st.fixed_dictionaries(MONITOR), "compute_node": st.fixed_dictionaries(MONITOR)}
        ),
        "execution_config": st.fixed_dictionaries(
            {"mode": TEXT}, optional={"stdio": st.fixed_dictionaries({"mode": TEXT})}
        ),
        "dynamic_jobs": st.fixed_dictionaries({"max_iterations": COUNT}),
    },
)  # fmt: skip
"""Specs with every field there is, and odd text in them."""

_PIECES = [
    *"{}[]()<>\"'\\/:,;=#&*!|>%@`-?+.~_$ \n\t\r\x00\x0b\x85\u2028\ufeff\u200e\ud800é\U0001f600ab10",
    *(
        "\r\n",
        "name",
        "job ",
        "data ",
        "null",
        "true",
        "#true",
        "#null",
        "NaN",
        "Infinity",
        "0x1F",
        "-1.5e3",
        " {\n",
        "}\n",
    ),
    *("//", "/*", "*/", "/-", '"""', '#"', '"#', 'r"', "\\u0041", "\\ud800", "\\u{41}", "\\x41", "(array)", "(object)"),
    *(": ", "- ", "? ", "&a ", "*a", "<<: ", "!!int ", "!x ", "|\n", ">-\n", "  ", "---\n", "...\n", "%YAML 1.2\n"),
]
ODD_TEXT = st.one_of(st.text(), st.lists(st.sampled_from(_PIECES), max_size=25).map("".join))
"""Text that is hardly ever a document, but looks like parts of one."""
