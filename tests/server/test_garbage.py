"""Every operation with what makes no sense: each request has an answer, in JSON, and none of them a 5xx."""

import http.client
import json

import pytest

from tests.server import seeding
from torc_core.service.api import OPERATIONS
from torc_core.service.server_address import BASE

BIG = 2**63
IDS = [
    "0",
    "-1",
    "1",
    str(BIG - 1),
    str(BIG),
    "9" * 400,
    "1e3",
    "x",
    "%00",
    "%FF%FE",
    "%2F",
    "..",
    "1;2",
    "%C3%A9",
    "%F0%9F",
]
VALUES = [*IDS, "", "true", "True", "nan", "inf", "-inf", "1_000", "%201", "%0A", "null", "[]", "a" * 5000]
BODIES = [
    b"", b"{", b"[", b'"', b"nul", b"\x00", b"\xff\xfe", b"{}{}", b"[]", b"{}", b"null", b"0", b"-1", b'"text"',
    b"true", b"1e999", b"NaN", b'{"a": NaN}', b'{"\\ud800": 1}', b'{"name": "\\u0000", "user": "\\u0000"}',
    b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'{"id": ' + b"9" * 5000 + b"}",
    b'{"name": "' + b"x" * 1_000_000 + b'"}',
]  # fmt: skip
JUNK = [
    None,
    True,
    0,
    -1,
    1.5,
    BIG,
    -BIG - 1,
    1e308,
    "",
    "text",
    "\0",
    "\ud7ff",
    "x" * 10_000,
    [],
    [None],
    [[]],
    {},
    {"a": None},
]


@pytest.fixture(scope="module")
def known(shared_server):
    """Ids that are there, by the names that paths and bodies give them."""
    workflow_id, [job] = seeding.ready(shared_server, "a")
    node = seeding.node(shared_server, workflow_id)
    return {"id": workflow_id, "workflow_id": workflow_id, "job_id": job, "compute_node_id": node}


class Asker:
    """One connection that is opened again when the server has ended it."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.count = 0

    def __call__(self, method, path, body=None):
        """Ask; returns the status."""
        self.count += 1
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, BASE + path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status < 500 or answer.status == 501, (method, path, (body or b"")[:200], text)
        if answer.headers["Content-Type"] != "text/event-stream":
            json.loads(text)
        return answer.status


@pytest.fixture
def ask(shared_server):
    asker = Asker(shared_server)
    yield asker
    asker.connection.close()
    assert "Traceback" not in shared_server.text()


def paths(op, known):
    """Yield paths of an operation with sense, and with one variable at a time without."""
    variables = {p.name: str(known.get(p.name, 1)) for p in op.parameters if p.place == "path"}
    yield op.path.format(**variables)
    if op.is_stream:
        return
    for name in variables:
        for text in IDS:
            yield op.path.format(**{**variables, name: text})


def queries(op, known):
    """Yield queries with one parameter at a time without sense."""
    taken = [p.name for p in op.parameters if p.place == "query" and p.name != "wait_seconds"]
    usual = {name: str(known[name]) for name in taken if name in known}
    for name in taken:
        for text in VALUES:
            yield "&".join(f"{n}={t}" for n, t in {**usual, name: text}.items())
    yield "&".join(f"a{n}=1" for n in range(2000))


@pytest.mark.parametrize("name", [name for name, op in OPERATIONS.items() if op.method != "DELETE"])
def test_paths_and_queries_without_sense_are_answered(ask, known, name):
    op = OPERATIONS[name]
    body = b"{}" if op.body is not None else None
    for path in list(paths(op, known))[1 if op.is_stream else 0 :]:
        ask(op.method, path, body)
    if not op.is_stream:
        first = next(paths(op, known))
        for query in queries(op, known):
            ask(op.method, f"{first}?{query}", body)


def spoiled(data):
    """Yield copies of JSON with one member at a time replaced by junk."""
    for name in data:
        for junk in JUNK:
            yield {**data, name: junk}


def example(kind, known):
    """Return a body with sense as far as that is known."""
    found = {}
    for name, field in getattr(kind, "FIELDS", {}).items():
        usual = {int: 1, float: 1.0, bool: True, str: "text"}.get(field.type)
        if name in known:
            found[name] = known[name]
        elif name == "user" or not field.optional:
            found[name] = usual if usual is not None else []
        else:
            found[name] = None
    return found


@pytest.mark.parametrize("name", [name for name, op in OPERATIONS.items() if op.body is not None])
def test_bodies_without_sense_are_answered(ask, known, name):
    op = OPERATIONS[name]
    path = next(paths(op, known))
    for body in BODIES:
        ask(op.method, path, body)
    for data in spoiled(example(op.body.type, known)):
        data.pop("wait_seconds", None)
        ask(op.method, path, json.dumps(data).encode())


@pytest.mark.parametrize("name", [name for name, op in OPERATIONS.items() if op.method == "DELETE"])
def test_deletions_without_sense_are_answered(ask, known, name):
    op = OPERATIONS[name]
    for path in list(paths(op, known))[1:]:
        if "/1" not in path:  # that one is needed
            ask("DELETE", path + "?workflow_id=99999")
    for query in ("workflow_id=99999", "workflow_id=x", "workflow_id=", ""):
        if not any(p.place == "path" for p in op.parameters):
            ask("DELETE", f"{op.path}?{query}")
