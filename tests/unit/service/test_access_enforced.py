"""Rights while they are enforced: what people see, which holes are closed, how rights come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.service.access_world import World
from torc_core.errors import Forbidden, Invalid, NotFound
from torc_core.records.access import AccessGroup, UserGroupMembership, WorkerToken
from torc_core.records.answers import Archiving, JobList, NewWorkflow
from torc_core.records.resources import File, Job, Result, Workflow
from torc_core.service.access import Access
from torc_core.service.local import LocalService
from torc_core.service.turn import Caller
from torc_core.status import JobStatus
from torc_plugins.storage.memory_storage import MemoryStorage


@pytest.fixture
def world() -> World:
    return World()


def names(service: LocalService, **filters: Any) -> list[str]:
    return [w.name for w in service.find(Workflow, **filters).items]


# what the published servers leave open


@pytest.mark.parametrize("who", ["amy", "anonymous"])
def test_a_user_filter_does_not_list_the_workflows_of_others(world: World, who: str) -> None:
    assert names(world.as_user(who), user="eve") == []
    assert world.as_user(who).find(Workflow, user="eve").total_count == 0


def test_nobody_without_a_login_makes_workflows(world: World) -> None:
    anonymous = world.as_user("anonymous")
    before = world.open.find(Workflow).total_count
    with pytest.raises(Forbidden, match="logged in"):
        anonymous.create(Workflow(name="w", user="eve"))
    with pytest.raises(Forbidden, match="logged in"):
        anonymous.create_whole_workflow(NewWorkflow(workflow={"name": "w", "user": "eve"}))
    assert world.open.find(Workflow).total_count == before


def test_nobody_makes_workflows_in_the_name_of_another(world: World) -> None:
    assert world.as_user("amy").create(Workflow(name="w", user="eve")).user == "amy"
    made = world.as_user("root").create_whole_workflow(NewWorkflow(workflow={"name": "w", "user": "eve"}))
    assert world.open.get(Workflow, made.workflow_id).user == "root"


def test_an_admin_of_a_group_does_not_open_the_workflows_of_others_to_it(world: World) -> None:
    with pytest.raises(Forbidden):
        world.as_user("ann").add_workflow_to_group(world.theirs["workflows"], world.group_id)
    with pytest.raises(Forbidden):
        world.as_user("ann").get(Workflow, world.theirs["workflows"])


def test_a_member_does_not_open_a_workflow_to_more_groups(world: World) -> None:
    other = world.open.find(AccessGroup).items[1]
    assert other.name == "strangers"
    for who in ("bob", "ann"):
        with pytest.raises(Forbidden):
            world.as_user(who).add_workflow_to_group(world.mine["workflows"], other.id)
    world.as_user("amy").add_workflow_to_group(world.mine["workflows"], other.id)


def test_a_file_is_not_moved_into_another_workflow(world: World) -> None:
    for workflow_id in (world.theirs["workflows"], 999):
        with pytest.raises(Invalid, match="moved"):
            world.as_user("amy").update(File, world.mine["files"], {"workflow_id": workflow_id, "path": "p"})
    same = {"workflow_id": world.mine["workflows"], "path": "here"}
    assert world.as_user("amy").update(File, world.mine["files"], same).path == "here"


def test_dependencies_do_not_name_jobs_of_other_workflows(world: World) -> None:
    amy, mine = world.as_user("amy"), world.mine["workflows"]
    theirs = [world.theirs["jobs"]]
    with pytest.raises(Invalid, match="no jobs"):
        amy.create(Job(workflow_id=mine, name="j", command="true", depends_on_job_ids=theirs))
    with pytest.raises(Invalid, match="no jobs"):
        amy.create_jobs(JobList(jobs=[Job(workflow_id=mine, name="j", command="true", depends_on_job_ids=theirs)]))
    with pytest.raises(Invalid, match="no jobs"):
        amy.update(Job, world.mine["jobs"], {"depends_on_job_ids": theirs})


def test_results_do_not_name_jobs_of_other_workflows(world: World) -> None:
    amy = world.as_user("amy")
    result = Result(
        workflow_id=world.mine["workflows"], job_id=world.theirs["jobs"], run_id=0, attempt_id=5, return_code=0,
        status=JobStatus.COMPLETED, exec_time_minutes=0.0, completion_time="2026-01-31T08:00:00Z",
    )  # fmt: skip
    with pytest.raises(Invalid, match="no jobs"):
        amy.create(result)
    with pytest.raises(Forbidden):
        amy.create(result.changed(workflow_id=world.theirs["workflows"]))
    with pytest.raises(Forbidden):
        amy.complete_job(world.theirs["jobs"], JobStatus.COMPLETED, 0, result)


def test_many_jobs_at_once_are_checked_one_by_one(world: World) -> None:
    jobs = [Job(workflow_id=world.mine["workflows"], name="a", command="true")]
    jobs.append(Job(workflow_id=world.theirs["workflows"], name="b", command="true"))
    with pytest.raises(Forbidden):
        world.as_user("amy").create_jobs(JobList(jobs=jobs))


# what people see


def test_lists_show_what_the_caller_may_see(world: World) -> None:
    for _ in range(2):
        world.as_user("bob").create(Workflow(name="bobs"))
    seen = {who: names(world.as_user(who)) for who in ("amy", "bob", "eve", "root", "anonymous")}
    assert seen == {
        "amy": ["plain-workflow"],
        "bob": ["plain-workflow", "bobs", "bobs"],
        "eve": ["hidden-workflow"],
        "root": ["plain-workflow", "hidden-workflow", "bobs", "bobs"],
        "anonymous": [],
    }
    page = world.as_user("bob").find(Workflow, limit=1, offset=1)
    assert (page.total_count, [w.name for w in page.items], page.has_more) == (3, ["bobs"], True)
    assert names(world.as_user("bob"), user="amy") == ["plain-workflow"]
    assert names(world.as_user("bob"), user="bob") == ["bobs", "bobs"]
    assert names(world.as_user("eve"), access_group="team") == []


def test_parts_of_all_workflows_are_for_administrators(world: World) -> None:
    with pytest.raises(Forbidden):
        world.as_user("amy").find(Job)
    assert world.as_user("root").find(Job).total_count == 2


@pytest.mark.parametrize("who", ["amy", "eve", "root", "anonymous"])
def test_what_is_not_there_is_not_found_by_anybody(world: World, who: str) -> None:
    service = world.as_user(who)
    calls: list[Callable[[], Any]] = [
        lambda: service.get(Workflow, 999),
        lambda: service.get(Job, 999),
        lambda: service.find(Job, 999),
        lambda: service.create(File(workflow_id=999, name="f", path="p")),
        lambda: service.delete(File, 999),
        lambda: service.cancel_workflow(999),
        lambda: service.retry_job(999, 0, 3),
        lambda: service.wait_for_change(999),
        lambda: service.on_change(999, lambda: None),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


def test_nobody_hears_of_the_changes_of_others(world: World) -> None:
    for call in (
        lambda: world.as_user("amy").on_change(world.theirs["workflows"], lambda: None),
        lambda: world.as_user("amy").subscribe(world.theirs["workflows"]),
        lambda: world.as_user("amy").wait_for_change(world.theirs["workflows"]),
    ):
        with pytest.raises(Forbidden):
            call()


def test_whether_others_may_use_a_workflow_is_for_administrators_to_ask(world: World) -> None:
    theirs = world.theirs["workflows"]
    assert not world.as_user("amy").check_workflow_access(theirs, "amy").has_access
    assert not world.as_user("amy").check_workflow_access(999, "amy").has_access
    with pytest.raises(Forbidden):
        world.as_user("amy").check_workflow_access(theirs, "eve")
    assert world.as_user("root").check_workflow_access(theirs, "eve").has_access


# rights come and go


def test_only_owner_and_administrators_hand_a_workflow_over(world: World) -> None:
    mine = world.mine["workflows"]
    with pytest.raises(Forbidden, match="hand over"):
        world.as_user("bob").update(Workflow, mine, {"user": "bob"})
    assert world.as_user("bob").update(Workflow, mine, {"user": "amy", "name": "n"}).name == "n"
    world.as_user("amy").update(Workflow, mine, {"user": "zoe"})
    world.as_user("zoe").get(Workflow, mine)
    with pytest.raises(Forbidden):
        world.as_user("amy").get(Workflow, mine)
    assert world.as_user("root").update(Workflow, mine, {"user": "amy"}).user == "amy"


def test_rights_end_with_membership_link_and_group(world: World) -> None:
    mine, bob, root = world.mine["workflows"], world.as_user("bob"), world.as_user("root")

    def may_use() -> bool:
        try:
            bob.get(Workflow, mine)
        except Forbidden:
            return False
        return True

    seen = [may_use()]
    world.as_user("ann").remove_user_from_group(world.group_id, "bob")
    seen.append(may_use())
    world.as_user("ann").add_user_to_group(world.group_id, UserGroupMembership(user_name="bob", role="member"))
    seen.append(may_use())
    world.as_user("amy").remove_workflow_from_group(mine, world.group_id)
    seen.append(may_use())
    world.as_user("amy").add_workflow_to_group(mine, world.group_id)
    seen.append(may_use())
    root.delete(AccessGroup, world.group_id)
    seen.append(may_use())
    assert seen == [True, False, True, False, True, False]


def test_listening_ends_with_the_right_to_it(world: World) -> None:
    mine, told = world.mine["workflows"], []
    heard = {
        who: world.as_user(who).subscribe(mine, "debug", lambda: told.append(1)) for who in ("bob", "ann", "token")
    }

    def happens() -> dict[str, int]:
        world.as_user("amy").archive_workflow(mine, Archiving(is_archived=True))
        world.as_user("amy").manage_status_change(world.mine["jobs"], JobStatus.DISABLED, 0)
        world.as_user("amy").manage_status_change(world.mine["jobs"], JobStatus.UNINITIALIZED, 0)
        return {who: len(subscription.take()) for who, subscription in heard.items()}

    assert min(happens().values()) > 0
    world.as_user("root").remove_user_from_group(world.group_id, "bob")
    told.clear()
    seen = happens()
    assert seen["bob"] == 0
    assert seen["ann"] > 0
    assert heard["bob"].is_closed
    assert told  # whoever waits is woken, and sees the end
    world.as_user("amy").delete(WorkerToken, world.service.caller_of_token(world.token).token_id)
    happens()
    assert heard["token"].is_closed
    assert not heard["ann"].is_closed


def test_a_change_of_rights_that_is_undone_is_not_remembered(world: World) -> None:
    mine, owner = world.mine["workflows"], world.service._owner

    def fail(turn: Any) -> None:
        turn.insert(UserGroupMembership(group_id=world.group_id, user_name="eve", role="member"))
        assert turn.access.standing(turn, "eve", mine) == "member"
        raise Invalid("undone")

    with pytest.raises(Invalid, match="undone"):
        owner.write(fail, Caller("root"))
    with pytest.raises(Forbidden):
        world.as_user("eve").get(Workflow, mine)


# ways in


def test_neighbours_over_a_socket_have_the_rights_of_their_name(tmp_path: Any) -> None:
    from torc_core.service.listener import Listener
    from torc_core.service.remote import RemoteService

    world = World()
    listener = Listener(lambda user: world.service.for_caller(Caller(user)), "token", tmp_path / "torc.db", "1")
    services = {user: RemoteService(listener.addresses[0], "token", user=user) for user in ("amy", "eve", "")}
    try:
        assert services["amy"].get(Workflow, world.mine["workflows"]).user == "amy"
        for user in ("eve", ""):
            with pytest.raises(Forbidden):
                services[user].get(Workflow, world.mine["workflows"])
        assert services["eve"].create(Workflow(name="w", user="amy")).user == "eve"
    finally:
        for service in services.values():
            service.close()
        listener.close()


def test_without_enforcement_the_name_in_a_new_workflow_is_kept_unless_somebody_has_logged_in() -> None:
    service = LocalService(MemoryStorage(""), access=Access())
    assert service.create(Workflow(name="w", user="eve")).user == "eve"
    assert service.create(Workflow(name="w")).user == "anonymous"
    assert service.for_caller(Caller("amy", is_login=True)).create(Workflow(name="w", user="eve")).user == "amy"
