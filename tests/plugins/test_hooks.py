"""Each published hook, through the example that uses it; and plugins.md, which shows both."""

import hmac
import inspect
import os
import re
import shutil
import time
from pathlib import Path

import pytest

from torc_core import hookspecs
from torc_core.contracts.access import AuthRequest, Principal, Resource
from torc_core.contracts.executor import LaunchRequest, Processes
from torc_core.contracts.failure import Decision, Verdict
from torc_core.engine.corrections import Adjustment, Correction
from torc_core.engine.resource_rules import Needs
from torc_core.errors import Invalid, PluginError
from torc_core.plugins import COMMAND, PluginHost
from torc_core.records.answers import FinishedJob, JobLaunch
from torc_core.records.resources import ResourceRequirements
from torc_core.spec.plan import Plan, PlannedJob
from torc_core.status import JobStatus

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "plugins"
GUIDE = ROOT / "plugins.md"


@pytest.fixture
def host(examples, on_path):
    on_path(examples)
    return PluginHost(settings={"site-rules": {"project": "solar"}})


def published():
    """Return the hooks that the package specifies, by name."""
    return {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, f"{hookspecs.PROJECT}_spec")}


def request(tmp_path, command, **more):
    out = str(tmp_path / "out")
    return LaunchRequest("1", "job", command, {"PATH": "/usr/bin:/bin"}, out, out, cwd=str(tmp_path), **more)


def finish(executor, handle):
    deadline = time.monotonic() + 30
    while (seen := executor.poll([handle])[handle]).state == "running":
        assert time.monotonic() < deadline, seen
        time.sleep(0.01)
    return seen


def test_torc_register_executors(host, tmp_path):
    executor = host.executor("nice")()
    [handle] = executor.submit([request(tmp_path, "nice; exit 3")])
    assert finish(executor, handle).exit_code == 3
    assert (tmp_path / "out").read_text() == f"{min(os.nice(0) + 10, 19)}\n"
    executor.close()


def test_torc_register_executors_example_ends_what_it_started(host, tmp_path):
    executor = host.executor("nice")()
    polite = "trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.01; done"
    [handle] = executor.submit([request(tmp_path, polite, supports_termination=True)])
    deadline = time.monotonic() + 30
    while (tmp_path / "out").read_text() != "on\n" and time.monotonic() < deadline:
        time.sleep(0.01)
    executor.cancel([handle], 30)
    assert finish(executor, handle).exit_code == 0
    assert (tmp_path / "out").read_text().splitlines()[-1] == "bye"
    [other] = executor.submit([request(tmp_path, "sleep 600")])
    executor.close()
    assert executor.poll([other])[other].signal == 9


def test_torc_register_spec_formats(host):
    lines = host.format_for("night.jobs")
    text = "night\nfetch: curl example.org\nbuild: make all\n"
    data, locate = lines.loads(text)
    assert data == {
        "name": "night",
        "jobs": [{"name": "fetch", "command": "curl example.org"}, {"name": "build", "command": "make all"}],
    }
    assert locate(("jobs", 1, "command")) == (3, 8)
    assert lines.dumps(data) == text
    with pytest.raises(Invalid):
        lines.dumps({**data, "files": []})


def test_torc_register_storage(host, tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    storage = host.storage("scratch:run7.db")("run7.db")
    storage.close()
    assert (tmp_path / "run7.db").is_file()


def test_torc_register_monitors(host):
    monitor = host.monitor("pss")
    me = {1: Processes(os.getpid(), ())}
    monitor.measure(me)
    assert monitor.name == "pss"


def test_torc_correct_resources(host):
    needs = Needs.of(ResourceRequirements(id=3, workflow_id=1, name="big", num_cpus=2, memory="2g", runtime="PT1H"))

    def decided(memory, **settings):
        asked = PluginHost(settings={"site-sizes": settings})
        return asked.correct_resources(Adjustment(needs, (), Correction(2, memory, "PT2H"), True))

    assert decided("5g") == Correction(2, "8g", "PT2H")
    assert decided("8g") == Correction(2, "8g", "PT2H")
    assert decided("5g", step="6g") == Correction(2, "6g", "PT2H")
    assert decided("2g") is None


def test_torc_classify_failure(host, tmp_path):
    log = tmp_path / "e"
    job = JobLaunch(id=1, name="fetch", command="curl", attempt_id=2)
    result = FinishedJob(
        job_id=1, attempt_id=2, status=JobStatus.FAILED, return_code=6, exec_time_minutes=0.0, completion_time=""
    )

    def decided(text, attempt=2, **settings):
        log.write_text(text)
        ask = PluginHost(settings={"passing-troubles": settings}).failure_classifier()
        return ask(job, result, attempt, {"stderr": str(log)})

    reset = "x\n" * 100_000 + "curl: Connection reset by peer\n"
    assert decided(reset) == Decision.retry("it wrote 'Connection reset by peer'", delay_seconds=60)
    assert decided(reset, 1, delay_seconds=5).delay_seconds == 5
    assert decided(reset, 5).verdict is Verdict.ASK
    assert decided("a fault of its own\n") is None
    assert host.failure_classifier()(job, result, 2, {}) is None


def ticket(user, key):
    return f"{user}:{hmac.new(key, user.encode(), 'sha256').hexdigest()}"


def test_torc_authenticate(host, tmp_path):
    (tmp_path / "key").write_bytes(b"secret\n")
    access = PluginHost(settings={"site-access": {"key_file": str(tmp_path / "key")}}).access()

    def asks(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return access.authenticate(AuthRequest("GET", "/ping", named, "10.0.0.7"), {})

    assert access.know_users
    assert asks(x_site_ticket=ticket("ann", b"secret")) == Principal("ann")
    assert asks(authorization="Basic eDp5") is None
    with pytest.raises(PluginError, match="'bob' is not ours"):
        asks(x_site_ticket=ticket("bob", b"guess"))


def test_torc_authorize(host):
    access = PluginHost(settings={"site-access": {"may_delete": ["ops"]}}).access()
    job = Resource("jobs", 7, 3)
    assert access.have_rules
    assert access.authorize(Principal("ops"), "delete_job", job).allowed is None
    assert access.authorize(Principal("ann"), "get_job", job).allowed is None
    verdict = access.authorize(Principal("ann"), "delete_job", job)
    assert verdict.allowed is False
    assert "site-access" in verdict.reason


def test_torc_register_commands(host):
    offers = {offer.provider.name: offer for offer in host.offers(COMMAND)}
    assert offers["site-rules"].provider.summary == "Say what this site asks of specs."
    assert offers["site-rules"].load().callback.__module__ == "torc_site_rules_command"


def test_torc_register_log_patterns(host):
    from torc_core.diagnosis.log_patterns import Matcher

    found = Matcher(host.log_patterns()).find("solver: Error 33")
    assert (found.name, found.severity) == ("Licence", "Error")


def test_torc_modify_spec(host):
    spec, other = {"name": "w"}, {"name": "w", "project": "wind"}
    host.amend_spec(spec, "w.yaml")
    host.amend_spec(other, "w.yaml")
    assert (spec["project"], other["project"]) == ("solar", "wind")


def test_torc_validate_spec(host):
    plan = Plan()
    plan.jobs = [PlannedJob("a", "echo pseudo", ("jobs", 0)), PlannedJob("b", "x && sudo rm y", ("jobs", 4))]
    [problem] = host.validate_plan(plan)
    assert (problem.code, problem.path, problem.severity) == ("site-sudo", ("jobs", 4, "command"), "error")
    assert 'job "b"' in problem.message


def test_a_site_file_can_be_the_same_plugin(on_path, tmp_path):
    on_path(tmp_path)
    (tmp_path / "site-rules.py").write_text((EXAMPLES / "torc-site-rules" / "torc_site_rules.py").read_text())
    spec = {}
    PluginHost(directory=str(tmp_path), settings={"site-rules": {"project": "solar"}}).amend_spec(spec, "a.yaml")
    assert spec == {"project": "solar"}


@pytest.mark.parametrize("hook", published())
def test_every_hook_has_a_test_of_its_name_and_an_example(hook):
    assert f"test_{hook}" in globals()
    sources = [file.read_text() for file in EXAMPLES.rglob("*.py")]
    assert any(f"@hookimpl\ndef {hook}(" in source for source in sources)


@pytest.mark.parametrize("hook", published())
def test_every_hook_says_its_kind_and_since_when_it_is_there(hook):
    assert re.search(r"Kind: (collect|amend|decide)\. Since: \d+\.\d+\.", inspect.getdoc(published()[hook]))


def test_the_guide_has_a_heading_with_the_signature_of_every_hook_and_no_other():
    headings = re.findall(r"^### `(torc_\w+\(.*\))`$", GUIDE.read_text(), re.MULTILINE)
    signatures = [f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in published().items()]
    assert sorted(headings) == sorted(signatures)


def test_every_file_that_the_guide_shows_is_the_file_that_is_tested():
    shown = re.findall(r"^`(examples/[^`]+)`:\n\n```\w+\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(shown) >= 8
    for path, text in shown:
        assert (ROOT / path).read_text() == text, path


def test_the_guide_shows_the_list_as_it_is_printed(torc, pip_install, tmp_path):
    project = shutil.copytree(EXAMPLES / "torc-executor-nice", tmp_path / "project")
    done = torc("plugins", plugins=pip_install(tmp_path / "installed", project))
    shown = re.search(r"^\$ torc plugins\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert shown[1] == done.stdout


def test_the_guide_shows_every_option_for_plugins():
    from torc_core.config.options import OPTIONS

    text = GUIDE.read_text()
    for option in OPTIONS.values():
        if option.key.startswith("plugins."):
            assert f"`{option.key}`" in text
            assert not option.env or f"`{option.env}`" in text
