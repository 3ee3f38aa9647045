"""kill -9 of runners, owner or neighbour, at random points of a workflow in layers: each waits for the whole before."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.torture.shots import BOTH, NEIGHBOUR, OWNER, embedded
from tests.torture.workflows import layers

KILLS = int(os.environ.get("TORC_TEST_KILLS", "30" if os.environ.get("CI") else "12"))


@pytest.mark.parametrize("victims", [OWNER, BOTH, NEIGHBOUR])
def test_runners_that_are_killed_lose_nothing(victims: str, tmp_path: Path) -> None:
    """All gates between layers see kills; each round shoots at the same victims."""
    chance = random.Random(victims)
    killed, round_ = 0, 0
    while killed < KILLS // 3:
        round_ += 1
        folder = tmp_path / f"round{round_}"
        folder.mkdir()
        killed += embedded(folder, chance, layers(6, 12), victims, rounds=6).total()
