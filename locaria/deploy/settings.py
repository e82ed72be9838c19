"""`locaria.toml`: what a stage is, for everybody who deploys it. It holds no secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from locaria.deploy.errors import BadInput

STAGE_LENGTH = 27
"""The bucket is locaria-<stage>-<account>-<region>, the longest regions have 14 letters, and S3
takes 63 in all."""

# ECR takes single hyphens only, and none at the end (API reference, CreateRepository).
_STAGE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SECRET = r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+"  # noqa: S105
_SUBNET = (r"subnet-[0-9a-z]+", "subnet-0a1b2c3d")
_MUST_NAME = (
    "the ARN of a secret, arn:aws:secretsmanager:<region>:<account>:secret:<name>; "
    "what is in it does not belong here"
)
_SHAPES = {
    "region": (r"[a-z]{2,4}(-[a-z]+)+-\d", "eu-west-1"),
    "account": (r"\d{12}", "123456789012"),
    "subnets": _SUBNET,
    "function_subnets": _SUBNET,
    "security_groups": (r"sg-[0-9a-z]+", "sg-0a1b2c3d"),
    "architecture": (r"X86_64|ARM64", "X86_64, or ARM64"),
    "capacity_provider": (r"FARGATE|FARGATE_SPOT", "FARGATE, or FARGATE_SPOT"),
    "db_cluster": (r"[A-Za-z][A-Za-z0-9-]{0,62}", "my-cluster: its identifier, no ARN"),
    "db_instance": (r"[A-Za-z][A-Za-z0-9-]{0,62}", "my-instance: its identifier, no ARN"),
    "secrets_key": (
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
    "files_bucket": (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "my-files"),
    "files_prefix": (r"[^/*?][^*?]*", "incoming/"),
    "tick_rate": (r"(rate|cron)\(.+\)", "rate(1 minute)"),
}
LOG_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""How long CloudWatch can keep a log group (API reference, PutRetentionPolicy)."""
REQUIRED = ("region", "subnets", "security_groups")
# In these an empty text says something: no schedule, because pg_cron calls tick().
_EMPTY = ("tick_rate",)
_IDENTITY = {
    "jwks_url",
    "jwt_issuer",
    "jwt_audience",
    "jwt_algorithms",
    "jwt_role_claim",
    "jwt_roles",
    "web_origins",
}


@dataclass(frozen=True)
class Settings:
    """One stage.

    Attributes:
        name: of the stage: test, prod, …
        region: AWS region; `profile` of the AWS configuration, None for the default.
        account: which account it must be; None for whichever the credentials belong to.
        subnets: of the tasks; `function_subnets` of the functions that need the database, which
            get no public address (default: `subnets`).
        security_groups: let tasks and functions reach the database and S3.
        assign_public_ip: whether tasks get a public address; needed in subnets without NAT.
        capacity_provider: FARGATE or FARGATE_SPOT.
        db_cluster: identifier of the Aurora cluster that calls the Lambda function; or
            `db_instance`, of the RDS instance. Without either nothing is attached.
        database_host: where tasks find the database, when the deployer reaches it otherwise
            (a tunnel); `database_port` too.
        owner_secret: secret with the DSN of the owner of Locaria's schema; None: LOCARIA_DSN.
        files_bucket: a bucket of the site's own whose files tasks may read, from `files_prefix`.
        tick_rate: schedule of tick(); empty where pg_cron does it.
        secrets: ARN by environment variable, for secrets that exist already.
        secrets_key: ARN of the KMS key of the secrets, where it is not the account's own.
        identity: who may use the WebSocket API: jwks_url, jwt_issuer, jwt_audience,
            jwt_algorithms, jwt_role_claim, jwt_roles, web_origins, as in docs/websocket_api.md.
            Without a provider nobody but who has a ticket can connect.
    """

    name: str
    region: str
    subnets: list[str]
    security_groups: list[str]
    profile: str | None = None
    account: str | None = None
    function_subnets: list[str] = field(default_factory=list)
    assign_public_ip: bool = False
    capacity_provider: str = "FARGATE"
    architecture: str = "X86_64"
    db_cluster: str | None = None
    db_instance: str | None = None
    database_host: str | None = None
    database_port: int | None = None
    owner_secret: str | None = None
    files_bucket: str = ""
    files_prefix: str = ""
    log_days: int = 30
    tick_rate: str = "rate(1 minute)"
    secrets: dict[str, str] = field(default_factory=dict)
    secrets_key: str = ""
    identity: dict[str, str] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        """The name of the stack, and of everything in front."""
        return f"locaria-{self.name}"


Kind = tuple[Callable[[Any], bool], str]


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


_KIND_OF: dict[str, Kind] = {
    "str": (lambda value: isinstance(value, str), "a text"),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "list[str]": (_is_list, 'a list of texts, ["a", "b"]'),
    "dict[str, str]": (_is_table, "a table of texts"),
}
_KINDS: dict[str, Kind] = {
    name: _KIND_OF[str(kind).removesuffix(" | None")]
    for name, kind in Settings.__annotations__.items()
    if name != "name"
}


def check_value(name: str, value: str) -> str | None:
    """What is wrong with one value of a setting, or of `stage`, if anything."""
    if name == "stage":
        if _STAGE.fullmatch(value) and len(value) <= STAGE_LENGTH:
            return None
        return (
            f'"{value}" is no name for a stage: small letters and digits, - between them, '
            f"{STAGE_LENGTH} at most"
        )
    if name == "owner_secret":
        return None if re.fullmatch(_SECRET, value) else f"{name} must be {_MUST_NAME}"
    shape, example = _SHAPES.get(name, (".*", ""))
    if re.fullmatch(shape, value):
        return None
    return f'{name}: "{value}" does not look right (as in {example})'


def make_settings(stage: str, given: dict[str, Any], where: str) -> Settings:
    """Settings from plain values; an empty text stands for none.

    Raises:
        BadInput: with every fault, and the key that has it.
    """
    given = {
        name: None if value == "" and name not in _EMPTY else value for name, value in given.items()
    }
    wrong = [_unknown(name) for name in sorted(given.keys() - _KINDS.keys())]
    wrong += filter(None, [check_value("stage", stage)])
    wrong += [f"{name} is missing" for name in REQUIRED if not given.get(name)]
    for name, value in given.items():
        if name in _KINDS and value not in (None, ""):
            wrong += _check_kind(name, value) or _check_values(name, value)
    wrong += _check_together(given) if not wrong else []
    if wrong:
        listed = "\n".join(f"  {each}" for each in wrong)
        raise BadInput(
            f"stage {stage} in {where}:\n{listed}",
            f"Put it right with: locaria configure --stage {stage}",
        )
    return Settings(name=stage, **{name: v for name, v in given.items() if v is not None})


def _unknown(name: str, known: Iterable[str] | None = None, prefix: str = "") -> str:
    near = difflib.get_close_matches(name, list(_KINDS if known is None else known), 1)
    return f"{prefix}{name} is not a setting" + (f"; {prefix}{near[0]} is" if near else "")


def _check_kind(name: str, value: Any) -> list[str]:
    kind, words = _KINDS[name]
    if not kind(value):
        return [f"{name} must be {words}, not {value!r}"]
    return []


def _check_values(name: str, value: Any) -> list[str]:
    """What is wrong with values of the right kind."""
    if name == "log_days" and value not in LOG_DAYS:
        return [f"log_days: CloudWatch knows {', '.join(map(str, LOG_DAYS))} days, not {value}"]
    if name == "database_port" and not 1 <= value <= 65535:
        return [f"database_port: {value} is no port"]
    if name == "identity":
        return [_unknown(each, _IDENTITY, "identity.") for each in sorted(value.keys() - _IDENTITY)]
    if name == "secrets":
        return [told for pair in value.items() for told in _check_secret(*pair)]
    told = [check_value(name, str(each)) for each in (value if _is_list(value) else [value])]
    return [each for each in told if each]


def _check_secret(variable: str, arn: str) -> list[str]:
    """Which of a name and an ARN is wrong; what stands for the ARN may be the secret itself."""
    wrong = []
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", variable):
        wrong.append(f"secrets: {variable} is no environment variable, as OS_API_KEY is")
    if not re.fullmatch(_SECRET, arn):
        wrong.append(f"secrets.{variable} must be {_MUST_NAME}")
    return wrong


def _check_together(given: dict[str, Any]) -> list[str]:
    wrong, identity = [], given.get("identity") or {}
    if identity.get("jwks_url") and not (
        identity.get("jwt_issuer") and identity.get("jwt_audience")
    ):
        wrong.append("identity.jwks_url needs jwt_issuer and jwt_audience beside it")
    if given.get("db_cluster") and given.get("db_instance"):
        wrong.append("give db_cluster or db_instance, not both")
    return wrong
