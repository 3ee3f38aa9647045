"""Failure handlers as tables: which rule, how often, after how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torc_core.contracts.failure import LONGEST_DELAY_SECONDS, Decision, Verdict
from torc_core.engine.failures import Rule, decide, decide_lost, read_rules, rule_for
from torc_core.status import JobStatus

FAILED, TERMINATED = JobStatus.FAILED, JobStatus.TERMINATED
ANY = {"match_all_exit_codes": True, "recovery_script": "any"}
ONE_TWO = {"exit_codes": [1, 2], "recovery_script": "one or two"}
TWO = {"exit_codes": [2], "recovery_script": "two"}
NOTHING = {"recovery_script": "never"}


@pytest.mark.parametrize(
    ("rules", "code", "script"),
    [
        ([ONE_TWO, TWO], 2, "one or two"),  # the first that lists it
        ([TWO, ONE_TWO], 2, "two"),
        ([ANY, TWO], 2, "two"),  # what lists it goes before what matches all
        ([ANY, TWO], 3, "any"),
        ([ANY, TWO], 137, "any"),
        ([ANY], -15, "any"),
        ([ONE_TWO], 3, None),
        ([NOTHING], 1, None),  # neither codes nor all: never
        ([], 1, None),
        ([ANY], 0, None),  # all means all that are not zero
        ([{"exit_codes": [0], "recovery_script": "zero"}], 0, "zero"),
        ([{**ANY, "exit_codes": [7]}], 8, "any"),  # both ways in one rule
    ],
)
def test_the_rule_that_lists_a_code_goes_before_one_for_all(rules, code, script):
    found = rule_for(read_rules(rules), code)
    assert (found and found.recovery_script) == script


@pytest.mark.parametrize(
    ("most", "attempt", "verdict"),
    [(3, 1, "retry"), (3, 2, "retry"), (3, 3, "fail"), (3, 4, "fail"), (2, 1, "retry"), (2, 2, "fail"), (1, 1, "fail"),
     (0, 1, "fail"), (-5, 1, "fail")],
)  # fmt: skip
def test_max_retries_counts_all_attempts(most, attempt, verdict):
    found = decide(read_rules([{"exit_codes": [1], "max_retries": most}]), FAILED, 1, attempt)
    assert found.verdict == verdict


def test_three_attempts_unless_a_rule_says_otherwise():
    rules = read_rules([{"exit_codes": [1]}])
    assert [decide(rules, FAILED, 1, attempt).verdict for attempt in (1, 2, 3)] == ["retry", "retry", "fail"]


@pytest.mark.parametrize(
    ("rules", "asks", "attempt", "verdict"),
    [
        ([], False, 1, Verdict.FAIL),
        ([], True, 1, Verdict.ASK),
        ([TWO], False, 1, Verdict.FAIL),
        ([TWO], True, 1, Verdict.ASK),
        ([ONE_TWO], True, 1, Verdict.RETRY),
        ([ONE_TWO], True, 3, Verdict.FAIL),  # used up is decided: nobody is asked
    ],
)
@pytest.mark.parametrize("status", [FAILED, TERMINATED])
def test_without_a_rule_a_job_has_failed_or_somebody_is_asked(rules, asks, attempt, verdict, status):
    assert decide(read_rules(rules), status, 1, attempt, asks=asks).verdict is verdict


@pytest.mark.parametrize("status", [s for s in JobStatus if s not in (FAILED, TERMINATED)])
def test_only_what_failed_or_was_terminated_is_decided(status):
    assert decide(read_rules([ANY]), status, 1, 1, asks=True) is None


@pytest.mark.parametrize(
    ("rule", "delays"),
    [
        ({}, [0, 0, 0]),
        ({"delay_seconds": 30}, [30, 30, 30]),
        ({"delay_seconds": 10, "backoff": 2}, [10, 20, 40]),
        ({"delay_seconds": 10, "backoff": 2, "max_delay_seconds": 25}, [10, 20, 25]),
        ({"delay_seconds": 1.5, "backoff": 1.5}, [1.5, 2.25, 3.375]),
        ({"delay_seconds": 60, "max_delay_seconds": 5}, [5, 5, 5]),
        ({"backoff": 9}, [0, 0, 0]),
    ],
)
def test_the_delay_grows_with_each_attempt_up_to_its_limit(rule, delays):
    [read] = read_rules([{"exit_codes": [1], "max_retries": 9, **rule}])
    assert [decide([read], FAILED, 1, attempt).delay_seconds for attempt in (1, 2, 3)] == pytest.approx(delays)


@given(st.floats(0, 1e9), st.floats(1, 1e9), st.integers(-3, 10**6))
def test_no_delay_is_endless(delay, backoff, attempt):
    assert 0 <= Rule(delay_seconds=delay, backoff=backoff).delay(attempt) <= LONGEST_DELAY_SECONDS


def test_an_empty_script_is_none():
    assert decide(read_rules([{"exit_codes": [1], "recovery_script": ""}]), FAILED, 1, 1).recovery_script is None


@pytest.mark.parametrize(
    ("rules", "attempt", "verdict"),
    [
        ([], 1, "retry"),
        ([], 1000, "retry"),  # a machine that went down says nothing about the job
        ([ANY], 1000, "retry"),
        ([{"exit_codes": [-128], "max_retries": 2}], 1, "retry"),
        ([{"exit_codes": [-128], "max_retries": 2}], 2, "fail"),
        ([ANY, {"exit_codes": [1, -128], "max_retries": 1}], 1, "fail"),
    ],
)
def test_a_job_whose_runner_is_gone_runs_again_unless_a_rule_for_that_is_used_up(rules, attempt, verdict):
    assert decide_lost(read_rules(rules), attempt).verdict == verdict


def test_rules_of_others_are_read_with_what_they_leave_out():
    assert read_rules(None) == ()
    found = read_rules([{"exit_codes": [1], "recovery_script": None, "max_retries": None, "of_a_later_release": 1}])
    assert found == (Rule(frozenset({1})),)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("[]", "expected a list of rules"),
        ({"exit_codes": [1]}, "expected a list of rules"),
        ([[1]], "rule 1: expected a mapping"),
        ([{}, {"exit_codes": 1}], "rule 2: exit_codes: expected a list of whole numbers, found 1"),
        ([{"exit_codes": [True]}], "exit_codes"),
        ([{"exit_codes": [1.0]}], "exit_codes"),
        ([{"match_all_exit_codes": 1}], "match_all_exit_codes: expected true or false"),
        ([{"recovery_script": ["x"]}], "recovery_script: expected text"),
        ([{"max_retries": "3"}], "max_retries"),
        ([{"delay_seconds": -1}], "delay_seconds: expected a number of seconds, 0 or more, found -1"),
        ([{"delay_seconds": float("inf")}], "delay_seconds"),
        ([{"delay_seconds": float("nan")}], "delay_seconds"),
        ([{"backoff": 0.5}], "backoff: expected a factor, 1 or more"),
        ([{"max_delay_seconds": "PT1M"}], "max_delay_seconds"),
    ],
)
def test_rules_that_make_no_sense_are_named(data, said):
    with pytest.raises(ValueError, match="rule") as caught:
        read_rules(data)
    assert said in str(caught.value)


def test_a_decision_says_only_what_belongs_to_it():
    assert Decision.retry("why", delay_seconds=3) == (Verdict.RETRY, "why", 3, None)
    assert Decision.fail("why") == (Verdict.FAIL, "why", 0, None)
    assert Decision.ask() == (Verdict.ASK, "", 0, None)
