"""Jobs of a runner that owns a PostgreSQL database: they reach it without its URL, which may hold a password."""

import json
import sys

from tests.cli.programs import program

TORC = f"{sys.executable} -m torc_core.cli"
PASSWORD = "s3cret-of-ann"


def with_password(url):
    return url.replace("torc@", f"torc:{PASSWORD}@", 1)


def run(folder, url, *jobs, **more):
    spec = {"name": "w", "jobs": list(jobs), **more}
    (folder / "spec.json").write_text(json.dumps(spec))
    return program(folder, "run", "spec.json", "-j", "2", TORC_DB=with_password(url))


def test_jobs_find_their_workflow_and_the_password_is_nowhere(tmp_path, postgres_url):
    (tmp_path / "more.json").write_text('[{"name": "added", "command": "echo added > added.txt"}]')
    seen = "env > seen.txt; cat /proc/self/environ >> seen.txt"
    done = run(
        tmp_path, postgres_url,
        {"name": "look", "command": f"{seen}; {TORC} -f json status $TORC_WORKFLOW_ID > status.json"},
        {"name": "add", "command": f"{TORC} jobs spawn more.json", "depends_on": ["look"]},
    )  # fmt: skip
    assert json.loads((tmp_path / "status.json").read_text())["total_jobs"] == 2
    assert (tmp_path / "added.txt").read_text() == "added\n"
    assert "TORC_DB=owner:/" in (tmp_path / "seen.txt").read_text()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [data for data in written if PASSWORD.encode() in data]
    assert PASSWORD not in done.out + done.err


def test_a_runner_that_an_action_starts_works_beside_its_own(tmp_path, postgres_url):
    action = {"trigger_type": "on_workflow_start", "action_type": "schedule_nodes", "scheduler_type": "local",
              "num_allocations": 1, "max_parallel_jobs": 1}  # fmt: skip
    second = "until [ $(ls ran.* | wc -l) = 2 ]; do sleep 0.05; done"
    jobs = [{"name": f"j{i}", "command": f"touch ran.{i}; {second}"} for i in range(2)]
    (tmp_path / "spec.json").write_text(json.dumps({"name": "w", "jobs": jobs, "actions": [action]}))
    done = program(tmp_path, "run", "spec.json", "-j", "1", TORC_DB=postgres_url)
    assert "complete; all went well" in done.out


def test_nodes_are_not_asked_for_where_their_runners_could_not_share_the_database(tmp_path, postgres_url):
    url = with_password(postgres_url)
    (tmp_path / "spec.json").write_text(json.dumps({"name": "w", "jobs": [{"name": "j", "command": "true"}]}))
    program(tmp_path, "create", "spec.json", TORC_DB=url)
    for words in (("schedule-nodes", "1"), ("watch", "1", "--auto-schedule")):
        refused = program(tmp_path, *words, "--scheduler-type", "local", code=1, TORC_DB=url)
        assert "is used by one process at a time" in refused.err
        assert "torc server run" in refused.err
        assert PASSWORD not in refused.err


def test_a_job_of_the_owner_may_ask_for_nodes(tmp_path, postgres_url):
    second = "until [ -e ran.0 ] && [ -e ran.1 ]; do sleep 0.05; done"
    jobs = [{"name": f"j{i}", "command": f"touch ran.{i}; {second}"} for i in range(2)]
    jobs[0]["command"] = f"{TORC} schedule-nodes $TORC_WORKFLOW_ID --scheduler-type local -j 1; {jobs[0]['command']}"
    (tmp_path / "spec.json").write_text(json.dumps({"name": "w", "jobs": jobs}))
    done = program(tmp_path, "run", "spec.json", "-j", "1", TORC_DB=postgres_url)
    assert "complete; all went well" in done.out
