"""Every option of the configuration, declared once: files, variables, templates and messages follow from here."""

from __future__ import annotations

from typing import Any, NamedTuple

TEXT, WHOLE, NUMBER = "text", "a whole number", "a number"
SWITCH, WORDS, FOLDER = "true or false", "a list of words", "an absolute folder"


class Option(NamedTuple):
    """One option. ``env`` is a variable that stands for the command-line option of the same meaning."""

    key: str
    kind: str
    default: Any
    doc: str
    env: str = ""
    choices: tuple[str, ...] = ()
    least: float | None = None
    above: float | None = None
    in_project_file: bool = True


OPTIONS: dict[str, Option] = {
    option.key: option
    for option in (
        Option("client.api_url", TEXT, None, "address of the service, with its base path", "TORC_API_URL"),
        Option("client.format", TEXT, "table", "how results are printed", choices=("table", "json")),
        Option(
            "client.log_level", TEXT, "info", "how much is logged, on standard error", "RUST_LOG",
            ("error", "warn", "info", "debug", "trace"),
        ),
        Option(
            "client.json_lists", TEXT, "items", "key of a list in JSON output: items, or the plural of its kind",
            "TORC_JSON_LISTS", ("items", "named"),
        ),
        Option("client.run.poll_interval", NUMBER, 5.0, "seconds between checks for ended jobs", above=0),
        Option("client.run.output_dir", TEXT, "torc_output", "folder for logs of jobs and the embedded database"),
        Option("client.run.max_parallel_jobs", WHOLE, None, "jobs at a time, whatever they require", least=1),
        Option("client.run.num_cpus", WHOLE, None, "CPUs that jobs may use; detected when not set", least=1),
        Option("client.run.memory_gb", NUMBER, None, "memory that jobs may use, in GB; detected when not set", above=0),
        Option("client.run.num_gpus", WHOLE, None, "GPUs that jobs may use; detected when not set", least=0),
        Option("client.run.monitor", TEXT, "auto", "what measures jobs: auto, proc, psutil, or a plugin's"),
        Option("client.run.cgroups", SWITCH, True, "control groups for jobs with limits, where they can be made"),
        Option(
            "client.tls.ca_cert", TEXT, None, "certificates (PEM) to trust beside those of the system",
            "TORC_TLS_CA_CERT", in_project_file=False,
        ),
        Option(
            "client.tls.insecure", SWITCH, False, "talk to servers whoever they are; for trying out only",
            "TORC_TLS_INSECURE", in_project_file=False,
        ),
        Option("server.auth_file", TEXT, None, "users of a server and their bcrypt hashes", "TORC_AUTH_FILE"),
        Option("server.require_auth", SWITCH, False, "let only those in who log in"),
        Option(
            "server.credential_cache_ttl_secs", NUMBER, 60.0, "seconds for which a right password is remembered",
            "TORC_CREDENTIAL_CACHE_TTL_SECS", least=0,
        ),
        Option("server.enforce_access_control", SWITCH, False, "keep workflows to their owners and groups"),
        Option("server.admin_users", WORDS, [], "administrators of a server", "TORC_ADMIN_USERS"),
        Option("server.https", SWITCH, False, "encrypt connections"),
        Option("server.tls_cert", TEXT, None, "certificate of a server, PEM with its chain"),
        Option("server.tls_key", TEXT, None, "key of that certificate"),
        Option(
            "client.run.lease_seconds", NUMBER, None,
            "silence after which a runner's jobs are given to others, 0 for never; 120 with a server", least=0,
        ),
        Option("plugins.only", WORDS, None, "load only these plugins, besides the built-in ones", "TORC_PLUGINS"),
        Option("plugins.disabled", WORDS, [], "plugins or distributions to leave out", "TORC_PLUGINS_DISABLED"),
        Option(
            "plugins.directory", FOLDER, None, "folder of plugins that are single files, for all users of a site",
            in_project_file=False,  # a folder that somebody unpacked must not bring code that runs by itself
        ),
        Option("plugins.trace", SWITCH, False, "print each call of a plugin on standard error", "TORC_TRACE_PLUGINS"),
    )
}  # fmt: skip
"""All options by key."""

SECTIONS = ("client", "plugins", "server")
"""First words of the keys, and of environment variables after ``TORC_``."""

NOT_READ = (
    "client.hpc", "client.offline", "client.run.claim_backoff_max_secs", "client.slurm", "client.watch", "dash",
    "server.completion_check_interval_secs", "server.database", "server.disable_admin_sql",
    "server.disable_admin_sql_writes", "server.host", "server.log_level", "server.logging", "server.port",
    "server.threads", "server.url",
)  # fmt: skip
"""Keys that configuration files of other releases and programs have; nothing reads them here, and they do no harm."""


class BadValue(ValueError):
    """A value that does not fit its option; the message says what was found and expected."""


def check(option: Option, value: Any) -> Any:
    """Return a value from a file or the command line as the option wants it; raises BadValue."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        TEXT: isinstance(value, str),
        FOLDER: isinstance(value, str),
        WHOLE: whole,
        NUMBER: whole or isinstance(value, float),
        SWITCH: isinstance(value, bool),
        WORDS: isinstance(value, list) and all(isinstance(word, str) for word in value),
    }
    if not fits[option.kind] or (option.choices and value not in option.choices):
        raise BadValue(f"cannot read {_shown(value)}: expected {expected(option)}")
    if option.kind in (WHOLE, NUMBER) and not _in_range(option, value):
        raise BadValue(f"{value} is out of range: expected {expected(option)}")
    if option.kind == NUMBER:
        return float(value)
    if option.kind == FOLDER and not value.startswith("/"):
        raise BadValue(f"cannot use {_shown(value)}: expected {expected(option)}")
    return value


def from_text(option: Option, text: str) -> Any:
    """Return the value that ``text``, from an environment variable, stands for; raises BadValue."""
    value: Any = text
    if option.kind == WORDS:
        value = [word.strip() for word in text.split(",") if word.strip()]
    elif option.kind == SWITCH:
        value = {"1": True, "true": True, "yes": True, "on": True}.get(text.lower(), text)
        value = {"0": False, "false": False, "no": False, "off": False}.get(text.lower(), value)
    elif option.kind in (WHOLE, NUMBER):
        try:
            value = int(text) if option.kind == WHOLE else float(text)
        except ValueError:
            value = text
    return check(option, value)


def expected(option: Option) -> str:
    """Say in words what an option takes."""
    if option.choices:
        return f"{', '.join(option.choices[:-1])} or {option.choices[-1]}"
    words = option.kind
    if option.least is not None:
        words += f", {option.least} or more"
    if option.above is not None:
        words += f" greater than {option.above}"
    return words


def _in_range(option: Option, value: float) -> bool:
    above = option.above is None or value > option.above
    least = option.least is None or value >= option.least
    return above and least and value < float("inf")  # nan fails every comparison


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
