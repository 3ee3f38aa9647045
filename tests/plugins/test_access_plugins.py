"""Plugins that say who asks and who may: their order, and that a failure keeps people out."""

import pytest

from torc_core.contracts.access import AuthRequest, Principal, Resource
from torc_core.errors import PluginError
from torc_core.plugins import PluginHost

REQUEST = AuthRequest("GET", "/ping", {}, "127.0.0.1")
RULE = """
from torc_core.hookspecs import hookimpl

@hookimpl
def torc_authorize(action):
    {body}
"""
LOGIN = """
from torc_core.contracts.access import Principal
from torc_core.hookspecs import hookimpl

@hookimpl
def torc_authenticate(request):
    {body}
"""


def access():
    return PluginHost().access()


def allowed(action="get_job"):
    return access().authorize(Principal("ann"), action, Resource("jobs", 1, 1)).allowed


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        (["return None"], None),
        (["return True", "return None"], True),
        (["return None", "return True"], True),
        (["return True", "return False"], False),
        (["return False", "return True"], False),
        (["return True", "1 / 0"], False),
        (["1 / 0", "return True"], False),
        (["return True", "return 'yes'"], False),
        (["return 0", "return True"], False),
    ],
)
def test_one_false_or_failure_refuses_else_one_true_allows(plugin, bodies, expected):
    for number, body in enumerate(bodies):
        plugin(f"rule{number}", RULE.format(body=body))
    assert allowed() is expected


def test_how_a_rule_failed_is_for_the_log(plugin, caplog):
    plugin("odd", RULE.format(body="raise OSError('ldap://secret')"))
    verdict = access().authorize(Principal("ann"), "get_job", Resource("jobs", 1, 1))
    assert (verdict.allowed, "odd" in verdict.reason, "secret" in verdict.reason) == (False, True, False)
    assert "ldap://secret" in caplog.text


def test_without_plugins_nobody_is_asked():
    assert not access().have_rules
    assert not access().know_users


def test_the_last_plugin_is_asked_first_who_it_is_and_the_rest_only_if_it_does_not_know(plugin):
    plugin("a", LOGIN.format(body="return Principal('by-a')"))
    plugin("b", LOGIN.format(body="return Principal('by-b') if request.method == 'GET' else None"))
    assert access().authenticate(REQUEST, {}) == Principal("by-b")
    assert access().authenticate(REQUEST._replace(method="PUT"), {}) == Principal("by-a")


@pytest.mark.parametrize(
    "body", ["1 / 0", "return 'ann'", "return Principal('')", "return Principal('anonymous')", "return Principal(7)"]
)
def test_a_plugin_that_fails_lets_nobody_in(plugin, body):
    plugin("good", LOGIN.format(body="return Principal('ann')"))
    plugin("wrong", LOGIN.format(body=body))
    with pytest.raises(PluginError, match="wrong"):
        access().authenticate(REQUEST, {})


def test_no_server_starts_beside_a_plugin_that_cannot_be_loaded(plugin):
    plugin("broken", "import nothing_of_that_name")
    with pytest.raises(PluginError, match="broken"):
        access()
    PluginHost(disabled=["broken"]).access()


def test_a_login_sees_headers_configuration_and_settings(plugin):
    source = LOGIN.replace("(request)", "(request, config, settings)")
    plugin("known", source.format(body="return Principal(request.headers['x'] + config['k'] + settings['s'])"))
    host = PluginHost(settings={"known": {"s": "c"}})
    found = host.access().authenticate(REQUEST._replace(headers={"x": "a"}), {"k": "b"})
    assert found == Principal("abc")
