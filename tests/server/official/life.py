"""A whole life of workflows through an official Python client; runs inside that client's own virtual environment.

``python official/life.py URL RELEASE`` carries out every check whose release fits and prints one JSON object: the name
of each check with "ok" or what went wrong. Nothing here knows anything of our code.
"""

import importlib
import json
import traceback

from kit import CHECKS

MODULES = ("stored", "jobs", "runs", "shared", "newest")


def main():
    for name in MODULES:
        importlib.import_module(name)
    outcome = {}
    for name, function in CHECKS.items():
        try:
            function()
            outcome[name] = "ok"
        except Exception:
            outcome[name] = traceback.format_exc()
    print(json.dumps(outcome))


main()
