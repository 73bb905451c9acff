"""Where hpo keeps things and what it runs on: the environment, read once."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from hpo.account import Role
from hpo.errors import SpecError

DEVICES = ("auto", "cpu", "cuda")
EXACT, FAST = "exact", "fast"
PRECISIONS = (EXACT, FAST)
AUTO, OFF, REQUIRED = "auto", "off", "required"
AUTHS = (AUTO, OFF, REQUIRED)
UNIX = "unix:"  # how the address of a socket in the file system begins

_WORDS = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process; each stands in the environment as HPO_… (RAY_ADDRESS as it is).

    insecure: an API key may travel over plain http to another machine
    auth: whether a server asks for API keys; auto: unless it listens on this machine alone
    allowed_hosts: what a server may be called besides its own address; dashboard: the URL of an Optuna
    dashboard that runs by itself; trusted_proxies: addresses and networks whose X-Forwarded-For and -Proto are
    believed; rate_limit: requests a second that one key, or address without keys, may make in the long run
    dashboard_write: the least role that may change studies in the Optuna dashboard, None: nobody
    """

    home: Path
    storage: str
    device: str = "auto"
    precision: str = EXACT
    ray_address: str | None = None
    server: str | None = None
    api_key: str | None = field(default=None, repr=False)
    insecure: bool = False
    auth: str = AUTO
    allowed_hosts: tuple[str, ...] = ()
    dashboard: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    rate_limit: int = 1000
    dashboard_write: Role | None = None
    max_upload_mb: int = 512
    log: str = "warning"

    def __post_init__(self) -> None:
        if self.device.split(":")[0] not in DEVICES:
            raise SpecError(f"must be auto, cpu, cuda or cuda:N, got {self.device!r}", field="HPO_DEVICE")
        if self.precision not in PRECISIONS:
            raise SpecError(f"must be exact or fast, got {self.precision!r}", field="HPO_PRECISION")
        if self.auth not in AUTHS:
            raise SpecError(f"must be auto, off or required, got {self.auth!r}", field="HPO_AUTH")
        if self.dashboard is not None:
            parse_dashboard(self.dashboard)
        for place in self.trusted_proxies:
            _check_network(place)


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment asks for. Raises SpecError."""
    env = os.environ if environ is None else environ
    home = Path(env.get("HPO_HOME") or "~/.hpo").expanduser().absolute()
    return Settings(
        home=home,
        storage=_with_password(env, env.get("HPO_STORAGE") or f"sqlite:///{home / 'hpo.db'}"),
        device=env.get("HPO_DEVICE") or "auto",
        precision=env.get("HPO_PRECISION") or EXACT,
        ray_address=env.get("RAY_ADDRESS") or None,
        server=(env.get("HPO_SERVER") or "").rstrip("/") or None,
        api_key=env.get("HPO_API_KEY") or None,
        insecure=_yes(env, "HPO_INSECURE"),
        auth=(env.get("HPO_AUTH") or AUTO).lower(),
        allowed_hosts=_words(env, "HPO_ALLOWED_HOSTS"),
        dashboard=env.get("HPO_DASHBOARD") or None,
        trusted_proxies=_words(env, "HPO_TRUSTED_PROXIES"),
        rate_limit=_whole(env, "HPO_RATE_LIMIT", 1000),
        dashboard_write=_role(env, "HPO_DASHBOARD_WRITE"),
        max_upload_mb=_whole(env, "HPO_MAX_UPLOAD_MB", 512),
        log=env.get("HPO_LOG") or "warning",
    )


def _with_password(env: Mapping[str, str], url: str) -> str:
    """A database's URL with the password that stands in a file of its own, if one is named. Raises SpecError."""
    file = env.get("HPO_STORAGE_PASSWORD_FILE")
    if not file:
        return url
    try:
        password = Path(file).read_text(encoding="utf-8").rstrip("\r\n")  # editors end the last line
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SpecError(f"{file!r} cannot be read: {why}", field="HPO_STORAGE_PASSWORD_FILE") from None
    if not password:
        raise SpecError(f"{file!r} is empty; write the password into it", field="HPO_STORAGE_PASSWORD_FILE")
    scheme, _, rest = url.partition("://")
    authority, slash, name = rest.partition("/")
    account, _, host = authority.rpartition("@")
    if not account or ":" in account:
        raise SpecError(
            "with HPO_STORAGE_PASSWORD_FILE it names a user without a password, as in "
            "postgresql+psycopg://USER@HOST/NAME",
            field="HPO_STORAGE",
        )
    return f"{scheme}://{account}:{quote(password, safe='')}@{host}{slash}{name}"


def _yes(env: Mapping[str, str], name: str) -> bool:
    """A word of the environment that is yes or no. Raises SpecError."""
    word = env.get(name, "").lower()
    if word not in _WORDS:
        raise SpecError(f"must be 1 or 0, got {word!r}", field=name)
    return _WORDS[word]


def _words(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The words of a list with commas."""
    return tuple(filter(None, (word.strip() for word in env.get(name, "").split(","))))


def _check_network(place: str) -> None:
    """Raises SpecError unless it is an address or a network."""
    try:
        ipaddress.ip_network(place)
    except ValueError:
        raise SpecError(
            f"must be addresses or networks such as 10.0.0.0/8, got {place!r}", field="HPO_TRUSTED_PROXIES"
        ) from None


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    """A whole number above 0 of the environment. Raises SpecError."""
    word = env.get(name) or str(default)
    if not word.isdecimal() or int(word) < 1:
        raise SpecError(f"must be a whole number above 0, got {word!r}", field=name)
    return int(word)


def parse_dashboard(address: str) -> tuple[str, str | None]:
    """The URL of a dashboard's address, and its socket in the file system if that is where it leads. Raises SpecError.

    >>> parse_dashboard("127.0.0.1:8001"), parse_dashboard("unix:/run/hpo/dashboard")
    (('http://127.0.0.1:8001', None), ('http://localhost', '/run/hpo/dashboard'))
    """
    if address.startswith(f"{UNIX}/"):
        return "http://localhost", address.removeprefix(UNIX)
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        whole = (
            parts.scheme in ("http", "https") and parts.hostname and parts.port and not parts.path.strip("/")
        )
    except ValueError:  # a port that is no number
        whole = False
    if not whole:
        raise SpecError(f"must be host:port or unix:/path, got {address!r}", field="HPO_DASHBOARD")
    return url.rstrip("/"), None


def _role(env: Mapping[str, str], name: str) -> Role | None:
    """The least role that may do something; None for off. Raises SpecError."""
    word = (env.get(name) or OFF).lower()
    if word == OFF:
        return None
    if word not in (Role.SUBMITTER, Role.ADMIN):
        raise SpecError(f"must be off, submitter or admin, got {word!r}", field=name)
    return Role(word)
