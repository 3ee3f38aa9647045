"""Texts of plugins that several tests need."""

HEAD = """
from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl
from torc_core.problems import Problem
"""


def executors(*names, target="no_such_module:Thing"):
    providers = ", ".join(f"Provider({name!r}, {target!r})" for name in names)
    return f"{HEAD}\n@hookimpl\ndef torc_register_executors():\n    return [{providers}]\n"
