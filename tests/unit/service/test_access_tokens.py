"""Worker tokens: how they are kept, what they are worth, when they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.service.access_world import World
from torc_core.errors import Forbidden, Unauthorized
from torc_core.records.access import WorkerToken
from torc_core.records.answers.access import TokenRequest
from torc_core.records.resources import Job, Workflow
from torc_core.service.local import LocalService


@pytest.fixture
def world() -> World:
    return World()


def token_of(world: World, who: str, **request: Any) -> tuple[int, str]:
    made = world.as_user(who).create_worker_token(world.mine["workflows"], TokenRequest(**request))
    return made.id, made.token


def bearer(world: World, token: str) -> LocalService:
    return world.service.for_caller(world.service.caller_of_token(token))


def test_a_token_is_kept_as_a_digest_and_listed_without_it(world: World) -> None:
    id, token = token_of(world, "amy", description="night run")
    (kept,) = (t for t in world.as_user("amy").find(WorkerToken, world.mine["workflows"]).items if t.id == id)
    assert (kept.description, kept.user, kept.expires_at) == ("night run", "amy", None)
    assert token.startswith(f"torcw_{id}_")
    rows = list(world.storage.rows(WorkerToken, list(WorkerToken.FIELDS)))
    assert not any(token.rpartition("_")[2] in str(value) for row in rows for value in row)
    assert "digest" not in kept.wire()


def test_a_token_ends_when_it_is_deleted(world: World) -> None:
    id, token = token_of(world, "amy")
    service = bearer(world, token)
    service.get(Workflow, world.mine["workflows"])
    world.as_user("bob").delete(WorkerToken, id)
    with pytest.raises(Unauthorized, match="revoked"):
        service.get(Workflow, world.mine["workflows"])
    with pytest.raises(Unauthorized):
        bearer(world, token)


def test_a_token_ends_at_its_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from torc_core.service import turn

    now = turn.now_ms()
    monkeypatch.setattr(turn, "now_ms", lambda: now)
    _, token = token_of(world, "amy", expires_in_seconds=60)
    service = bearer(world, token)
    now += 59_000
    service.get(Workflow, world.mine["workflows"])
    now += 1_000
    with pytest.raises(Unauthorized, match="expired"):
        service.get(Workflow, world.mine["workflows"])


def test_a_token_ends_with_its_workflow(world: World) -> None:
    _, token = token_of(world, "amy")
    world.as_user("amy").delete(Workflow, world.mine["workflows"])
    with pytest.raises(Unauthorized):
        bearer(world, token)


def test_a_token_is_worth_no_more_than_who_made_it(world: World) -> None:
    _, token = token_of(world, "bob")
    service = bearer(world, token)
    service.get(Workflow, world.mine["workflows"])
    world.as_user("ann").remove_user_from_group(world.group_id, "bob")
    with pytest.raises(Forbidden):
        service.get(Workflow, world.mine["workflows"])


def test_a_bearer_sees_one_workflow(world: World) -> None:
    amy = world.as_user("amy")
    amy.create(Workflow(name="another"))
    _, token = token_of(world, "amy")
    assert [w.name for w in bearer(world, token).find(Workflow).items] == ["plain-workflow"]
    with pytest.raises(Forbidden):
        bearer(world, token).find(Job)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: f"{t}x", lambda t: t.replace("_", "_9", 1), str.upper])
def test_what_is_nearly_a_token_is_none(world: World, change: Callable[[str], str]) -> None:
    _, token = token_of(world, "amy")
    with pytest.raises(Unauthorized):
        bearer(world, change(token))


@pytest.mark.parametrize(
    "text", ["", "torcw_", "torcw__", "torcw_1_", "torcw_²_x", "torcw_99999999999999999999_x", "x"]
)
def test_odd_texts_are_no_tokens(world: World, text: str) -> None:
    with pytest.raises(Unauthorized):
        world.service.caller_of_token(text)
