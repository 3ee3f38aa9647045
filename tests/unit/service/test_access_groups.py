"""Groups, their members, and workflows that are open to them: what is kept, whoever enforces it."""

from __future__ import annotations

import pytest

from torc_core.errors import Conflict, Forbidden, Invalid, NoAuthFile, NotFound
from torc_core.records.access import AccessGroup, UserGroupMembership
from torc_core.records.answers import NewWorkflow
from torc_core.records.resources import Workflow
from torc_core.service.access import Access
from torc_core.service.local import LocalService
from torc_plugins.storage.memory_storage import MemoryStorage


def group(service: LocalService, name: str, *members: str) -> int:
    made = service.create(AccessGroup(name=name))
    for member in members:
        service.add_user_to_group(made.id, UserGroupMembership(user_name=member, role="member"))
    return made.id


def members(service: LocalService, group_id: int) -> list[tuple[str, str]]:
    return [(m.user_name, m.role) for m in service.list_group_members(group_id).items]


def test_groups_are_listed_by_name(service: LocalService) -> None:
    for name in ("wind", "solar", "tide"):
        service.create(AccessGroup(name=name, description=f"about {name}"))
    page = service.find(AccessGroup, limit=2)
    assert [g.name for g in page.items] == ["solar", "tide"]
    assert (page.total_count, page.has_more, page.limit) == (3, True, 2)
    assert service.get(AccessGroup, page.items[0].id).description == "about solar"
    assert (page.items[0].created_at or "").endswith("Z")


def test_a_group_needs_a_name_that_is_free(service: LocalService) -> None:
    service.create(AccessGroup(name="wind"))
    with pytest.raises(Conflict, match="wind"):
        service.create(AccessGroup(name=" wind "))
    with pytest.raises(Invalid, match="name"):
        service.create(AccessGroup(name="  "))
    assert service.find(AccessGroup).total_count == 1


def test_members_come_and_go(service: LocalService) -> None:
    wind = group(service, "wind", "eve", "bob")
    service.add_user_to_group(wind, UserGroupMembership(group_id=77, user_name="amy", role="admin"))
    assert members(service, wind) == [("amy", "admin"), ("bob", "member"), ("eve", "member")]
    assert service.remove_user_from_group(wind, "bob").user_name == "bob"
    assert [name for name, _ in members(service, wind)] == ["amy", "eve"]
    with pytest.raises(NotFound, match="bob"):
        service.remove_user_from_group(wind, "bob")
    with pytest.raises(Conflict, match="eve"):
        service.add_user_to_group(wind, UserGroupMembership(user_name="eve", role="admin"))
    with pytest.raises(Invalid, match="name"):
        service.add_user_to_group(wind, UserGroupMembership(user_name="anonymous", role="member"))


def test_groups_that_are_not_there_are_not_found(service: LocalService) -> None:
    workflow_id = service.create(Workflow(name="w")).id
    for call in (
        lambda: service.list_group_members(9),
        lambda: service.add_user_to_group(9, UserGroupMembership(user_name="bob", role="member")),
        lambda: service.remove_user_from_group(9, "bob"),
        lambda: service.add_workflow_to_group(workflow_id, 9),
        lambda: service.remove_workflow_from_group(workflow_id, 9),
        lambda: service.delete(AccessGroup, 9),
    ):
        with pytest.raises(NotFound, match="group"):
            call()
    wind = group(service, "wind")
    for call in (
        lambda: service.list_workflow_groups(99),
        lambda: service.add_workflow_to_group(99, wind),
        lambda: service.remove_workflow_from_group(99, wind),
    ):
        with pytest.raises(NotFound, match="workflow"):
            call()


def test_somebody_s_groups_are_listed_by_name(service: LocalService) -> None:
    for name, people in (("wind", ["bob"]), ("solar", ["bob", "eve"]), ("tide", ["eve"])):
        group(service, name, *people)
    assert [g.name for g in service.list_user_groups("bob").items] == ["solar", "wind"]
    assert service.list_user_groups("bob", offset=1).items[0].name == "wind"
    assert service.list_user_groups("nobody").total_count == 0


def test_a_workflow_shows_the_names_of_its_groups(service: LocalService) -> None:
    wind, solar = group(service, "wind"), group(service, "solar")
    workflow_id = service.create(Workflow(name="w")).id
    link = service.add_workflow_to_group(workflow_id, wind)
    assert (link.workflow_id, link.group_id) == (workflow_id, wind)
    service.add_workflow_to_group(workflow_id, solar)
    assert service.get(Workflow, workflow_id).access_groups == ["solar", "wind"]
    assert [g.name for g in service.list_workflow_groups(workflow_id).items] == ["solar", "wind"]
    with pytest.raises(Conflict, match="wind"):
        service.add_workflow_to_group(workflow_id, wind)
    service.remove_workflow_from_group(workflow_id, solar)
    assert service.get(Workflow, workflow_id).access_groups == ["wind"]
    with pytest.raises(NotFound, match="solar"):
        service.remove_workflow_from_group(workflow_id, solar)
    service.delete(AccessGroup, wind)
    assert service.get(Workflow, workflow_id).access_groups is None


def test_a_deleted_group_leaves_nothing_behind(service: LocalService) -> None:
    wind, solar = group(service, "wind", "bob"), group(service, "solar")
    workflow_id = service.create(Workflow(name="w")).id
    for id in (wind, solar):
        service.add_workflow_to_group(workflow_id, id)
    assert service.check_workflow_access(workflow_id, "bob").has_access
    assert service.delete(AccessGroup, wind).name == "wind"
    assert not service.check_workflow_access(workflow_id, "bob").has_access
    assert service.get(Workflow, workflow_id).access_groups == ["solar"]
    assert service.list_user_groups("bob").items == []


def test_a_new_workflow_names_its_groups(service: LocalService) -> None:
    for name in ("wind", "solar"):
        group(service, name, f"{name}-person")
    one = service.create(Workflow(name="w", access_groups=["wind", "solar"]))
    assert one.access_groups == ["solar", "wind"]
    made = service.create_whole_workflow(NewWorkflow(workflow={"name": "w", "access_groups": ["solar"]}))
    assert service.get(Workflow, made.workflow_id).access_groups == ["solar"]
    assert service.check_workflow_access(made.workflow_id, "solar-person").has_access
    assert not service.check_workflow_access(made.workflow_id, "wind-person").has_access
    assert service.create(Workflow(name="w", access_groups=[])).access_groups is None


@pytest.mark.parametrize("names", [["wind", "tide"], ["wind", "wind"]])
def test_unknown_and_repeated_groups_make_no_workflow(service: LocalService, names: list[str]) -> None:
    group(service, "wind")
    with pytest.raises(Invalid, match=names[1]):
        service.create(Workflow(name="w", access_groups=names))
    with pytest.raises(Invalid, match=names[1]):
        service.create_whole_workflow(NewWorkflow(workflow={"name": "w", "access_groups": names}))
    assert service.find(Workflow).total_count == 0


def test_an_update_does_not_change_groups(service: LocalService) -> None:
    for name in ("wind", "solar"):
        group(service, name)
    made = service.create(Workflow(name="w", access_groups=["wind", "solar"]))
    assert service.update(Workflow, made.id, {"name": "v", "access_groups": ["wind", "solar"]}).name == "v"
    with pytest.raises(Invalid, match="groups"):
        service.update(Workflow, made.id, {"name": "u", "access_groups": ["wind"]})
    kept = service.get(Workflow, made.id)
    assert (kept.name, kept.access_groups) == ("v", ["solar", "wind"])


def test_workflows_are_listed_by_group(service: LocalService) -> None:
    for name in ("wind", "solar"):
        group(service, name)
    for name, groups in (("a", ["wind"]), ("b", ["solar"]), ("c", ["wind", "solar"]), ("d", None)):
        service.create(Workflow(name=name, access_groups=groups))
    assert [w.name for w in service.find(Workflow, access_group="wind").items] == ["a", "c"]
    assert service.find(Workflow, access_group="wind", name="c").total_count == 1
    assert service.find(Workflow, access_group="nothing").total_count == 0


def test_who_may_use_a_workflow_is_worked_out_although_nobody_enforces_it(service: LocalService) -> None:
    wind = group(service, "wind", "bob")
    workflow_id = service.create(Workflow(name="w", user="amy")).id
    service.add_workflow_to_group(workflow_id, wind)
    found = {name: service.check_workflow_access(workflow_id, name) for name in ("amy", "bob", "eve", "anonymous")}
    assert [check.has_access for check in found.values()] == [True, True, False, False]
    assert found["amy"].reason == "amy owns it"
    assert not service.check_workflow_access(99, "amy").has_access


def test_the_group_of_administrators_follows_the_service() -> None:
    storage = MemoryStorage("")
    service = LocalService(storage, access=Access(administrators=["root", "ops"]))
    (admin,) = service.find(AccessGroup).items
    assert (admin.name, members(service, admin.id)) == ("admin", [("ops", "admin"), ("root", "admin")])
    workflow_id = service.create(Workflow(name="w", user="amy")).id
    assert service.check_workflow_access(workflow_id, "root").has_access
    for change in (
        lambda: service.delete(AccessGroup, admin.id),
        lambda: service.add_user_to_group(admin.id, UserGroupMembership(user_name="eve", role="admin")),
        lambda: service.remove_user_from_group(admin.id, "root"),
        lambda: service.create(AccessGroup(name="admin")),
    ):
        with pytest.raises(Forbidden, match="admin"):
            change()
    again = LocalService(storage, access=Access(administrators=["root"]))
    assert members(again, admin.id) == [("root", "admin")]
    assert not again.check_workflow_access(workflow_id, "ops").has_access


def test_anonymous_cannot_be_an_administrator() -> None:
    with pytest.raises(Invalid, match="anonymous"):
        Access(administrators=["anonymous"])


def test_users_are_read_again_where_there_is_a_file_of_them(service: LocalService) -> None:
    with pytest.raises(NoAuthFile, match="file"):
        service.reload_auth()
    reloading = LocalService(MemoryStorage(""), access=Access(reload=lambda: 7))
    assert reloading.reload_auth().user_count == 7
