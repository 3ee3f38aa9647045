"""Ways into a service that only one process has, and names of databases that hold no password."""

import stat
from pathlib import Path

import pytest

from torc_core.errors import Unavailable
from torc_core.records.resources import Workflow
from torc_core.service.databases import database_of, open_database
from torc_core.service.doors import open_door


def enter(name, user="job"):
    return open_database(None, database_of(name), user, create=False)


def test_who_is_told_the_name_finds_the_same_workflows_and_can_change_them(desk):
    outside = desk.service.create(Workflow(name="made outside"))
    with open_door(desk.service) as name:
        job = enter(name)
        assert job.get(Workflow, outside.id).name == "made outside"
        inside = job.create(Workflow(name="made inside"))
        job.close()
    assert (inside.user, desk.service.get(Workflow, inside.id).name) == ("job", "made inside")


def test_only_its_user_can_read_what_opens_it(desk):
    with open_door(desk.service) as name:
        file = Path(name.removeprefix("owner:"))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_afterwards_nothing_is_left_and_it_is_said_that_the_runner_has_ended(desk):
    with open_door(desk.service) as name:
        folder = Path(name.removeprefix("owner:")).parent
    assert not folder.exists()
    with pytest.raises(Unavailable, match="cannot be asked") as failure:
        enter(name)
    assert "ended" in failure.value.hint


@pytest.mark.parametrize("text", ["", "{}", '{"address": "unix:/nowhere", "token": "x"}', '["a"]', "\x00"])
def test_a_file_that_opens_nothing_is_told_as_such(tmp_path, text):
    (tmp_path / "owner").write_text(text)
    with pytest.raises(Unavailable, match="cannot be asked"):
        enter(f"owner:{tmp_path}/owner")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://ann@db.org/torc", "postgresql://ann@db.org/torc"),
        ("postgresql://ann:s3cret@db.org/torc", "postgresql://ann:***@db.org/torc"),
        ("postgres://ann:s3:cr@et@db.org:5432/torc", "postgresql://ann:***@db.org:5432/torc"),
        ("postgresql://ann:s3/cr@db.org/torc", "postgresql://ann:***@db.org/torc"),
        ("postgresql://db.org/torc?user=ann&password=s3cret&sslmode=require",
         "postgresql://db.org/torc?user=ann&password=***&sslmode=require"),
        ("torc_output/torc.db", "torc_output/torc.db"),
    ],
)  # fmt: skip
def test_the_name_of_a_database_is_shown_without_its_password(given, shown):
    assert str(database_of(given)) == shown
