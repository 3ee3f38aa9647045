"""What holds for each command, whichever it is."""

import click
import pytest

from torc_core.cli.app import App
from torc_core.cli.main import COMMANDS, torc
from torc_core.cli.plugin_commands import LazyCommand


def walk(command, path, context):
    name = path[-1] if path else "torc"
    command = command.load() if isinstance(command, LazyCommand) else command
    context = click.Context(command, info_name=name, parent=context, obj=App())
    if isinstance(command, click.Group):
        if path:
            yield path, command, context
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), [*path, name], context)
    else:
        yield path, command, context


ALL = {" ".join(path): (command, context) for path, command, context in walk(torc, [], None)}
LEAVES = [name for name, (command, _) in ALL.items() if not isinstance(command, click.Group)]
each = pytest.mark.parametrize("name", ALL)


def test_all_commands_of_the_reference_are_there():
    expected = """
        run exec create status wait cancel delete ping completions help execution-plan
        recover watch diagnose sync-status   logs bundle|analyze
        spec check|expand|convert|lint|codes   plugins list|check   config show|paths|init|validate
        workflows create|new|list|get|update|status|is-complete|cancel|delete|archive|run|initialize|init|reinitialize
        workflows reinit|reset-status|execution-plan|list-actions|export|import|diagnose|sync-status
        jobs create|create-from-file|list|get|update|delete|delete-all|list-resource-requirements
        jobs list-failure-handlers|running|reset-status|logs
        files create|list|get|update|delete|list-required-existing
        user-data create|list|get|update|delete|delete-all|list-missing
        events create|list|get-latest-event|delete   results list|get|delete
        server run|status|stop
        resource-requirements create|list|get|update|delete   failure-handlers list|get   compute-nodes list|get
        schedule-nodes   scheduled-compute-nodes list|get|delete|list-jobs
        reports summary|results   job-dependencies job-job|job-file|job-user-data
    """
    group = ""
    for word in expected.split():
        if "|" in word:
            for name in word.split("|"):
                assert f"{group} {name}" in ALL
        else:
            group = word
            assert word in ALL


def test_the_table_of_commands_names_each_once_with_a_sentence():
    listed = [(name, line) for commands in COMMANDS.values() for name, (_, line) in commands.items()]
    assert len({name for name, _ in listed}) == len(listed)
    assert all(line[0].isupper() and line.endswith(".") for _, line in listed)


@each
def test_help_is_written_for_it(name, torc):
    for option in ("-h", "--help"):
        done = torc(*name.split(), option)
        assert done.out.startswith(f"Usage: torc {name} ")
        assert done.err == ""
    assert "Global options:" in done.out
    summary = done.lines[2].strip()
    assert summary[0].isupper()
    assert "``" not in done.out


@each
def test_no_option_has_two_meanings(name):
    command, context = ALL[name]
    names = [
        option
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    ]
    assert sorted(names) == sorted(set(names))


@each
def test_it_takes_the_global_options_after_it(name):
    command, context = ALL[name]
    taken = {option for parameter in command.get_params(context) for option in parameter.opts}
    assert {"--format", "--db", "--log-level", "--standalone", "-h", "--help"} <= taken
    if name != "config init":  # its -f is --force, as in the reference
        assert "-f" in taken


@pytest.mark.parametrize("name", LEAVES)
def test_wrong_usage_with_json_after_it_is_one_json_document(name, torc):
    done = torc(*name.split(), "--no-such-option", "--format", "json", code=2)
    assert done.out == ""
    assert done.error["status"] == "error"
    assert "--no-such-option" in done.error["message"]


@pytest.mark.parametrize("name", LEAVES)
def test_options_say_what_they_are_for(name):
    command, context = ALL[name]
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.opts
            assert parameter.help[0].isupper(), parameter.help
            assert parameter.help.endswith("."), parameter.help


def test_a_missing_or_unknown_command_is_wrong_usage(torc):
    done = torc(code=2)
    assert done.out == ""
    assert "Usage: torc [OPTIONS] COMMAND" in done.err
    assert 'Did you mean "jobs"?' in torc("job", code=2).err
    assert 'Did you mean "list"?' in torc("jobs", "lst", code=2).err
    assert torc("jobs", "-f", "json", code=2).error["status"] == "error"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("user-data get", "Show one record of user data."),
        ("resource-requirements create", "Make a new record of resource requirements."),
        ("files get", "Show one file."),
        ("ro-crate get", "Show one RO-Crate entity."),
        ("ro-crate list", "List RO-Crate entities."),
        ("jobs list", "Only those with a value for origin (true), or without one (false)."),
        ("jobs list", "Only those that ask for some of these labels and no others."),
    ],
)
def test_help_speaks_of_one_and_of_many(words, line, torc):
    assert line in " ".join(torc(*words.split(), "--help").out.split())


def test_version_and_help_commands(torc):
    from torc_core import __version__

    assert torc("--version").out == f"torc {__version__}\n"
    assert torc("help").out == torc("--help").out
    assert torc("help", "jobs", "list").out == torc("jobs", "list", "--help").out
    assert torc("help", "bogus", code=2).out == ""
    for heading in ("Workflows:", "Parts of a workflow:", "Results:", "The program:", "Examples:"):
        assert heading in torc("--help").out
