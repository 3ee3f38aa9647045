"""``torc jobs spawn``: from inside a job, in any folder and format, with the count and the last state."""

import json
import sys

import pytest

TORC = f"{sys.executable} -m torc_core.cli"


def run(torc, command, more="", code=0):
    """Run a workflow of one job that runs ``command`` in another folder; its script is a file."""
    (torc.path / "elsewhere").mkdir()
    torc.write("job.sh", f"cd elsewhere\n{command}\n")
    torc.write("spec.json", json.dumps({"name": "w", "jobs": [{"name": "seed", "command": "bash job.sh"}]}))
    return torc("run", torc.write("spec.json", (torc.path / "spec.json").read_text()), code=code)


def log(torc, job=1, end="o"):
    return (torc.path / "torc_output" / "job_stdio" / f"job_wf1_j{job}_r1_a1.{end}").read_text()


def statuses(torc):
    return {job["name"]: job["status"] for job in torc.items("jobs", "list", 1)}


def test_a_job_adds_jobs_from_any_folder_and_they_run(torc):
    torc.write("next.yaml", "- {name: a, command: echo a}\n- {name: b, command: echo b, depends_on: [a]}\n")
    run(torc, f"{TORC} jobs spawn ../next.yaml --state '{{\"loss\": 0.5}}'")
    assert log(torc) == "2 jobs in call 1: 2, 3\n"
    assert statuses(torc) == {"seed": "completed", "a": "completed", "b": "completed"}
    (record,) = torc.items("user-data", "list", 1)
    assert (record["name"], record["data"]["state"]) == ("__torc_lineage__seed__g000001", {"loss": 0.5})


def test_added_jobs_add_jobs_in_the_same_lineage(torc):
    torc.write("more.sh", f'echo \'[{{"name": "last", "command": "true"}}]\' | {TORC} jobs spawn -')
    torc.write("next.json", json.dumps([{"name": "middle", "command": "bash more.sh"}]))
    run(torc, f"{TORC} jobs spawn ../next.json --lineage search")
    assert statuses(torc) == {"seed": "completed", "middle": "completed", "last": "completed"}
    assert log(torc, 2) == "1 job in call 2: 3\n"
    names = [record["name"] for record in torc.items("user-data", "list", 1)]
    assert names == ["__torc_lineage__search__g000001", "__torc_lineage__search__g000002"]


def test_the_same_call_again_adds_nothing_and_the_last_state_is_kept(torc):
    torc.write("next.kdl", 'jobs {\n  - name="a" command="true"\n}\n')
    torc.write("next.json5", "{jobs: [{name: 'a', command: 'true'}], files: [{name: 'f', path: 'f.txt'}]}")
    run(
        torc, f"{TORC} jobs spawn ../next.json5 -f json\n{TORC} jobs spawn ../next.json5 -f json\n"
        f"{TORC} jobs spawn --state 7",
    )  # fmt: skip
    out = log(torc)
    assert out.count('"iteration": 1') == 2
    assert out.endswith("Kept the last state after 1 call\n")
    data = {r["name"]: r["data"] for r in torc.items("user-data", "list", 1)}
    assert data["__torc_lineage__seed__final"]["state"] == 7


def test_what_is_refused_is_said_in_the_log_of_the_job(torc):
    torc.write("bad.yaml", "- {name: a, command: 'true', depends_on: [nobody]}\n")
    run(torc, f"{TORC} jobs spawn ../bad.yaml")
    assert "'nobody', which is not there" in log(torc, end="e")
    assert statuses(torc) == {"seed": "failed"}


@pytest.mark.parametrize(
    ("text", "words", "code", "said"),
    [
        ("[]", (), 2, "TORC_JOB_ID is not set"),
        ("7", ("--job-id", 1), 1, "next.txt:1:1: error["),
        ("[{name: a, command: b, color: red}]", ("--job-id", 1), 1, "unknown field 'color'"),
        ("[{name: a}]", ("--job-id", 1), 1, "'command' is required"),
        ("[{name: a, command: 'true'}]", ("--job-id", 1), 1, "only a running job"),
        ("[{name: a, command: 'true'}]", ("--job-id", 9), 1, "no job with id 9"),
        ("[{name: a, command: 'true'}]", ("--job-id", 1, "--state", "{"), 2, "not JSON"),
    ],
)
def test_what_cannot_be_added_is_explained(torc, text, words, code, said):
    torc.create("name: w\njobs: [{name: j, command: 'true'}]\n")
    assert said in torc("jobs", "spawn", torc.write("next.txt", text), *words, code=code).err


def test_nothing_to_add_is_wrong_usage(torc):
    assert "nothing to add" in torc("jobs", "spawn", code=2).err
    assert "there is no file" in torc("jobs", "spawn", "nowhere.yaml", "--job-id", 1, code=1).err


def test_a_job_is_told_the_database_of_its_runner_whatever_the_runner_was_told(torc, monkeypatch):
    monkeypatch.setenv("TORC_API_URL", "http://127.0.0.1:9/torc-service/v1")
    (torc.path / "elsewhere").mkdir()
    torc.write("job.sh", f"cd elsewhere && env | grep -c TORC_API_URL; {TORC} -f json status $TORC_WORKFLOW_ID")
    torc.write("spec.json", json.dumps({"name": "w", "jobs": [{"name": "seed", "command": "bash job.sh"}]}))
    torc("--db", "here.db", "run", "spec.json")
    first, _, rest = log(torc).partition("\n")
    assert first == "0"
    assert json.loads(rest)["total_jobs"] == 1
