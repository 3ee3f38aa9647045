"""The codes that problems in a spec can have, whatever its format, with what they mean.

Codes are stable; messages may change. Formats have codes of their own besides: ``SpecFormat.codes``.
"""

from __future__ import annotations

from typing import Final

TEXT_CODES: Final[dict[str, str]] = {
    "encoding": "the file is not UTF-8 text",
    "empty": "there is nothing in the file",
    "control-character": "the text has a character that it cannot have",
    "nesting": "lists and mappings are nested too deep",
    "number": "a number is too long or too large",
    "duplicate-key": "a key is given twice",
}
"""Of the text, before its sections are known."""
CODES: Final[dict[str, str]] = {
    # reading: any section
    "type": "a value is of the wrong type",
    "choice": "a word is none of those that a field knows",
    "range": "a number does not fit 64 bits",
    "value": "a value breaks the rule of its field",
    "missing": "a required field is missing",
    "unknown-field": "a section has no field of that name",
    # names
    "name-form": "a name, path or command is empty or holds characters it cannot",
    "unnamed": "an entry without a name is left out",
    "dup-job": "two jobs have the same name",
    "dup-file": "two files have the same name",
    "dup-user-data": "two user data records have the same name",
    "dup-rr": "two resource requirements have the same name",
    "dup-scheduler": "two Slurm schedulers have the same name",
    "dup-handler": "two failure handlers have the same name",
    # constants and parameters
    "variable": "a constant has a bad name or value",
    "token-unknown": "a spec with constants has a token that is neither constant nor parameter",
    "token-left": "what looks like a parameter is none",
    "token-format": "a format asks for too many digits",
    "param-value": "the value of a parameter cannot be read, or reads as something else than it looks like",
    "param-file": "a file with values cannot be read",
    "param-empty": "a parameter has no values, so the item disappears",
    "zip-length": "zipped parameters have different numbers of values",
    "mode-unknown": "a parameter_mode is neither product nor zip",
    "use-unknown": "use_parameters names no shared parameter",
    "table": "a parameter table cannot be read",
    "table-exclusive": "a table stands beside other parameters, or is missing",
    "expansion-too-large": "there are too many values, combinations or items",
    "gathered": "combinations with one name became one item",
    "gather-differs": "combinations with one name differ in more than lists",
    # references
    "dep-missing": "a job depends on a job that is not defined",
    "dep-regex-bad": "a pattern of depends_on_regexes cannot be used",
    "dep-regex-nomatch": "a pattern of depends_on_regexes matches no job",
    "file-in-missing": "a job reads a file that is not defined",
    "file-in-regex-bad": "a pattern of input_file_regexes cannot be used",
    "file-in-regex-nomatch": "a pattern of input_file_regexes matches no file",
    "file-out-missing": "a job writes a file that is not defined",
    "file-out-regex-bad": "a pattern of output_file_regexes cannot be used",
    "file-out-regex-nomatch": "a pattern of output_file_regexes matches no file",
    "ud-in-missing": "a job reads user data that is not defined",
    "ud-in-regex-bad": "a pattern of input_user_data_regexes cannot be used",
    "ud-in-regex-nomatch": "a pattern of input_user_data_regexes matches no user data",
    "ud-out-missing": "a job writes user data that is not defined",
    "ud-out-regex-bad": "a pattern of output_user_data_regexes cannot be used",
    "ud-out-regex-nomatch": "a pattern of output_user_data_regexes matches no user data",
    "rr-missing": "a job needs resource requirements that are not defined",
    "sched-missing": "a job names a Slurm scheduler that is not defined",
    "handler-missing": "a job names a failure handler that is not defined",
    "cycle": "jobs wait for each other",
    "output-shared": "two jobs write the same file",
    # variables in commands
    "var-unknown": "a ${...} variable names nothing that is defined",
    "var-no-data": "a ${user_data...} variable names a record without data",
    "var-union": "a list names more than the command mentions",
    # sections
    "rr-zero": "a requirement of nothing",
    "handler-rule": "a failure rule that never matches or never retries",
    "env-name": "the name of an environment variable cannot be used",
    "labels": "a label breaks the rule for labels, or stands beside a scheduler",
    "access-groups": "an access group is named twice",
    "execution-config": "a setting of execution_config does not fit the mode",
    "monitor-key": "monitoring knows no such key",
    "monitor-off": "a monitoring section switches monitoring off",
    "identifier": "a provenance identifier cannot be used",
    # actions and Slurm
    "action-fields": "an action lacks what its type needs, or has what it does not use",
    "action-job-missing": "an action waits for a job that is not defined",
    "action-job-nomatch": "an action waits for no job at all",
    "action-regex-bad": "a pattern of an action cannot be used",
    "action-sched-missing": "an action names a scheduler that is not defined",
    "walltime": "a walltime cannot be read, or counts minutes",
    "slurm-mem": "the memory of a scheduler cannot be read",
    "slurm-defaults": "slurm_defaults sets what schedulers decide, or what cannot be written",
    "node-mismatch": "jobs ask for another number of nodes than their scheduler allocates",
    "fit": "jobs cannot fit their scheduler",
    # notes
    "unused": "something is defined, but not used",
    "no-effect": "a setting has no effect",
}
"""Codes of the spec layer; those of the formats (``syntax`` and the like) are the formats' own."""
