"""Write the reference page of all settings: what of the environment hpo reads."""

from __future__ import annotations

from typing import NamedTuple

from hpo.settings import AUTHS, EXACT, FAST, OFF, Settings

_DEFAULTS = {name: field.default for name, field in Settings.__dataclass_fields__.items()}


class Setting(NamedTuple):
    """A row of the page: what a setting may be, what it is when it is not set, and what it does."""

    values: str
    default: str
    means: str


def _of(name: str) -> str:
    """The default that Settings has."""
    return f"`{_DEFAULTS[name]}`"


OURS: dict[str, Setting] = {
    "HPO_HOME": Setting("a folder", "`~/.hpo`", "the SQLite database, data sets, models, caches and the log"),
    "HPO_STORAGE": Setting(
        "`sqlite:///FILE`, `postgresql+psycopg://…`",
        "`sqlite:///$HPO_HOME/hpo.db`",
        "the database; PostgreSQL for a team (`pip install 'hpo[postgres]'`)",
    ),
    "HPO_STORAGE_PASSWORD_FILE": Setting(
        "a file", "none", "the password of the user that `HPO_STORAGE` names, where that names none"
    ),
    "HPO_DEVICE": Setting(
        "`auto`, `cpu`, `cuda`, `cuda:N`",
        _of("device"),
        "where workers train; auto: one worker on each GPU if torch can use them, else one on each core",
    ),
    "HPO_PRECISION": Setting(
        f"`{EXACT}`, `{FAST}`",
        _of("precision"),
        "fast is quicker where products take the time, and promises no bits; a study keeps what it was made with. "
        "`--precision` goes before it",
    ),
    "HPO_SERVER": Setting(
        "a URL",
        "none",
        "the server that verbs and `hpo.client.Client` ask; without one they work on this machine. `--server` goes before it",
    ),
    "HPO_API_KEY": Setting("`hpo_…`", "none", "the key shown to a server that asks for one"),
    "HPO_INSECURE": Setting(
        "`1`, `0`",
        "`0`",
        "a key may travel over plain http to another machine: on a network that can be trusted",
    ),
    "HPO_LOG": Setting(
        "`debug`, `info`, `warning`, `error`, `json`, or a level and json with a comma",
        _of("log"),
        "what is logged on standard error; json: an object a line, of each request too",
    ),
}
SERVERS: dict[str, Setting] = {
    "HPO_AUTH": Setting(
        ", ".join(f"`{word}`" for word in AUTHS),
        _of("auth"),
        "whether API keys are asked for; auto: on every address but loopback; off starts on loopback only",
    ),
    "HPO_ALLOWED_HOSTS": Setting(
        "names with commas", "none", "what the server may be called besides its own address"
    ),
    "HPO_TRUSTED_PROXIES": Setting(
        "addresses or networks with commas",
        "none",
        "whose X-Forwarded-For and X-Forwarded-Proto are believed",
    ),
    "HPO_RATE_LIMIT": Setting(
        "a whole number",
        _of("rate_limit"),
        "requests a second of one key, or of one address without keys, in the long run",
    ),
    "HPO_MAX_UPLOAD_MB": Setting(
        "a whole number", _of("max_upload_mb"), "the largest data set taken, in MiB"
    ),
    "HPO_DASHBOARD": Setting(
        "`HOST:PORT`, `unix:/PATH`",
        "none",
        "an Optuna dashboard that runs by itself; else the server starts one",
    ),
    "HPO_DASHBOARD_WRITE": Setting(
        f"`{OFF}`, `submitter`, `admin`",
        f"`{OFF}`",
        "the least role that may change studies in the dashboard",
    ),
}
OTHERS: dict[str, Setting] = {
    "RAY_ADDRESS": Setting(
        "`HOST:PORT`", "none", "the Ray cluster that trains; without one `--pool ray` starts Ray here"
    ),
    "RAY_AUTH_MODE": Setting(
        "`token`, `disabled`",
        "by what the cluster asks for",
        "token: a cluster that asks for no token is not joined; disabled: it is joined without a warning",
    ),
    "RAY_AUTH_TOKEN_PATH": Setting("a file", "`~/.ray/auth_token`", "the token shown to a Ray cluster"),
    "CUDA_VISIBLE_DEVICES": Setting("numbers with commas", "all", "which GPUs there are for hpo"),
    "NO_COLOR": Setting("anything", "none", "no colours anywhere"),
    "FORCE_COLOR": Setting("anything", "none", "colours in a pipe too"),
    "TERM": Setting("`dumb`", "", "no colours and no live view"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": Setting(
        "a URL", "none", "where traces of a server go (`pip install 'hpo[telemetry]'`)"
    ),
    "OTEL_SDK_DISABLED": Setting("`true`", "`false`", "no traces, whatever else is set"),
    "NOTIFY_SOCKET": Setting(
        "a path", "none", "set by systemd: told when the server is ready and when it stops"
    ),
    "HPO_TEST_POSTGRES": Setting(
        "a URL", "none", "for the tests alone: a PostgreSQL database that may be emptied"
    ),
}
_INTRO = """\
# Settings

<!-- Written from the tables in hpo/service/settings_page.py by `make docs`: change those. -->

What a process reads of its environment, once, when it starts. A setting that is set to nothing counts as not set; one that cannot be
is an error that names it, with exit code 2. Everything about a *search* stands in the study file instead, so that a result
never depends on a setting.
"""


def page() -> str:
    """The page in Markdown."""
    sections = {"For everybody": OURS, "For a server": SERVERS, "Of others, that hpo heeds": OTHERS}
    return "\n".join([_INTRO, *(f"## {title}\n\n{_table(rows)}" for title, rows in sections.items())])


def _table(rows: dict[str, Setting]) -> str:
    lines = [f"| `{name}` | {row.values} | {row.default} | {row.means} |\n" for name, row in rows.items()]
    return "".join(["| setting | values | default | what it does |\n|---|---|---|---|\n", *lines])
