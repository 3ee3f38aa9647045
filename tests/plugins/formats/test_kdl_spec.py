"""How specs look in KDL: every kind of node, the spellings of older files, and what becomes of everything else."""

import pytest

from torc_core.contracts.formats import FormatError
from torc_plugins.formats.kdl_format import KdlFormat


def data(text):
    return KdlFormat().loads(text).data


def job(text):
    return data(f'job "j" {{\n{text}\n}}')["jobs"][0]


def problem(text):
    with pytest.raises(FormatError) as caught:
        KdlFormat().loads(text)
    return caught.value.problem


SECTIONS = [
    (
        """
        name "demo"
        compute_node_wait_for_new_jobs_seconds 30
        use_pending_failed #true
        """,
        {"name": "demo", "compute_node_wait_for_new_jobs_seconds": 30, "use_pending_failed": True},
    ),
    ('parameters { lr "[0.1,0.2]"; i 5; }', {"parameters": {"lr": "[0.1,0.2]", "i": 5}}),
    (
        """
        file "raw" path="in/raw.csv"
        file "out_{k}" { path "out/{k}.csv"; parameters { k "1:3"; }; }
        """,
        {
            "files": [
                {"name": "raw", "path": "in/raw.csv"},
                {"name": "out_{k}", "path": "out/{k}.csv", "parameters": {"k": "1:3"}},
            ]
        },
    ),
    (
        'user_data "settings" { data "{\\"a\\": [1, null]}"; is_ephemeral #true; }',
        {"user_data": [{"name": "settings", "data": {"a": [1, None]}, "is_ephemeral": True}]},
    ),
    (
        'resource_requirements "small" { num_cpus 1; memory "512m"; runtime "PT5M"; }',
        {"resource_requirements": [{"name": "small", "num_cpus": 1, "memory": "512m", "runtime": "PT5M"}]},
    ),
    (
        """
        failure_handler "retry" {
            rule { exit_codes 1 137; max_retries 5; }
            rule { match_all_exit_codes #true; recovery_script "./fix.sh"; }
        }
        """,
        {
            "failure_handlers": [
                {
                    "name": "retry",
                    "rules": [
                        {"exit_codes": [1, 137], "max_retries": 5},
                        {"match_all_exit_codes": True, "recovery_script": "./fix.sh"},
                    ],
                }
            ]
        },
    ),
    (
        'slurm_scheduler "gpu" { account "proj"; nodes 2; gres "gpu:4"; }',
        {"slurm_schedulers": [{"name": "gpu", "account": "proj", "nodes": 2, "gres": "gpu:4"}]},
    ),
    (
        'slurm_defaults { qos "high"; exclusive #true; nice -5; }',
        {"slurm_defaults": {"qos": "high", "exclusive": True, "nice": -5}},
    ),
    (
        "resource_monitor { enabled #true; granularity time_series; jobs { enabled #true; }; }",
        {"resource_monitor": {"enabled": True, "granularity": "time_series", "jobs": {"enabled": True}}},
    ),
    (
        """
        job "clean_{k:02d}" {
            command "clean ${files.input.raw} {k}"
            resource_requirements "small"
            parameters { k "1:3"; }
        }
        job "merge" {
            command "merge"
            depends_on_regexes #"^clean_\\d+$"#
            cancel_on_blocking_job_failure #false
        }
        """,
        {
            "jobs": [
                {
                    "name": "clean_{k:02d}",
                    "command": "clean ${files.input.raw} {k}",
                    "resource_requirements": "small",
                    "parameters": {"k": "1:3"},
                },
                {
                    "name": "merge",
                    "command": "merge",
                    "depends_on_regexes": ["^clean_\\d+$"],
                    "cancel_on_blocking_job_failure": False,
                },
            ]
        },
    ),
    (
        'action { trigger_type "on_jobs_ready"; action_type "run_commands"; job "merge"; command "a"; command "b"; }',
        {
            "actions": [
                {
                    "trigger_type": "on_jobs_ready",
                    "action_type": "run_commands",
                    "jobs": ["merge"],
                    "commands": ["a", "b"],
                }
            ]
        },
    ),
]
"""Each section of a document, as it is written and as data."""


@pytest.mark.parametrize(("text", "expected"), SECTIONS, ids=[next(iter(expected)) for _, expected in SECTIONS])
def test_a_section_alone(text, expected):
    assert data(text) == {"jobs": [], **expected}


def test_a_whole_spec():
    whole = {name: value for _, expected in SECTIONS for name, value in expected.items()}
    assert data("\n".join(text for text, _ in SECTIONS)) == whole


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('depends_on "a" "b"', "depends_on", ["a", "b"]),
        ('depends_on "a"\ndepends_on "b"', "depends_on", ["a", "b"]),
        ('depends_on_job "a"\ndepends_on "b" "c"', "depends_on", ["a", "b", "c"]),
        ("depends_on", "depends_on", []),
        ('input_file "a"\ninput_file "b"', "input_files", ["a", "b"]),
        ('input_files "a" "b"', "input_files", ["a", "b"]),
        ('output_file "a"', "output_files", ["a"]),
        ('input_user_data "a" "b"', "input_user_data", ["a", "b"]),
        ('output_user_data "a"', "output_user_data", ["a"]),
        ('input_file_regexes "a"', "input_file_regexes", ["a"]),
        ('output_file_regexes "a"', "output_file_regexes", ["a"]),
        ('input_user_data_regexes "a"', "input_user_data_regexes", ["a"]),
        ('output_user_data_regexes "a"', "output_user_data_regexes", ["a"]),
        ('use_parameters "a" "b"', "use_parameters", ["a", "b"]),
        ('labels "a"', "labels", ["a"]),
        ("priority 5", "priority", 5),
        ('env { A "1"; B "2"; }', "env", {"A": "1", "B": "2"}),
        ("env {}", "env", {}),
        ('stdio { mode "none"; delete_on_success #true; }', "stdio", {"mode": "none", "delete_on_success": True}),
        ('num_cpus "4"', "num_cpus", "4"),
        ("scheduler #null", "scheduler", None),
    ],
)
def test_the_fields_of_a_job(text, key, expected):
    assert job(text) == {"name": "j", key: expected}


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('job name="a" command="x"', "jobs", [{"name": "a", "command": "x"}]),
        ('job "a" depends_on="b"', "jobs", [{"name": "a", "depends_on": ["b"]}]),
        ("job", "jobs", [{}]),
        ('jobs { job "a"; job "b"; }', "jobs", [{"name": "a"}, {"name": "b"}]),
        ("jobs {}", "jobs", []),
        ('name "no jobs"', "jobs", []),
        ("files", "files", []),
        ("resource_requirements", "resource_requirements", []),
        ("resource_requirements {}", "resource_requirements", [{}]),
        ('failure_handler "x" {}', "failure_handlers", [{"name": "x", "rules": []}]),
        ('metadata "{}"', "metadata", "{}"),
        ("metadata { a 1; }", "metadata", {"a": 1}),
        ('project "p"', "project", "p"),
        ('access_groups "a" "b"', "access_groups", ["a", "b"]),
        ("dynamic_jobs { max_iterations 3; }", "dynamic_jobs", {"max_iterations": 3}),
        ('execution_config { stdio { mode "none"; }; }', "execution_config", {"stdio": {"mode": "none"}}),
        ('variables { a "1"; }', "variables", {"a": "1"}),
        ("resource_monitor {}", "resource_monitor", {}),
        ("resource_monitor", "resource_monitor", {}),
        ('user_data { data "5"; }', "user_data", [{"data": 5}]),
        ("user_data { data 5; }", "user_data", [{"data": 5}]),
        ('user_data data="[1]"', "user_data", [{"data": [1]}]),
        ("parameters { lr 0.1 0.2; n (array)1; }", "parameters", {"lr": [0.1, 0.2], "n": 1}),
        ("parameters { n (array)1; (array)m 1; (array)e; }", "parameters", {"n": 1, "m": [1], "e": []}),
    ],
)
def test_the_fields_of_the_document(text, key, expected):
    assert data(text)[key] == expected


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('jobb "a" { command "x"; }', "jobb", {"name": "a", "command": "x"}),
        ("colour red", "colour", "red"),
        ("colours red blue", "colours", ["red", "blue"]),
        ("n { - 1; - { a 2; }; }", "n", [1, {"a": 2}]),
        ("(object)n { - 1; }", "n", {"-": 1}),
        ("n a=1 { b 2; }", "n", {"a": 1, "b": 2}),
        ('stdio "x"', "stdio", "x"),
        ("files 5", "files", 5),
        ('access_groups { a "b"; }', "access_groups", {"a": "b"}),
        ("(value)job 5", "job", 5),
        ("(array)job 5", "job", [5]),
    ],
)
def test_what_the_table_does_not_know_is_kept(text, key, expected):
    assert data(text)[key] == expected


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "part"),
    [
        ('name "a"\nname "b"', "duplicate-key", 2, 1, "line 1"),
        ('job "j" {\n  command "a"\n  command "b"\n}', "duplicate-key", 3, 3, "line 2"),
        ('file "a" path="b" {\n  path "c"\n}', "duplicate-key", 2, 3, "line 1"),
        ('file "a" path="b" path="c"', "duplicate-key", 1, 24, "line 1"),
        ('job "a" {\n  name "b"\n}', "duplicate-key", 2, 3, "line 1"),
        ("env { A 1; A 2; }", "duplicate-key", 1, 12, '"A"'),
        ('jobb "a" {}\njobb "b" {}', "duplicate-key", 2, 1, 'Did you mean "job"?'),
        ('job "a" "b" {}', "kdl-value", 1, 9, "name"),
        ("description", "kdl-value", 1, 1, "no value"),
        ('user_data "u" { data "{a}"; }', "kdl-json", 1, 22, "JSON"),
        ('user_data "u" { data "hello"; }', "kdl-json", 1, 22, "quotes"),
        ("jobs { file a; }", "kdl-node", 1, 8, '"job"'),
        ('jobs "a" command="x"', "kdl-node", 1, 1, 'Write job "name"'),
        ("x 1\nfiles a { path p; }", "kdl-node", 2, 1, 'Write file "name"'),
        ("n { - 1; - 2 { - 3; a 4; }; }", None, 0, 0, ""),
        ("(array)n { a 1; }", "kdl-value", 1, 12, "fields"),
        ("(array)n a=1", "kdl-value", 1, 12, "properties"),
        ("// nothing\n", "empty", 1, 1, "empty"),
        ("/-job a", "empty", 1, 1, "empty"),
        ("n " + "{ - " * 199 + "1" + "}" * 199, None, 0, 0, ""),
        ("n " + "{ - " * 200 + "1" + "}" * 200, "nesting", 1, 797, "200"),
        ('user_data { data "' + "[" * 197 + "]" * 197 + '"; }', None, 0, 0, ""),
        ('user_data { data "' + "[" * 198 + "]" * 198 + '"; }', "nesting", 1, 18, "200"),
    ],
)
def test_what_cannot_be_a_spec_is_refused_with_its_place(text, code, line, column, part):
    if code is None:
        data(text)
        return
    found = problem(text)
    assert (found.code, found.line, found.column) == (code, line, column)
    assert part in f"{found.message} {found.hint}"


def test_values_are_found_by_their_paths():
    text = """name "x"
job "a" {
    command "run"
    depends_on "b" "c"
    depends_on "d"
    parameters { i "1:3"; }
}
file "f" path="p"
user_data "u" { data "[1, 2]"; }
unknown { deep { er 1; }; }
"""
    locate = KdlFormat().loads(text).locate
    places = {
        ("name",): (1, 6),
        ("jobs", 0): (2, 1),
        ("jobs", 0, "name"): (2, 5),
        ("jobs", 0, "command"): (3, 13),
        ("jobs", 0, "depends_on"): (4, 5),
        ("jobs", 0, "depends_on", 1): (4, 20),
        ("jobs", 0, "depends_on", 2): (5, 16),
        ("jobs", 0, "parameters", "i"): (6, 20),
        ("files", 0, "path"): (8, 15),
        ("user_data", 0, "data", 1): (9, 22),
        ("unknown", "deep", "er"): (10, 21),
        ("jobs", 0, "nothing"): (2, 1),
    }
    assert {path: locate(path) for path in places} == places


def test_the_writer_uses_the_short_forms():
    spec = {
        "name": "demo",
        "parameters": {"lr": [0.1, 0.2], "one": [1]},
        "files": [{"name": "raw", "path": "in/raw.csv"}],
        "user_data": [{"name": "u", "data": {"a": 1}}],
        "jobs": [
            {"name": "a", "command": "echo \"hi\" | sed 's/\\d//'\nls\n", "depends_on": ["b", "c"], "priority": None},
            {"name": "b", "command": "true"},
        ],
        "access_groups": [],
    }
    assert KdlFormat().dumps(spec) == (
        'name "demo"\n'
        "parameters {\n"
        "    lr 0.1 0.2\n"
        "    (array)one 1\n"
        "}\n"
        'file "raw" path="in/raw.csv"\n'
        'user_data "u" {\n'
        '    data #"{"a": 1}"#\n'
        "}\n"
        'job "a" {\n'
        '    command #"""\n'
        "        echo \"hi\" | sed 's/\\d//'\n"
        "        ls\n"
        "\n"
        '        """#\n'
        '    depends_on "b" "c"\n'
        "    priority #null\n"
        "}\n"
        'job "b" command="true"\n'
        "access_groups\n"
    )


def test_long_lists_go_over_several_lines():
    names = [f"job_{number:04d}" for number in range(30)]
    text = KdlFormat().dumps({"jobs": [{"name": "j", "depends_on": names}]})
    assert max(map(len, text.split("\n"))) <= 100
    assert data(text)["jobs"][0]["depends_on"] == names
