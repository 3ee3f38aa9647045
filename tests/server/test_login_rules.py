"""Who a request is from: the three cases of the published server, plugins, tokens; and that guessing is slow."""

import threading
from base64 import b64encode

import bcrypt
import pytest

from tests.server.server_process import until
from torc_core.contracts.access import ANONYMOUS, Principal
from torc_core.errors import Invalid, PluginError, Unauthorized, UsageError
from torc_core.records.answers.access import TokenRequest
from torc_core.records.resources import Workflow
from torc_core.service.access import Access
from torc_core.service.local import LocalService
from torc_core.service.turn import Caller
from torc_plugins.storage.memory_storage import MemoryStorage
from torc_server.auth import Logins
from torc_server.callers import dialect_of
from torc_server.credentials import Credentials
from torc_server.guards import Guard, Protection, guard_of
from torc_server.serve import Settings, check_exposure
from torc_server.throttle import Throttle, TooManyLogins

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
CURL, OURS = dialect_of("curl/8.0", False), dialect_of("torc/0.1.0", True)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Plugins:
    """Plugins with the given answers."""

    def __init__(self, authenticate=None, authorize=None):
        self._authenticate = authenticate
        self.know_users, self.have_rules = authenticate is not None, authorize is not None
        self.authorize = authorize

    def authenticate(self, request, config):
        return self._authenticate(request, config)


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users"
    path.write_text(f"amy:{HASH}\nbob:{HASH}\n")
    return path


@pytest.fixture
def service():
    return LocalService(MemoryStorage(""))


def basic(user, password):
    return {"HTTP_AUTHORIZATION": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def asked(logins, environ=(), dialect=CURL):
    """Return the name that a request gets, and whether it was proved."""
    caller = logins({"REMOTE_ADDR": "10.0.0.7", **dict(environ)}, dialect)
    return caller.user, caller.is_login


# the three cases


def test_without_a_file_everybody_is_anonymous_but_for_what_our_client_says(service):
    logins = Logins(service, is_trusting=True)
    assert asked(logins) == (ANONYMOUS, False)
    assert asked(logins, basic("amy", "secret")) == (ANONYMOUS, False)
    said = {"HTTP_X_TORC_CLIENT_USER": "amy"}
    assert asked(logins, said) == (ANONYMOUS, False)
    assert asked(logins, said, OURS) == ("amy", False)


def test_with_a_file_no_login_and_a_wrong_one_are_nobody(service, users):
    logins = Logins(service, credentials=Credentials(users))
    assert asked(logins) == (ANONYMOUS, False)
    assert asked(logins, basic("amy", "secret")) == ("amy", True)
    assert asked(logins, basic("amy", "wrong")) == (ANONYMOUS, False)
    assert asked(logins, basic("zoe", "secret")) == (ANONYMOUS, False)
    assert asked(logins, {"HTTP_X_TORC_CLIENT_USER": "amy"}, OURS) == (ANONYMOUS, False)


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !", "Basic YW15", "Basic /w==", "Bearer x", "Basic " + b64encode(b":secret").decode()],
)
def test_when_logins_are_required_anything_else_is_refused(service, users, header):
    logins = Logins(service, credentials=Credentials(users), is_required=True)
    assert asked(logins, basic("amy", "secret")) == ("amy", True)
    with pytest.raises(Unauthorized):
        asked(logins, {"HTTP_AUTHORIZATION": header} if header else {})


@pytest.mark.parametrize(("user", "password"), [("amy", "wrong"), ("zoe", "secret"), ("Amy", "secret"), ("amy", "")])
def test_when_logins_are_required_wrong_ones_are_refused(service, users, user, password):
    logins = Logins(service, credentials=Credentials(users), is_required=True)
    with pytest.raises(Unauthorized, match="wrong"):
        asked(logins, basic(user, password))


def test_the_scheme_is_not_case_sensitive_and_passwords_may_hold_colons(service, tmp_path):
    path = tmp_path / "users"
    path.write_text(f"zoé:{bcrypt.hashpw('a:b é'.encode(), bcrypt.gensalt(4)).decode()}\n")
    logins = Logins(service, credentials=Credentials(path))
    header = basic("zoé", "a:b é")["HTTP_AUTHORIZATION"].replace("Basic", "basic")
    assert asked(logins, {"HTTP_AUTHORIZATION": header}) == ("zoé", True)


# tokens and plugins


@pytest.mark.parametrize("is_required", [True, False])
def test_a_worker_token_is_a_login_and_one_that_has_ended_is_refused_always(service, users, is_required):
    amy = service.for_caller(Caller("amy"))
    workflow_id = amy.create(Workflow(name="w")).id
    token = amy.create_worker_token(workflow_id, TokenRequest()).token
    logins = Logins(service, credentials=Credentials(users), is_required=is_required)
    caller = logins({"HTTP_AUTHORIZATION": f"Bearer {token}"}, CURL)
    assert (caller.user, caller.is_login, caller.workflow_id) == ("amy", True, workflow_id)
    service.delete(Workflow, workflow_id)
    with pytest.raises(Unauthorized, match="token"):
        logins({"HTTP_AUTHORIZATION": f"Bearer {token}"}, CURL)


def test_plugins_are_asked_before_passwords(service, users):
    def authenticate(request, config):
        assert (request.method, request.path, request.address) == ("GET", "/x", "10.0.0.7")
        assert config == {"k": 1}
        return Principal("zoe") if request.headers.get("x-ticket") == "7" else None

    logins = Logins(service, credentials=Credentials(users), plugins=Plugins(authenticate), config={"k": 1})
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/x", **basic("amy", "secret")}
    assert asked(logins, {**environ, "HTTP_X_TICKET": "7"}) == ("zoe", True)
    assert asked(logins, environ) == ("amy", True)


def test_a_plugin_that_fails_refuses_and_tells_the_log_why(service, users, caplog):
    def fail(request, config):
        raise PluginError("the directory is down")

    logins = Logins(service, credentials=Credentials(users), plugins=Plugins(fail))
    with pytest.raises(Unauthorized) as caught:
        asked(logins, basic("amy", "secret"))
    assert "directory" not in str(caught.value)
    assert "the directory is down" in caplog.text


# what is remembered


class Counted:
    """A check of passwords that counts how often it is done."""

    def __init__(self, right="secret"):
        self.right, self.count = right, 0

    def __call__(self, password, kept):
        self.count += 1
        return password == self.right


def test_right_passwords_are_remembered_for_their_time_and_wrong_ones_never(users):
    clock, check = Clock(), Counted()
    known = Credentials(users, keep_s=60, clock=clock, check=check)
    assert [known.is_right("amy", "secret", "a") for _ in range(3)] == [True] * 3
    assert check.count == 1
    clock.now += 59.9
    known.is_right("amy", "secret", "b")
    assert check.count == 1
    clock.now += 0.2
    known.is_right("amy", "secret", "b")
    assert check.count == 2
    assert [known.is_right("amy", "wrong", "a") for _ in range(3)] == [False] * 3
    assert check.count == 5


def test_what_is_remembered_is_of_one_name_and_password(users):
    check = Counted()
    known = Credentials(users, check=check)
    assert known.is_right("amy", "secret", "a")
    assert not known.is_right("amysecret", "", "a")
    assert not known.is_right("amys", "ecret", "a")
    assert check.count == 3


def test_nothing_is_remembered_when_that_is_switched_off(users):
    check = Counted()
    known = Credentials(users, keep_s=0, check=check)
    assert [known.is_right("amy", "secret", "a") for _ in range(3)] == [True] * 3
    assert check.count == 3


def test_reading_the_file_again_forgets_who_has_logged_in(users):
    known = Credentials(users)
    assert known.is_right("amy", "secret", "a")
    users.write_text(f"bob:{HASH}\n")
    assert known.is_right("amy", "secret", "a")
    assert known.reload() == 1
    assert not known.is_right("amy", "secret", "a")
    assert known.is_right("bob", "secret", "a")


def test_a_file_with_something_wrong_in_it_changes_nothing(users):
    known = Credentials(users)
    users.write_text("amy:oops\n")
    with pytest.raises(Invalid, match="bcrypt"):
        known.reload()
    assert known.is_right("amy", "secret", "a")


def test_names_that_are_not_there_take_the_same_work(users):
    seen = []
    users.write_text(f"amy:{HASH.replace('$04$', '$07$')}\nbob:{HASH}\n")
    known = Credentials(users, check=lambda password, kept: seen.append(kept) or True)
    assert not known.is_right("nobody", "secret", "a")
    assert seen[0].startswith("$2b$07$")


def test_many_with_the_same_password_wait_for_one_check(users):
    entered, go, count = threading.Event(), threading.Event(), []

    def check(password, kept):
        count.append(1)
        entered.set()
        assert go.wait(30)
        return True

    known = Credentials(users, check=check)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(known.is_right("amy", "x", "a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert entered.wait(30)
    assert known.reload() == 2  # nobody holds a lock while a password is checked
    go.set()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8
    assert len(count) <= 8  # those who came after the file was read again checked once more
    assert known.is_right("amy", "x", "a")


def test_only_some_are_checked_at_a_time(users):
    lock, running, most, go = threading.Lock(), [0], [0], threading.Event()

    def check(password, kept):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        assert go.wait(30)
        with lock:
            running[0] -= 1
        return False

    known = Credentials(users, at_once=2, check=check)
    threads = [threading.Thread(target=known.is_right, args=("amy", f"p{n}", f"address{n}")) for n in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: most[0] == 2, "nothing is checked")
    go.set()
    for thread in threads:
        thread.join()
    assert most == [2]


# guessing


def test_after_some_wrong_passwords_one_has_to_wait_longer_each_time(users):
    clock, check = Clock(), Counted()
    known = Credentials(users, clock=clock, check=check)
    for _ in range(5):
        assert not known.is_right("amy", "guess", "a")
    waits = []
    for _ in range(8):
        with pytest.raises(TooManyLogins) as caught:
            known.is_right("amy", "secret", "a")
        waits.append(caught.value.details["retry_after"])
        clock.now += waits[-1]
        assert not known.is_right("amy", "guess", "a")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert check.count == 13


def test_guessing_costs_others_nothing(users):
    clock = Clock()
    known = Credentials(users, clock=clock, check=Counted())
    assert known.is_right("amy", "secret", "login-node")
    for _ in range(5):
        known.is_right("bob", "guess", "login-node")
    with pytest.raises(TooManyLogins):
        known.is_right("bob", "secret", "login-node")
    assert known.is_right("bob", "secret", "elsewhere")
    assert known.is_right("amy", "secret", "login-node")
    clock.now += 100
    assert known.is_right("amy", "secret", "login-node")


def test_guessing_from_many_addresses_or_at_many_names_is_slow_too():
    clock = Clock()
    by_name, by_address = Throttle(clock), Throttle(clock)
    for number in range(50):
        by_name.failed("amy", f"address{number}")
        by_address.failed(f"user{number}", "a")
    with pytest.raises(TooManyLogins):
        by_name.check("amy", "new")
    with pytest.raises(TooManyLogins):
        by_address.check("new", "a")
    by_name.check("bob", "new")
    clock.now += 5
    by_name.check("amy", "new")


def test_failures_are_forgotten_with_time_and_after_the_right_password():
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(4):
        throttle.failed("amy", "a")
    clock.now += 601
    throttle.failed("amy", "a")
    throttle.check("amy", "a")
    for _ in range(3):
        throttle.failed("amy", "a")
    throttle.succeeded("amy", "a")
    for _ in range(4):
        throttle.failed("amy", "a")
    throttle.check("amy", "a")
    throttle.failed("amy", "a")
    with pytest.raises(TooManyLogins):
        throttle.check("amy", "a")


def test_what_is_counted_is_bounded():
    throttle = Throttle(Clock())
    for number in range(8000):
        throttle.failed(f"user{number}", f"address{number}")
    assert len(throttle._failures) == 10_000


# how a server is protected


@pytest.mark.parametrize("wanted", [{"require_auth": True}, {"enforce_access_control": True}])
def test_protection_without_users_is_refused(users, wanted):
    with pytest.raises(Invalid, match="needs users"):
        guard_of(Protection(**wanted), Plugins(), {}, 4)
    guard_of(Protection(**wanted, auth_file=users), Plugins(), {}, 4)
    guard_of(Protection(**wanted), Plugins(lambda request, config: None), {}, 4)


@pytest.mark.parametrize("wanted", [{"https": True}, {"tls_key": "k"}])
def test_encryption_without_a_certificate_is_refused(wanted):
    with pytest.raises(Invalid, match="certificate"):
        guard_of(Protection(**wanted), Plugins(), {}, 4)


def test_an_administrator_who_cannot_log_in_is_told(users, caplog):
    guard = guard_of(Protection(auth_file=users, admin_users=("amy", "zoe")), Plugins(), {}, 4)
    assert guard.access.administrators == {"amy", "zoe"}
    assert "zoe" in caplog.text
    assert "administrator amy" not in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "node17"])
def test_nobody_serves_other_machines_unprotected_by_mistake(host):
    with pytest.raises(UsageError, match="everybody who reaches") as caught:
        check_exposure(Settings("x", host), Guard())
    assert "--require-auth" in caught.value.hint
    assert "--unprotected" in caught.value.hint
    check_exposure(Settings("x", host, is_unprotected=True), Guard())
    check_exposure(Settings("x", host), Guard(requires_login=True))
    check_exposure(Settings("x", host), Guard(access=Access(is_enforced=True)))
    with pytest.raises(UsageError):
        check_exposure(Settings("x", host), Guard(access=Access()))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_needs_no_protection(host):
    check_exposure(Settings("x", host), Guard())
