"""Lists on the wire: pages, limits, order, filters, and the shapes of lists that are none of these."""

import pytest

from tests.server import seeding
from tests.server.seeding import CURL, OURS, PYTHON, RUST, RUST_NEW

PAGED = [
    "/workflows", "/jobs", "/files", "/user_data", "/resource_requirements", "/local_schedulers", "/slurm_schedulers",
    "/compute_nodes", "/scheduled_compute_nodes", "/results", "/events", "/slurm_stats",
    "/workflows/{w}/job_dependencies", "/workflows/{w}/job_file_relationships",
    "/workflows/{w}/job_user_data_relationships", "/workflows/{w}/failure_handlers",
    "/workflows/{w}/ro_crate_entities", "/workflows/{w}/running_jobs", "/workflows/{w}/slurm_job_correlations",
]  # fmt: skip
GROUPS = ["/access_groups", "/users/ada/groups", "/workflows/{w}/access_groups", "/access_groups/{g}/members"]
ARRAYS = ["/workflows/{w}/actions", "/workflows/{w}/actions/pending", "/workflows/{w}/remote_workers"]
AGENTS = {
    "0.12": PYTHON["0.12"], "0.22": PYTHON["0.22"], "0.35": PYTHON["0.35"], "rust": RUST, "rust 1.0": RUST_NEW,
    "curl": CURL,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(shared_server):
    workflow_id = seeding.workflow(shared_server)
    ids = seeding.jobs(shared_server, workflow_id, "e", "d", "c", "b", "a")
    group = shared_server.post("/access_groups", {"name": "a group"})["id"]
    return {"w": workflow_id, "g": group, "jobs": ids}


def get(server, made, path, agent=None):
    """Return an answer for a path with ids in it; lists of one workflow are asked for with its id."""
    path = path.format(**made)
    if not path.startswith(("/workflows", "/access_groups", "/users")):
        path += ("&" if "?" in path else "?") + f"workflow_id={made['w']}"
    return server.ask("GET", path, headers=agent)


def with_query(path, query):
    return f"{path}?{query}"


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("path", PAGED)
def test_every_page_says_the_same_about_itself(shared_server, made, path, agent):
    status, _, page = get(shared_server, made, path, AGENTS[agent])
    assert status == 200
    assert {"items", "offset", "max_limit", "count", "total_count", "has_more"} <= page.keys()
    assert page["count"] == len(page["items"])
    if path != "/slurm_stats":  # they say what was asked for
        assert page["max_limit"] == 100_000


@pytest.mark.parametrize("path", PAGED)
def test_the_command_line_may_ask_for_its_usual_page(shared_server, made, path):
    status, _, page = get(shared_server, made, with_query(path, "offset=0&limit=100000&sort_by="), RUST)
    assert (status, page["has_more"]) == (200, False)


@pytest.mark.parametrize("path", GROUPS)
def test_lists_of_groups_say_which_limit_was_asked_for(shared_server, made, path):
    status, _, page = get(shared_server, made, with_query(path, "limit=7&offset=0"), PYTHON["0.22"])
    assert status == 200
    assert {"items", "offset", "limit", "total_count", "has_more"} <= page.keys()
    assert page["limit"] == 7


@pytest.mark.parametrize("path", ARRAYS)
def test_some_lists_are_plain_arrays(shared_server, made, path):
    assert get(shared_server, made, path, PYTHON["0.35"])[2] == []


def test_ours_gets_pages_of_everything(shared_server, made):
    for path in (*GROUPS, ARRAYS[0], ARRAYS[2]):
        assert {"items", "total_count"} <= get(shared_server, made, path, OURS)[2].keys()


@pytest.mark.parametrize(
    ("query", "names", "has_more"),
    [
        ("limit=2", "ed", True),
        ("limit=2&offset=3", "ba", False),
        ("limit=2&offset=2", "cb", True),
        ("offset=5", "", False),
        ("offset=99", "", False),
        ("limit=0", "", True),
        ("sort_by=name", "abcde", False),
        ("sort_by=name&reverse_sort=true", "edcba", False),
        ("sort_by=", "edcba", False),
        ("reverse_sort=true", "abcde", False),
        ("sort_by=&reverse_sort=true", "abcde", False),
        ("sort_by=name&limit=2&offset=1", "bc", True),
        ("name=d", "d", False),
        ("command=ru", "edcba", False),
        ("command=r%25", "", False),
        ("status=uninitialized", "edcba", False),
        ("status=0", "edcba", False),
        ("status=ready", "", False),
    ],
)
def test_pages_order_and_filters(shared_server, made, query, names, has_more):
    page = get(shared_server, made, f"/jobs?{query}")[2]
    assert "".join(job["name"] for job in page["items"]) == names
    assert page["has_more"] is has_more
    if "name=d" not in query and "%" not in query and "ready" not in query:
        assert page["total_count"] == 5


@pytest.mark.parametrize(
    ("agent", "status"), [("0.12", 200), ("0.22", 200), ("0.35", 422), ("rust", 200), ("rust 1.0", 422), ("curl", 422)]
)
def test_no_limit_at_all_is_for_those_who_know_it(shared_server, made, agent, status):
    found, _, page = get(shared_server, made, "/jobs?limit=-1", AGENTS[agent])
    assert found == status
    if status == 200:
        assert page["count"] == 5


@pytest.mark.parametrize("path", PAGED)
def test_more_than_the_largest_page_is_refused_or_cut(shared_server, made, path):
    status, _, data = get(shared_server, made, with_query(path, "limit=100001"))
    if "_relationships" in path or "dependencies" in path:
        assert (status, data["max_limit"]) == (200, 100_000)
    elif path == "/slurm_stats":
        assert status in (200, 422)
    else:
        assert status == 422
        assert "100000" in data["error"]["message"].replace(",", "")


def test_a_stranger_gets_lists_by_their_kind_besides(shared_server, made):
    page = get(shared_server, made, "/jobs", CURL)[2]
    assert page["jobs"] == page["items"]
    assert get(shared_server, made, "/workflows", CURL)[2]["workflows"]
    assert "jobs" not in get(shared_server, made, "/jobs", PYTHON["0.35"])[2]


def test_fields_that_other_releases_know_are_there_and_null(shared_server, made):
    job = get(shared_server, made, f"/jobs/{made['jobs'][0]}")[2]
    assert {"scheduler_id": None, "failure_handler_id": None, "invocation_script": None}.items() <= job.items()


def test_relationships_of_jobs_come_on_request(shared_server):
    workflow_id = seeding.workflow(shared_server)
    [first] = seeding.jobs(shared_server, workflow_id, "first")
    [second] = seeding.jobs(shared_server, workflow_id, "second", depends_on_job_ids=[first])
    path = f"/jobs?workflow_id={workflow_id}"
    assert shared_server.get(path)["items"][1].get("depends_on_job_ids") is None
    full = shared_server.get(path + "&include_relationships=true")["items"]
    assert [job.get("depends_on_job_ids") for job in full] == [None, [first]]
    assert shared_server.get(f"{path}&upstream_job_id={first}")["items"][0]["id"] == second
    edges = shared_server.get(f"/workflows/{workflow_id}/job_dependencies")["items"]
    assert edges == [
        {"job_id": second, "job_name": "second", "depends_on_job_id": first, "depends_on_job_name": "first",
         "workflow_id": workflow_id}
    ]  # fmt: skip
