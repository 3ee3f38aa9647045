"""``torc exec``: commands of the command line as a workflow."""

import pytest


def planned(torc, *words):
    """Return the commands of the jobs that a dry run prints, by name."""
    return {job["name"]: job["command"] for job in torc("exec", "--dry-run", *words).json["jobs"]}


def test_commands_from_options_run_and_the_exit_code_is_theirs(torc):
    assert torc.json("exec", "-c", "echo a", "--command", "echo b")["completed"] == 2
    body = torc.json("exec", "-c", "true", "-c", "exit 5", code=1)
    assert (body["completed"], body["failed"]) == (1, 1)


def test_words_after_two_dashes_are_one_command_with_its_quotes(torc):
    assert planned(torc, "--", "grep", "-f", "a b", "$x") == {"job1": "grep -f 'a b' '$x'"}


def test_a_file_of_commands_has_one_a_line(torc):
    torc.write("commands.txt", "# first\n\n  echo 1  \necho 2\n")
    assert planned(torc, "-C", "commands.txt") == {"job1": "echo 1", "job2": "echo 2"}
    assert planned(torc, "-c", "echo 0", "-C", "commands.txt")["job3"] == "echo 2"


def test_parameters_are_combined_or_go_together(torc):
    words = ("--param", "a=1:2", "--param", "b=[x,y]", "-c", "echo {a} {b}")
    assert sorted(planned(torc, *words).values()) == ["echo 1 x", "echo 1 y", "echo 2 x", "echo 2 y"]
    assert sorted(planned(torc, *words, "--link", "zip").values()) == ["echo 1 x", "echo 2 y"]


def test_parameters_come_from_files(torc):
    torc.write("names.txt", "ada\ngrace\n")
    assert sorted(planned(torc, "--param", "n=@names.txt", "-c", "hi {n}").values()) == ["hi ada", "hi grace"]
    assert "gone.txt" in torc("exec", "--param", "n=@gone.txt", "-c", "hi {n}", code=None).err


def test_many_jobs_keep_their_order(torc):
    assert list(planned(torc, "--param", "i=1:12", "-c", "echo {i}").values()) == [f"echo {i}" for i in range(1, 13)]


def test_the_name_is_given_or_made_of_the_time(torc):
    assert torc("exec", "--dry-run", "-c", "true", "-n", "mine", "--description", "why").json["name"] == "mine"
    assert torc("exec", "--dry-run", "-c", "true").json["name"].startswith("exec_20")


@pytest.mark.parametrize(
    ("words", "section"),
    [
        ([], None),
        (["--monitor", "off"], {"jobs": {"enabled": False}, "compute_node": {"enabled": False}}),
        (
            ["--monitor", "time-series", "-i", "2", "--generate-plots"],
            {
                "jobs": {"enabled": True, "granularity": "time_series"}, "compute_node": {"enabled": False},
                "sample_interval_seconds": 2, "generate_plots": True,
            },
        ),
        (["-i", "2"], {"enabled": True, "sample_interval_seconds": 2}),
        (
            ["--monitor-compute-node", "summary"],
            {
                "jobs": {"enabled": True, "granularity": "summary"},
                "compute_node": {"enabled": True, "granularity": "summary"},
            },
        ),
    ],
    ids=str,
)  # fmt: skip
def test_monitoring_becomes_a_section_of_the_spec(torc, words, section):
    told = torc("exec", "--dry-run", "-c", "true", *words).json.get("resource_monitor")
    assert (told is None) == (section is None)
    for name, value in (section or {}).items():
        assert told[name].items() >= value.items() if isinstance(value, dict) else told[name] == value


def test_monitoring_is_stored_with_the_workflow(torc):
    torc("exec", "-c", "true", "-i", "3")
    assert torc.json("workflows", "get")["resource_monitor_config"]["sample_interval_seconds"] == 3


def test_how_output_is_kept(torc):
    torc("exec", "-c", "echo said", "--stdio", "combined")
    [log] = (torc.path / "torc_output" / "job_stdio").iterdir()
    assert (log.suffix, log.read_text()) == (".log", "said\n")
    torc("exec", "-c", "echo said", "--stdio", "none", "-o", "other")
    assert not list((torc.path / "other" / "job_stdio").iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no command"),
        (["flow.yaml"], "torc run flow.yaml"),
        (["-c", "true", "--", "false"], "stray words"),
        (["echo", "a b"], "torc exec -- echo 'a b'"),
        (["-c", "true", "--param", "x"], "NAME=VALUE"),
        (["-c", "true", "--param", "1x=2"], "NAME=VALUE"),
        (["-c", "true", "--param", "x=1", "--param", "x=2"], "twice"),
        (["-c", "true", "--generate-plots"], "time series"),
        (["-c", "true", "-i", "0"], "-i"),
        (["-C", "-"], "standard input"),
    ],
    ids=str,
)
def test_wrong_usage_is_told_and_nothing_is_stored(torc, monkeypatch, words, told):
    monkeypatch.setattr("sys.stdin", None)
    done = torc("exec", *words, code=2)
    assert told in done.err
    assert not (torc.path / "torc_output").exists()


def test_parameters_without_values_leave_nothing_to_run(torc):
    for value in ("[]", "5:1"):
        assert "nothing to run" in torc("exec", "-c", "echo {x}", "--param", f"x={value}", code=1).err
    assert not (torc.path / "torc_output").exists()


def test_an_unknown_executor_stores_nothing(torc):
    torc("exec", "-c", "true", "--executor", "abacus", code=1)
    assert not (torc.path / "torc_output").exists()
