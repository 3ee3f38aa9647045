"""``torc access-groups``: groups are kept in a database of a folder, too, for the day that a server serves it."""

import pytest

from tests.cli.programs import program

SPEC = "name: w\naccess_groups: [wind]\njobs: [{name: a, command: echo}]\n"


@pytest.fixture
def two(torc):
    """The groups wind and solar; a workflow that is open to wind."""
    torc.create("name: first\njobs: [{name: a, command: echo}]")
    torc("access-groups", "create", "wind", "-d", "about wind")
    torc("access-groups", "create", "solar")
    torc.create(SPEC)
    return torc


def test_groups_live_through_their_commands(two):
    assert [g["name"] for g in two.items("access-groups", "list")] == ["solar", "wind"]
    assert two.json("access-groups", "get", "wind")["description"] == "about wind"
    assert two("access-groups", "list", "-l", 1, "-o", 1).lines[2].split()[1] == "wind"
    assert "wind" in two("access-groups", "create", "wind", code=1).err
    two("access-groups", "delete", 1)
    assert [g["name"] for g in two.items("access-groups", "list")] == ["solar"]
    assert "no group 'wind'" in two("access-groups", "get", "wind", code=1).err
    assert two.json("workflows", "get", 2).get("access_groups") is None


def test_a_process_that_only_deletes_a_group_closes_its_workflows_too(two):
    program(two.path, "access-groups", "delete", 1)
    assert two.json("workflows", "get", 2).get("access_groups") is None
    assert two.items("access-groups", "list-workflow-groups", 2) == []


def test_members_come_and_go(two):
    two("access-groups", "add-user", "wind", "eve", "--role", "admin")
    two("access-groups", "add-user", "wind", "bob")
    members = two.items("access-groups", "list-members", "wind")
    assert [(m["user_name"], m["role"]) for m in members] == [("bob", "member"), ("eve", "admin")]
    assert [g["name"] for g in two.items("access-groups", "list-user-groups", "bob")] == ["wind"]
    two("access-groups", "remove-user", "wind", "bob")
    assert two.items("access-groups", "list-user-groups", "bob") == []
    assert "bob" in two("access-groups", "remove-user", "wind", "bob", code=1).err
    two("access-groups", "add-user", "wind", "eve", "-r", "owner", code=2)


def test_workflows_are_opened_and_closed(two):
    assert two.json("workflows", "get", 2)["access_groups"] == ["wind"]
    assert [g["name"] for g in two.items("access-groups", "list-workflow-groups", 2)] == ["wind"]
    two("access-groups", "add-workflow", 1, "solar")
    two("access-groups", "add-workflow", 2, "solar")
    assert [w["name"] for w in two.items("workflows", "list", "--access-group", "solar")] == ["first", "w"]
    assert two.json("workflows", "get", 2)["access_groups"] == ["solar", "wind"]
    two("access-groups", "remove-workflow", 2, "wind")
    assert two.json("workflows", "get", 2)["access_groups"] == ["solar"]


def test_a_spec_with_an_unknown_group_makes_nothing(torc):
    (torc.path / "w.yaml").write_text(SPEC)
    assert "wind" in torc("create", "w.yaml", code=1).err
    assert torc("workflows", "list", "-f", "json", code=None).out.count('"id"') == 0


def test_a_database_in_a_folder_has_no_file_of_users(two):
    assert "no file of users" in two("admin", "reload-auth", code=1).err
