"""The derived document beside those of two releases of the published API: each difference has its reason here."""

import json
import re
from pathlib import Path

import pytest

from tests.server.condensed import condense
from torc_core.service.api import OPERATIONS
from torc_server.openapi import document

DATA = Path(__file__).with_name("data")
RELEASES = ("0.22.2", "0.35.0")

HAS_DEFAULT = "we do without it in requests, and have a default; answers always have it"
BY_CALLER = "text before 0.35, an object since; which of them, the caller's user agent decides"
FREE = "the inside is checked where it is used, with the words of specs"
UNION = "one path, two shapes: the answer has the members of both"
OWN_ERROR = "the inside is ours: message always, besides name, hint and what was wrong"

DIFFERENCES = {
    "answer get_workflow_status 200: WorkflowStatusResponse for WorkflowStatusModel": UNION,
    "field ComputeNodeModel.compute_node_type: string for string required": HAS_DEFAULT,
    "field ComputeNodeModel.num_nodes: integer for integer required": HAS_DEFAULT,
    "field ComputeNodesResources.num_gpus: integer for integer required": HAS_DEFAULT,
    "field ComputeNodesResources.num_nodes: integer for integer required": HAS_DEFAULT,
    "field ErrorResponse.code: nothing for integer": OWN_ERROR,
    "field ErrorResponse.errorMessage: nothing for string": OWN_ERROR,
    "field ErrorResponse.errorNum: nothing for integer": OWN_ERROR,
    "field EventModel.timestamp: integer for integer required": HAS_DEFAULT,
    "field JobModel.schedule_compute_nodes: any for ComputeNodeSchedule": FREE,
    "field ResetJobStatusResponse.status: string for string required": HAS_DEFAULT,
    "field ResultModel.compute_node_id: integer for integer required": HAS_DEFAULT,
    "field RoCrateEntityModel.metadata: any required for object required": BY_CALLER,
    "field RoCrateEntityModel.metadata: any required for string required": BY_CALLER,
    "field SlurmSchedulerModel.nodes: integer for integer required": HAS_DEFAULT,
    "field SlurmSchedulerModel.walltime: string for string required": HAS_DEFAULT,
    "field TaskModel.id: integer for integer required": HAS_DEFAULT,
    "field UserGroupMembershipModel.group_id: integer for integer required": "the group of the path counts",
    "field WorkflowModel.dynamic_jobs: any for DynamicJobsConfig": FREE,
    "field WorkflowModel.execution_config: any for ExecutionConfig": FREE,
    "field WorkflowModel.execution_config: any for string": BY_CALLER,
    "field WorkflowModel.metadata: any for object": BY_CALLER,
    "field WorkflowModel.metadata: any for string": BY_CALLER,
    "field WorkflowModel.resource_monitor_config: any for ResourceMonitorConfig": FREE,
    "field WorkflowModel.resource_monitor_config: any for string": BY_CALLER,
    "field WorkflowModel.slurm_defaults: any for object": BY_CALLER,
    "field WorkflowModel.slurm_defaults: any for string": BY_CALLER,
    "field WorkflowStatusResponse.active_scheduled_nodes: integer for integer required": HAS_DEFAULT,
    "field WorkflowStatusResponse.pending_scheduled_nodes: integer for integer required": HAS_DEFAULT,
    **{
        f"schema {name}": FREE
        for name in (
            "ComputeNodeMonitorConfig", "ComputeNodeSchedule", "DynamicJobsConfig", "ExecutionConfig", "ExecutionMode",
            "JobMonitorConfig", "MonitorGranularity", "ResourceMonitorConfig", "StdioConfig", "StdioMode",
        )
    },
}  # fmt: skip
"""What is otherwise in ours, with the reason."""


def differences(ours, theirs):
    """Yield everything of theirs that is otherwise in ours; what they leave open may be anything."""
    for call, wanted in theirs["operations"].items():
        found = ours["operations"].get(call)
        if found is None:
            yield f"operation {wanted['id']}"
            continue
        for what in ("id", "tags"):
            if found[what] != wanted[what]:
                yield f"{what} {wanted['id']}: {found[what]}"
        if found["body"] != wanted["body"] and wanted["body"] != "any":
            yield f"body {wanted['id']}: {found['body']} for {wanted['body']}"
        for name, kind in wanted["query"].items():
            if found["query"].get(name) != kind:
                yield f"query {wanted['id']}.{name}: {found['query'].get(name)} for {kind}"
        for code, kind in wanted["answers"].items():
            if found["answers"].get(code) != kind and kind != "any":
                yield f"answer {wanted['id']} {code}: {found['answers'].get(code)} for {kind}"
    for name, wanted in theirs["schemas"].items():
        found = ours["schemas"].get(name)
        if found is None:
            yield f"schema {name}"
            continue
        for field, kind in wanted.items():
            if found.get(field) != kind and not kind.startswith("any"):
                yield f"field {name}.{field}: {found.get(field, 'nothing')} for {kind}"


@pytest.fixture(scope="module")
def ours():
    return condense(document())


def published(release):
    return json.loads((DATA / f"openapi-{release}.json").read_text())


@pytest.mark.parametrize("release", RELEASES)
def test_each_operation_and_schema_is_the_published_one_but_for_reasons(ours, release):
    assert set(differences(ours, published(release))) - DIFFERENCES.keys() == set()


def test_every_reason_is_about_a_difference(ours):
    found = {text for release in RELEASES for text in differences(ours, published(release))}
    assert DIFFERENCES.keys() - found == set()


@pytest.mark.parametrize(("release", "count"), [("0.22.2", 122), ("0.35.0", 130)])
def test_the_published_data_are_whole(release, count):
    assert len(published(release)["operations"]) == count


def test_no_request_of_theirs_lacks_what_we_require(ours):
    for release in RELEASES:
        for call, wanted in published(release)["operations"].items():
            required = {name for name, kind in ours["operations"][call]["query"].items() if kind.endswith(" required")}
            assert required <= wanted["query"].keys(), call


@pytest.mark.parametrize("change", ["id", "body", "query", "answers", "tags", "schema"])
def test_the_comparison_sees_what_is_wrong(ours, change):
    theirs = published("0.35.0")
    op = theirs["operations"]["GET /jobs"]
    if change == "schema":
        theirs["schemas"]["JobModel"]["priority"] = "string"
    elif change == "query":
        op["query"]["limit"] = "string"
    elif change == "answers":
        op["answers"]["200"] = "JobModel"
    else:
        op[change] = "other"
    assert set(differences(ours, theirs)) - DIFFERENCES.keys()


def test_every_operation_is_in_the_document():
    listed = {op["operationId"] for methods in document()["paths"].values() for op in methods.values()}
    assert listed == set(OPERATIONS)


def test_no_path_is_there_twice_under_other_names():
    paths = document()["paths"]
    assert len({re.sub("{.*?}", "{}", path) for path in paths}) == len(paths)
    for path, methods in paths.items():
        for op in methods.values():
            said = {p["name"] for p in op["parameters"] if p["in"] == "path"}
            assert said == set(re.findall("{(.*?)}", path)), op["operationId"]


def test_the_document_is_served_and_written(server, tmp_path):
    from tests.server.test_run import torc

    served = server.get("/openapi.json")
    assert served == json.loads(json.dumps(document()))
    torc(tmp_path, "server", "openapi", "-o", "openapi.json")
    assert json.loads((tmp_path / "openapi.json").read_text()) == served
    assert json.loads(torc(tmp_path, "server", "openapi").stdout) == served
