"""The table of rights, row by row: every operation, for everybody who might ask."""

from __future__ import annotations

import pytest

from tests.unit.service.access_world import World, arguments_of, call, operations
from torc_core.errors import Forbidden, TorcError, Unauthorized
from torc_core.operations import Operation
from torc_core.service import rights
from torc_core.service.api import OPERATIONS
from torc_core.service.rights import Right, rule_of
from torc_core.service.targets import nowhere, target_of

PEOPLE = ("amy", "bob", "ann", "root", "eve", "anonymous")
"""Owner, member and admin of a group that may use the workflow, administrator, stranger, nobody."""
USERS_OF_THE_WORKFLOW = {"amy", "bob", "ann", "root"}
LOGGED_IN = {"amy", "bob", "ann", "root", "eve"}
SPECIAL = {
    "ping": set(PEOPLE),
    "get_version": set(PEOPLE),
    "list_workflows": set(PEOPLE),
    "create_workflow": LOGGED_IN,
    "create_whole_workflow": LOGGED_IN,
    "list_access_groups": {"root"},
    "get_access_group": {"root"},
    "create_access_group": {"root"},
    "delete_access_group": {"root"},
    "list_group_members": {"root"},
    "add_user_to_group": {"root", "ann"},
    "remove_user_from_group": {"root", "ann"},
    "list_user_groups": {"root", "bob"},  # asked about bob
    "check_workflow_access": {"root", "bob"},
    "add_workflow_to_group": {"root", "amy", "ann"},
    "remove_workflow_from_group": {"root", "amy", "ann"},
    "reload_auth": {"root"},
}
"""Operations that are not simply for the users of a workflow, and who may do them."""
ALL = list(operations())


def is_refused(world: World, who: str, op: Operation, arguments: dict[str, object]) -> bool:
    try:
        call(world.as_user(who), op, arguments)
    except (Forbidden, Unauthorized):
        return True
    except TorcError:
        return False  # it came to the operation itself
    return False


def test_every_operation_has_a_row() -> None:
    assert [op.name for op in ALL if rule_of(op) is None] == []


def test_every_right_to_a_workflow_is_about_one() -> None:
    """Else an operation that nobody knows the workflow of would be open to all."""
    rows = [(op, rule_of(op)) for op in ALL]
    found = [op.name for op, rule in rows if rule and rule.right is Right.WORKFLOW and target_of(op) is nowhere]
    assert found == []


def test_every_row_is_of_an_operation() -> None:
    assert set(rights.DECLARED) - set(OPERATIONS) == set()


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_who_may_do_what(op: Operation) -> None:
    allowed = set()
    for who in PEOPLE:
        world = World()
        if not is_refused(world, who, op, arguments_of(op, world.mine)):
            allowed.add(who)
    assert allowed == SPECIAL.get(op.name, USERS_OF_THE_WORKFLOW)


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_nobody_is_refused_anything_while_rights_are_not_enforced(op: Operation) -> None:
    world = World(is_enforced=False)
    assert not is_refused(world, "anonymous", op, arguments_of(op, world.mine))


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
@pytest.mark.parametrize("is_enforced", [True, False])
def test_a_worker_token_is_enough_for_work_on_its_workflow_only(op: Operation, is_enforced: bool) -> None:
    rule = rule_of(op)
    assert rule is not None
    world = World(is_enforced=is_enforced)
    assert is_refused(world, "token", op, arguments_of(op, world.mine)) is not rule.worker
    if rule.right is rights.Right.WORKFLOW:
        other = arguments_of(op, world.theirs)
        assert is_refused(world, "token", op, other)


def test_worker_tokens_are_enough_for_what_runners_do_and_no_more() -> None:
    names = {op.name for op in ALL if (rule := rule_of(op)) is not None and rule.worker}
    needed = {
        "get_workflow", "tick", "claim_next_jobs", "claim_jobs_based_on_resources", "start_job", "complete_job",
        "batch_complete_jobs", "retry_job", "get_workflow_status", "is_workflow_complete", "wait_for_change",
        "list_jobs", "get_job", "create_compute_node", "update_compute_node", "update_file", "get_user_data",
        "update_user_data", "create_event", "adopt_orphans",
    }  # fmt: skip
    assert needed <= names
    assert [name for name in names if name.startswith("delete")] == []
    assert [name for name in names if "access" in name or "group" in name or "token" in name or "auth" in name] == []
    assert names.isdisjoint({"create_workflow", "update_workflow", "cancel_workflow", "archive_workflow", "begin_run"})


def test_an_operation_without_a_row_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    from torc_core.service import access

    monkeypatch.delitem(rights.DECLARED, "cancel_workflow")
    monkeypatch.setattr(access, "_ROWS", {})
    world = World()
    with pytest.raises(Forbidden, match="no access rule"):
        world.as_user("amy").cancel_workflow(world.mine["workflows"])
