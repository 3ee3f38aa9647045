"""The program: which commands there are, how errors are told, what the exit code is."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from torc_core import __version__
from torc_core.cli.app import App
from torc_core.cli.groups import RootGroup
from torc_core.cli.output import OutputClosed, echo, flush, is_closed, is_terminal

COMMANDS = {
    "Workflows": {
        "run": ("running:run", "Run a workflow here: a spec file, or the id of a stored one."),
        "exec": ("executing:execute", "Run commands of the command line as a workflow."),
        "create": ("creating:create", "Store a workflow from a spec file."),
        "status": ("status:status", "Show where a workflow stands."),
        "wait": ("status:wait", "Wait until a workflow is complete."),
        "cancel": ("lifecycle:cancel", "Cancel a workflow."),
        "delete": ("lifecycle:delete", "Delete workflows with everything in them."),
        "recover": ("recovering:recover", "Give failed jobs what they lacked, to run again."),
        "watch": ("watching:watch", "Follow a workflow to its end; recover it on the way."),
        "schedule-nodes": ("scheduling:schedule_nodes", "Ask for nodes, on which runners of a workflow start."),
        "diagnose": ("diagnosing:diagnose", "Say why jobs do not start, and what to do."),
        "sync-status": ("syncing:sync_status", "Free what runners hold that are gone."),
        "workflows": ("workflows:workflows", "List, change and restart workflows."),
        "tasks": ("tasks:tasks", "Long operations that go on in the service."),
    },
    "Specs (offline)": {
        "spec": ("spec_commands:spec", "Check, expand, convert and tidy spec files."),
        "execution-plan": ("planning_commands:execution_plan", "Show what becomes ready when."),
    },
    "Parts of a workflow": {
        "jobs": ("jobs:jobs", "Jobs: list, inspect, change, reset."),
        "files": ("parts:files", "Files that jobs read and write."),
        "user-data": ("parts:user_data", "JSON data that jobs hand to each other."),
        "resource-requirements": ("parts:resource_requirements", "What jobs need while they run."),
        "failure-handlers": ("parts:failure_handlers", "What happens when jobs fail."),
        "compute-nodes": ("parts:compute_nodes", "Runners, present and past."),
        "scheduled-compute-nodes": ("parts:scheduled_compute_nodes", "Allocations that were asked for."),
        "job-dependencies": ("relations:job_dependencies", "Which job waits for which, and why."),
    },
    "Results": {
        "results": ("results:results", "How attempts of jobs ended."),
        "reports": ("reports:reports", "Summaries of a workflow and its results."),
        "events": ("parts:events", "What happened to a workflow."),
        "plot-resources": ("plotting:plot_resources", "Draw what jobs and machines used."),
        "monitor-node": ("monitoring_commands:monitor_node", "Measure this machine, without running jobs."),
        "ro-crate": ("ro_crate:ro_crate", "Where results come from, as an RO-Crate."),
        "logs": ("log_commands:logs", "Collect log files, and find common failures in them."),
    },
    "For teams": {
        "access-groups": ("access_groups:access_groups", "Groups of people, and the workflows that are open to them."),
        "admin": ("access_groups:admin", "Look after a server."),
    },
    "The program": {
        "config": ("config_commands:config", "Show, begin and check the configuration."),
        "plugins": ("plugin_commands:plugins", "List and check plugins."),
        "completions": ("system:completions", "Write a completion script for your shell."),
        "ping": ("system:ping", "Say whether the service answers."),
        "help": ("system:help_command", "Show the help of a command."),
    },
}
"""Headings, commands, where they are and their line in the help; a module is imported when its command is used."""


_OBJECTS = 100_000
"""New objects between looks for garbage in cycles. Python's 700 would have it look at all it has loaded again and again
while a command starts: a fifth of the time of a short one.
"""
_EXAMPLES = """
torc run workflow.yaml      create and run a workflow
torc status                 see where it stands
torc spec check FILE        check a spec without running anything
torc help jobs list         how to use a command
"""


@click.group(cls=RootGroup, listed=COMMANDS, examples=_EXAMPLES)
@click.version_option(__version__, prog_name="torc", message="%(prog)s %(version)s")
@click.pass_context
def torc(context: click.Context) -> None:
    """Run workflows of many jobs, here or on a cluster."""
    context.ensure_object(App)


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    import gc  # here: who imports this module has chosen for itself

    gc.set_threshold(_OBJECTS)
    code = run(sys.argv[1:] if arguments is None else arguments)
    gc.freeze()  # or Python looks for garbage in all that is loaded, several times, before it ends: a tenth of the time
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the program and return its exit code; no exception leaves it."""
    app = App(arguments)
    try:
        code = _carry_out(arguments, app)
        flush()
        return code
    except KeyboardInterrupt:
        echo("\ninterrupted" if is_terminal(sys.stderr) else "interrupted", err=True)
        return 130
    except OutputClosed:
        return 0
    except Exception as exc:  # noqa: BLE001 - the one place where errors become text
        from torc_core.cli.failing import tell

        if is_closed() and isinstance(exc, BrokenPipeError):  # click's own writing, a help page for example
            return 0
        return tell(exc, app)


def _carry_out(arguments: list[str], app: App) -> int:
    """Find the command and run it; whatever it opened is closed."""
    shell = os.environ.get("_TORC_COMPLETE")
    try:
        if shell:
            from click.shell_completion import shell_complete

            return shell_complete(torc, {"obj": app}, "torc", "_TORC_COMPLETE", shell)
        with torc.make_context("torc", list(arguments), obj=app) as context:
            answer: Any = torc.invoke(context)
        return answer if isinstance(answer, int) else 0
    except click.exceptions.Exit as exc:
        return exc.exit_code
    finally:
        app.close()
