"""``torc watch``: what it does not wait for, and what it does."""

import pytest

from torc_core.cli.recovering import Recovering
from torc_core.errors import Unavailable

FAILING = "name: w\njobs: [{name: j, command: 'test -e again || { touch again; exit 1; }'}]"
PLAIN = "name: w\njobs: [{name: j, command: 'true'}]"


@pytest.mark.parametrize("more", [(), ("--run",), ("--auto-schedule", "--scheduler-type", "local")])
def test_jobs_that_were_added_after_the_end_are_for_the_next_run(torc, more):
    id = torc.create(PLAIN)
    torc("run", id)
    torc("jobs", "create", id, "--name", "new", "--command", "true")
    assert "torc workflows reinit" in torc("watch", id, *more, code=1).out
    assert len(torc.items("compute-nodes", "list", id)) == 1


@pytest.mark.parametrize("more", [(), ("--run",)])
def test_an_archived_workflow_is_not_waited_for(torc, more):
    id = torc.create(PLAIN)
    torc("workflows", "archive", "true", id)
    assert "archived" in torc("watch", id, *more, code=1).out


def test_a_workflow_that_lacks_input_files_is_not_begun_and_what_helps_is_told(torc):
    id = torc.create(PLAIN.replace("'true'", "'true', input_files: [f]") + "\nfiles: [{name: f, path: f.txt}]")
    err = torc("watch", id, "--run", code=1).err
    assert f"torc workflows init {id}" in err


def test_a_service_that_is_away_while_it_recovers_is_waited_for(torc, monkeypatch):
    look, tries = Recovering.look, []

    def away_at_first(*args, **given):
        tries.append(1)
        if len(tries) == 1:
            raise Unavailable("the server is away")
        return look(*args, **given)

    monkeypatch.setattr(Recovering, "look", away_at_first)
    monkeypatch.setattr("torc_core.cli.watcher._AWAY_RETRY_S", 0.01)
    id = torc.create(FAILING)
    done = torc("watch", id, "--run", "--recover", "--retry-unknown")
    assert "The service is away, and waited for: the server is away" in done.err
    assert torc.json("status", id)["run_id"] == 2
    assert len(tries) == 2


def test_a_service_that_stays_away_ends_the_watch(torc, monkeypatch):
    def away(*args, **given):
        raise Unavailable("the server is away")

    monkeypatch.setattr(Recovering, "look", away)
    monkeypatch.setattr("torc_core.cli.watcher._AWAY_RETRY_S", 0.01)
    id = torc.create(FAILING + "\ncompute_node_wait_for_healthy_database_minutes: 0")
    assert "the server is away" in torc("watch", id, "--run", "--recover", code=1).err
