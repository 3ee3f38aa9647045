"""What is told of problems besides their codes: all at once, in words, with what to do."""

import pytest

from tests.unit.spec.small_specs import RR, J, job, problems, spec


def test_everything_wrong_is_told_at_once():
    data = spec(
        [
            {"name": "a", "depends_on": ["b"], "priority": "high"},
            {"name": "c{i}", "parameters": {"i": "1:x"}},
            {"name": "d", "resource_requirements": "tiny", "comand": "x"},
            {"name": "d", "input_files": ["gone"]},
        ],
        resource_requirements=[RR | {"memory": "lots"}],
        files=[{"path": "x"}],
        actions=[{"trigger_type": "never", "action_type": "run_commands", "commands": ["x"]}],
    )
    assert {p.code for p in problems(data)} >= {
        "dep-missing",
        "type",
        "param-value",
        "rr-missing",
        "unknown-field",
        "dup-job",
        "file-in-missing",
        "value",
        "missing",
        "choice",
    }


def test_what_is_expanded_twice_says_which_parameters_made_it():
    jobs = [{"name": "j{i}", "parameters": {"i": "1:3"}}, {"name": "j{k}", "parameters": {"k": "[x,2]"}}]
    [found] = [p for p in problems(spec(jobs)) if p.code == "dup-job"]
    assert found.message == 'job "j2" is defined twice, by jobs[0] with i=2 and jobs[1] with k=2'


def test_a_misspelt_reference_gets_a_suggestion():
    [found] = problems(spec([{"name": "train_1"}, {"name": "eval", "depends_on": ["train1"]}]))
    assert found.hint == 'Did you mean "train_1"?'
    assert found.message == 'job "eval" depends on "train1", which is not defined'


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (job(depends_on=["zebra"]), "dep-missing"),
        (job(resource_requirements="zebra"), "rr-missing"),
        (job(input_files=["zebra"]), "file-in-missing"),
        (job(command="cat ${files.input.zebra}"), "var-unknown"),
        (job(failure_handler="zebra"), "handler-missing"),
    ],
)
def test_a_missing_name_that_resembles_nothing_is_to_be_defined(part, code):
    [found] = [p for p in problems(part) if p.code == code]
    assert "zebra" in found.message
    assert found.hint.startswith("Define it")


def test_a_retired_field_says_what_to_write_instead():
    [found] = problems(spec(slurm_config={}))
    assert "execution_config" in found.hint


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (job(depends_on="x"), 'Write ["x"].'),
        (job(depends_on=7), ""),
        (job(priority="2"), "Write it without quotes."),
        (job(priority="high"), ""),
        (job(priority="2.5"), ""),
        (job(supports_termination="true"), "Write it without quotes."),
        (job(supports_termination="yes"), ""),
    ],
)
def test_a_value_in_the_wrong_form_says_how_to_write_it(data, hint):
    assert [(p.code, p.hint) for p in problems(data)] == [("type", hint)]


@pytest.mark.parametrize("data", [job(env={"1A": "x"}), spec([J], env={"1A": "x"})])
def test_the_name_of_a_variable_that_no_shell_takes_says_what_is_allowed(data):
    assert [p.hint for p in problems(data)] == ["Use letters, digits and underscores, not a digit first."]
