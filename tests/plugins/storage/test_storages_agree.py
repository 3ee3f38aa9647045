"""All storages answer the same to whatever is done, refusals included."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from torc_core.contracts.storage import Condition
from torc_core.errors import TorcError
from torc_core.plugins import PluginHost
from torc_core.records.resources import Event, File, Job, ResourceRequirements, Result, Workflow
from torc_plugins.storage.memory_storage import MemoryStorage
from torc_plugins.storage.sqlite_storage import SqliteStorage

ids = st.integers(1, 4)
texts = st.sampled_from(["", "a", "A", "ab", "B%", "é", "É", "_", "数"])
numbers = st.none() | st.integers(-1, 2) | st.sampled_from([2**63 - 1, -(2**63)])
objects = st.none() | st.sampled_from(['{"k":1}', '{"k":"a","l":2}', '{"k":null}', "[1,2]", "3", "null", '{"k":true}'])
lists = st.none() | st.sampled_from(["[]", "[1]", "[1,2]", "[12]"])
COLUMNS = {
    Workflow: {"name": texts, "run_id": numbers},
    ResourceRequirements: {"workflow_id": ids, "name": texts},
    File: {"workflow_id": ids, "name": texts, "st_mtime": st.none() | st.floats(-2, 2) | st.integers(0, 3)},
    Job: {
        "workflow_id": ids,
        "name": texts,
        "priority": numbers,
        "resource_requirements_id": st.none() | ids,
        "input_file_ids": lists,
    },
    Result: {"workflow_id": ids, "job_id": ids, "run_id": ids, "attempt_id": st.none() | st.integers(1, 2)},
    Event: {"workflow_id": ids, "timestamp": numbers, "data": objects},
}
kinds = st.sampled_from(list(COLUMNS))


@st.composite
def conditions(draw, kind):
    fields = {"id": ids, **COLUMNS[kind]}
    field = draw(st.sampled_from(list(fields)))
    values = fields[field]
    words = ["equal", "one_of", "after"]
    words += ["contains"] * (values is texts) + ["inside"] * (values is objects) + ["has"] * (values is lists)
    word = draw(st.sampled_from(words))
    if word == "one_of":
        return Condition(field, word, draw(st.lists(values, max_size=4)))
    if word == "inside":
        member = draw(st.sampled_from(["k", "l", "no"]))
        return Condition(f"{field}.{member}", word, draw(st.sampled_from([None, 1, 2, "a", "b"])))
    return Condition(field, word, draw(ids if word == "has" else values))


@st.composite
def rows(draw, kind, key_last):
    names = draw(st.lists(st.sampled_from(list(COLUMNS[kind])), unique=True, min_size=1))
    if not key_last and draw(st.integers(0, 9)):
        names = list(COLUMNS[kind])  # mostly whole rows, or nothing would refer to anything
    row = st.tuples(*[COLUMNS[kind][name] for name in names])
    keyed = draw(st.lists(st.tuples(ids, row), max_size=4))
    if key_last:
        return names, [(*values, key) for key, values in keyed]
    return ["id", *names], [(key, *values) for key, values in keyed]


@st.composite
def operations(draw):
    kind = draw(kinds)
    where = draw(st.lists(conditions(kind), max_size=2))
    word = draw(st.sampled_from(["insert"] * 5 + ["update", "update_each", "delete", "next_ids", "rows", "tally"]))
    if word in ("insert", "update_each"):
        return word, (kind, *draw(rows(kind, word == "update_each")))
    if word == "update":
        changes = draw(st.fixed_dictionaries({}, optional=COLUMNS[kind]))
        return word, (kind, changes, where)
    if word == "next_ids":
        return word, (kind, draw(st.integers(1, 3)))
    if word == "tally":
        return word, (kind, draw(st.sampled_from(list(COLUMNS[kind]))), where)
    return word, (kind, where)


def answer(storage, word, arguments, page):
    if word == "rows":
        kind, where = arguments
        return list(storage.rows(kind, list(kind.FIELDS), where, **page))
    return getattr(storage, word)(*arguments)


def outcome(storage, transaction, page):
    """Return the answers of a transaction, ending with how it failed if it did."""
    answers = []
    try:
        with storage.transaction():
            for word, arguments in transaction:
                answers.append(answer(storage, word, arguments, page if word == "rows" else {}))
            if page["offset"] == 2:
                raise TorcError("changed my mind")
    except TorcError as exc:
        if len(answers) < len(transaction) and transaction[len(answers)][0] == "update":
            return [*answers, "refused"]  # of several faults in several rows, either may be told
        return [*answers, type(exc).__name__, exc.details]
    return answers


def content(storage):
    return [list(storage.rows(kind, list(kind.FIELDS))) for kind in COLUMNS]


pages = st.fixed_dictionaries(
    {
        "order": st.sampled_from(["id", "workflow_id", "name"]),
        "reverse": st.booleans(),
        "offset": st.integers(0, 2),
        "limit": st.none() | st.integers(0, 3),
    }
)
BEGINNING = [
    ("insert", (Workflow, ["id", "name"], [(1, "w"), (2, "w"), (3, "v")])),
    ("insert", (ResourceRequirements, ["id", "workflow_id", "name"], [(1, 1, "a"), (2, 2, "b")])),
    ("insert", (Job, ["id", "workflow_id", "name", "resource_requirements_id"], [(1, 1, "x", 1), (2, 2, "x", 2)])),
]


def compare(one, other, transactions):
    for transaction, page in [(BEGINNING, {"offset": 0}), *transactions]:
        kinds_of_it = [arguments[0] for word, arguments in transaction if word == "rows"]
        if any(page.get("order", "id") not in kind.FIELDS for kind in kinds_of_it):
            page = {**page, "order": "id"}
        assert outcome(one, transaction, page) == outcome(other, transaction, page)
        assert content(one) == content(other)


histories = st.lists(st.tuples(st.lists(operations(), max_size=4), pages), max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
def test_file_and_memory_answer_the_same(tmp_path_factory, transactions):
    file = SqliteStorage(str(tmp_path_factory.mktemp("agree") / "torc.db"))
    try:
        compare(file, MemoryStorage(""), transactions)
    finally:
        file.close()


def test_server_and_memory_answer_the_same(postgres_server):
    """One database for all histories, each of which begins without rows; a failure gets a new one."""
    pairs = []

    @settings(max_examples=150, deadline=None)
    @given(histories)
    def check(transactions):
        if not pairs:
            url = postgres_server.url()
            pairs.append((PluginHost().storage(url)(url.partition(":")[2]), MemoryStorage("")))
        server, memory = pairs[-1]
        try:
            compare(server, memory, transactions)
            for storage in (server, memory):
                with storage.transaction():
                    storage.delete(Workflow, [])
        except BaseException:
            pairs.clear()
            server.close()
            raise

    check()
    for server, _ in pairs:
        server.close()
