"""The table of rights over HTTP, on a real server: what strangers get for every operation, by any means they have."""

import base64
import contextlib

import bcrypt
import pytest

from tests.server.server_process import ServerProcess
from tests.unit.service.access_world import SECRET, World, arguments_of, call, operations
from tests.unit.service.test_access_rights import SPECIAL
from torc_core.errors import Forbidden, TorcError, Unauthorized
from torc_core.records.resources import Workflow, WorkflowAction
from torc_core.service.http import HttpService
from torc_core.service.rights import Right, rule_of
from torc_core.service.server_address import Login
from torc_plugins.storage.sqlite_storage import SqliteStorage

PEOPLE = ("amy", "bob", "ann", "root", "eve")
LOGINS = {
    "eve": Login("eve", "eve-pw"),
    "nobody": Login(""),
    "wrong password": Login("amy", "guess"),
}
OPERATIONS = [op for op in operations() if not op.is_stream]


class Prepared:
    """A server with two workflows that hold a record of every kind; amy owns the first, eve the second."""

    def __init__(self, folder, *words):
        database = folder / "torc.db"
        storage = SqliteStorage(str(database))
        world = World(storage=storage)
        self.mine, self.theirs, self.token = world.mine, world.theirs, world.token
        world.service.close()
        users = folder / "users"
        users.write_text(
            "".join(f"{n}:{bcrypt.hashpw(f'{n}-pw'.encode(), bcrypt.gensalt(4)).decode()}\n" for n in PEOPLE)
        )
        rules = ("--auth-file", users, "--enforce-access-control", "--admin-user", "root", *words)
        self.server = ServerProcess(folder, *rules, database=str(database))
        self.clients = []

    def client(self, login):
        self.clients.append(HttpService(self.server.url, login))
        return self.clients[-1]

    def close(self):
        for client in self.clients:
            client.close()
        self.server.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    made = Prepared(tmp_path_factory.mktemp("rights"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def strangers(prepared):
    """Clients that have no right to amy's workflow; each is used for all operations."""
    return {name: prepared.client(login) for name, login in LOGINS.items()}


def outcome(service, op, arguments):
    try:
        call(service, op, arguments)
    except (Forbidden, Unauthorized) as exc:
        return exc.code
    except TorcError as exc:
        assert exc.code < 500, exc
    return 0


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: op.name)
def test_strangers_are_refused_what_is_not_for_everybody(prepared, strangers, op):
    arguments = arguments_of(op, prepared.mine)
    for_eve = "eve" in SPECIAL.get(op.name, ())
    for_all = "anonymous" in SPECIAL.get(op.name, ())
    assert outcome(strangers["eve"], op, arguments) == (0 if for_eve else 403)
    assert outcome(strangers["nobody"], op, arguments) == (0 if for_all else 403)


def test_a_wrong_password_is_worth_nothing(prepared):
    service = prepared.client(LOGINS["wrong password"])
    with pytest.raises(Forbidden):
        service.create(Workflow(name="w", user="amy"))
    with pytest.raises(Forbidden):
        service.get(Workflow, prepared.mine["workflows"])
    assert service.find(Workflow, user="amy").items == []


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: op.name)
def test_a_worker_token_opens_nothing_of_another_workflow(prepared, op):
    rule = rule_of(op)
    service = prepared.client(Login("", token=prepared.token))
    if rule.right is Right.WORKFLOW or not rule.worker:
        assert outcome(service, op, arguments_of(op, prepared.theirs)) == 403


@pytest.mark.parametrize("who", ["amy", "bob", "ann", "root"])
def test_those_who_may_do(prepared, who):
    """Reading is enough here: the rest is tested without a server, where every test has records of its own."""
    service = prepared.client(Login(who, f"{who}-pw"))
    for op in OPERATIONS:
        if op.is_read_only and rule_of(op).right is Right.WORKFLOW:
            assert outcome(service, op, arguments_of(op, prepared.mine)) == 0, op.name


def test_nothing_that_strangers_read_shows_the_records_of_others(prepared):
    reader = prepared.client(Login("amy", "amy-pw"))
    for op in OPERATIONS:
        if op.is_read_only:
            with contextlib.suppress(TorcError):
                answer = call(reader, op, arguments_of(op, prepared.mine))
                assert SECRET not in repr(getattr(answer, "items", answer)), op.name


def test_the_workflow_of_the_path_and_that_of_the_body_are_one(prepared):
    """A body that names another workflow than the path neither gets at that one nor hides behind it."""
    mine, theirs = prepared.mine["workflows"], prepared.theirs["workflows"]
    basic = "Basic " + base64.b64encode(b"eve:eve-pw").decode()
    action = {"trigger_type": "on_workflow_start", "action_type": "run_commands", "action_config": {"commands": ["x"]}}
    for path, named in ((theirs, mine), (mine, theirs)):
        body = {**action, "workflow_id": named}
        status, _, answer = prepared.server.ask(
            "POST", f"/workflows/{path}/actions", body, headers={"Authorization": basic}
        )
        assert (status, answer.get("workflow_id")) in ((200, theirs), (403, None)), answer
    with contextlib.closing(prepared.client(Login("root", "root-pw"))) as root:
        assert [a.trigger_type for a in root.find(WorkflowAction, mine).items] == ["on_workflow_start"]  # its own one
