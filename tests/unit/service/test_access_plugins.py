"""Plugins that have a say in who may do what."""

from __future__ import annotations

import pytest

from tests.unit.service.access_world import World
from torc_core.contracts.access import Principal, Resource, Verdict
from torc_core.errors import Forbidden, NotFound
from torc_core.records.resources import File, Job, Workflow
from torc_core.service.local import LocalService


def names(service: LocalService) -> list[str]:
    return [w.name for w in service.find(Workflow).items]


class Asked:
    """A plugin's rule that remembers what it was asked."""

    def __init__(self, answers: dict[str, bool | None]) -> None:
        self.answers = answers
        self.calls: list[tuple[Principal, str, Resource]] = []

    def __call__(self, principal: Principal, action: str, resource: Resource) -> Verdict:
        self.calls.append((principal, action, resource))
        return Verdict(self.answers.get(principal.user), "the site says so")


def test_plugins_refuse_allow_or_leave_it_to_the_built_in_rule() -> None:
    asked = Asked({"amy": False, "eve": True})
    world = World(authorize=asked)
    mine = world.mine["workflows"]
    with pytest.raises(Forbidden, match="the site says so"):
        world.as_user("amy").get(Workflow, mine)
    assert world.as_user("eve").get(Workflow, mine).id == mine
    assert world.as_user("bob").get(Workflow, mine).id == mine
    with pytest.raises(Forbidden, match="belongs"):
        world.as_user("zoe").get(Workflow, mine)
    principal, action, resource = asked.calls[-1]
    assert (principal.user, principal.is_admin, principal.is_login) == ("zoe", False, True)
    assert (action, resource) == ("get_workflow", Resource("workflows", mine, mine))


def test_plugins_are_asked_about_the_record_and_its_workflow() -> None:
    asked = Asked({})
    world = World(authorize=asked)
    world.as_user("amy").delete(Job, world.mine["jobs"])
    world.as_user("amy").create(File(workflow_id=world.mine["workflows"], name="f", path="p"))
    assert [(action, resource) for _, action, resource in asked.calls] == [
        ("delete_job", Resource("jobs", world.mine["jobs"], world.mine["workflows"])),
        ("create_file", Resource("files", None, world.mine["workflows"])),
    ]


def test_plugins_refuse_although_rights_are_not_enforced() -> None:
    world = World(authorize=Asked({"eve": False}), is_enforced=False)
    with pytest.raises(Forbidden):
        world.as_user("eve").get(Workflow, world.mine["workflows"])
    assert world.as_user("zoe").get(Workflow, world.mine["workflows"]).name == "plain-workflow"


def test_lists_show_what_plugins_let_see() -> None:
    def authorize(principal: Principal, action: str, resource: Resource) -> Verdict:
        return Verdict(None if resource.workflow_id is None else resource.workflow_id == 2 or None)

    world = World(authorize=authorize)
    assert world.theirs["workflows"] == 2
    assert names(world.as_user("amy")) == ["plain-workflow", "hidden-workflow"]
    assert names(world.as_user("zoe")) == ["hidden-workflow"]


def test_plugins_do_not_find_what_is_not_there() -> None:
    world = World(authorize=Asked({"eve": True}))
    with pytest.raises(NotFound):
        world.as_user("eve").cancel_workflow(999)
