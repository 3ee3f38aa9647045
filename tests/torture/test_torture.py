"""Random workflows under random kills: 50 runs here, as many as wanted with ``python -m tests.torture``."""

import os
import random

import pytest

from tests.torture.checks import check, lines
from tests.torture.shots import (
    OWNER,
    SERVER,
    Runners,
    Shooting,
    create,
    run_embedded,
    run_with_server,
    seeded,
    wait_for,
)
from tests.torture.workflows import BROKEN, FLAKY, GOOD, Wanted, layers, random_jobs, statuses_of

SEED = int(os.environ.get("TORC_TEST_SEED") or random.SystemRandom().randrange(10**6))
"""Printed with every failure, and there is how to see it again."""
SHARE = 5
KILLS = 50


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 30, SHARE))
def test_killed_owners_and_neighbours_lose_nothing(first, tmp_path):
    killed = run_embedded(tmp_path, SEED, range(first, first + SHARE))
    assert killed[OWNER], f"nobody was killed with seed {SEED}"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(30, 50, SHARE))
def test_killed_servers_and_their_runners_lose_nothing(first, tmp_path):
    killed = run_with_server(tmp_path, SEED, range(first, first + SHARE))
    assert killed[SERVER], f"no server was killed with seed {SEED}"


@pytest.mark.slow
def test_a_server_killed_fifty_times_under_load_of_three_runners_ends_every_job_right_and_once(tmp_path):
    """It is killed as soon as it has served some requests; the same runners go on all the while."""
    jobs = layers(45, 12)
    with Shooting(tmp_path) as shooting:
        url = ("--url", shooting.server.url)
        workflow_id = create(tmp_path, jobs, *url)
        with Runners(tmp_path, workflow_id, *url) as runners:
            for _ in range(3):
                runners.start()
            with shooting.server.service() as service:
                wait_for(lambda: service.get_workflow_status(workflow_id).active_compute_nodes == 3, "three runners")
            chance = random.Random(SEED)
            while shooting.tally[SERVER] < KILLS:
                goal = len(lines(tmp_path)) + chance.randint(1, 2)
                wait_for(lambda goal=goal: len(lines(tmp_path)) >= goal, f"{goal} notes of jobs, seed {SEED}")
                assert goal < 2 * len(jobs), f"all jobs had ended after {shooting.tally[SERVER]} kills"
                shooting.restart()
            for runner in runners.all:
                assert runner.wait(60) == 0, (tmp_path / "runners.txt").read_text()
        with shooting.server.service() as service:
            check(service, workflow_id, tmp_path, jobs)
        assert len(runners.all) == 3


# the program itself


def test_the_same_seed_gives_the_same_workflow_and_another_seed_another():
    assert random_jobs(seeded(1, 2)) == random_jobs(seeded(1, 2))
    assert random_jobs(seeded(1, 2)) != random_jobs(seeded(2, 2))


def test_what_must_come_of_a_workflow():
    jobs = [
        Wanted(GOOD, frozenset(), False, 0), Wanted(BROKEN, frozenset({0}), False, 0),
        Wanted(GOOD, frozenset({1}), False, 0), Wanted(GOOD, frozenset({1}), True, 0),
        Wanted(FLAKY, frozenset({0}), False, 0), Wanted(BROKEN, frozenset({2, 4}), True, 0),
        Wanted(GOOD, frozenset({3, 4}), False, 0),
    ]  # fmt: skip
    assert statuses_of(jobs) == ["completed", "failed", "canceled", "completed", "completed", "failed", "completed"]
