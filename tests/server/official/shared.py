"""Actions and groups, through the official client."""

import time

import torc.openapi_client as c
from kit import OLDEST, api, begin, check, complete, new_node, new_workflow, same, start_all, status_of
from runs import diamond


@check()
def actions():
    workflow_id, ids = diamond()
    made = api.create_workflow_action(
        workflow_id,
        c.WorkflowActionModel(
            workflow_id=workflow_id, trigger_type="on_jobs_complete", action_type="run_commands",
            action_config={"commands": ["echo done"]}, job_ids=[ids["top"]],
        ),
    )  # fmt: skip
    same([a.id for a in api.get_workflow_actions(workflow_id)], [made.id])
    start = api.create_workflow_action(
        workflow_id,
        c.WorkflowActionModel(
            workflow_id=workflow_id, trigger_type="on_workflow_start", action_type="run_commands",
            action_config={"commands": ["echo begun"]},
        ),
    )  # fmt: skip
    bad = c.WorkflowActionModel(
        workflow_id=workflow_id, trigger_type="on_workflow_start", action_type="run_commands", action_config={}
    )
    same(status_of(api.create_workflow_action, workflow_id, bad), 422)
    node = new_node(workflow_id)
    begin(workflow_id)
    same([a.id for a in api.get_pending_actions(workflow_id, trigger_type=["on_workflow_start"])], [start.id])
    same(api.get_pending_actions(workflow_id, trigger_type=["on_jobs_complete", "nonsense"]), [])
    found = api.claim_action(workflow_id, start.id, c.ClaimActionRequest(compute_node_id=node))
    assert found.success, found
    same(status_of(api.claim_action, workflow_id, start.id, c.ClaimActionRequest(compute_node_id=node)), 409)
    same(status_of(api.claim_action, workflow_id, 10**6, c.ClaimActionRequest(compute_node_id=node)), 404)
    start_all(workflow_id, node)
    complete(workflow_id, ids["top"], node)
    same([a.id for a in api.get_pending_actions(workflow_id)], [made.id])


# groups


@check()
def access_groups():
    name = f"group{time.time_ns()}"
    group = api.create_access_group(c.AccessGroupModel(name=name, description="who"))
    same(status_of(api.create_access_group, c.AccessGroupModel(name=name)), 409)
    assert name in [g.name for g in api.list_access_groups(limit=100_000).items]
    same(api.get_access_group(group.id).description, "who")
    member = c.UserGroupMembershipModel(group_id=group.id, user_name="bob", role="member")
    same(api.add_user_to_group(group.id, member).user_name, "bob")
    same(status_of(api.add_user_to_group, group.id, member), 409)
    page = api.list_group_members(group.id)
    same(([m.user_name for m in page.items], page.total_count, page.has_more), (["bob"], 1, False))
    assert page.limit, page
    same([g.id for g in api.list_user_groups("bob").items if g.name == name], [group.id])
    workflow_id = new_workflow()
    if not OLDEST:  # which posts to a path that never was
        same(api.add_workflow_to_group(workflow_id, group.id).group_id, group.id)
        same(status_of(api.add_workflow_to_group, workflow_id, group.id), 409)
        same([g.id for g in api.list_workflow_groups(workflow_id).items], [group.id])
        same(api.check_workflow_access(workflow_id, "bob").has_access, True)
        same(api.check_workflow_access(workflow_id, "eve").has_access, False)
        api.remove_workflow_from_group(workflow_id, group.id)
        same(api.check_workflow_access(workflow_id, "bob").has_access, False)
    api.remove_user_from_group(group.id, "bob")
    same(status_of(api.remove_user_from_group, group.id, "bob"), 404)
    same(api.delete_access_group(group.id).name, name)
