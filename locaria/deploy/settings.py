"""`locaria.toml`: what a stage is, for everybody who deploys it. It holds no secret."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from locaria.deploy.errors import DeployError

FILE = Path("locaria.toml")
_STAGE = re.compile(r"[a-z][a-z0-9-]{0,29}")
_SHAPES = {
    "region": r"[a-z]{2}(-[a-z]+)+-\d",
    "account": r"\d{12}",
    "subnets": r"subnet-[0-9a-z]+",
    "function_subnets": r"subnet-[0-9a-z]+",
    "security_groups": r"sg-[0-9a-z]+",
    "architecture": r"X86_64|ARM64",
    "capacity_provider": r"FARGATE|FARGATE_SPOT",
    "owner_secret": r"arn:aws[a-z-]*:secretsmanager:.+",
    "tick_rate": r"(rate|cron)\(.+\)",
}
REQUIRED = ("region", "subnets", "security_groups")
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
    identity: dict[str, str] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        """The name of the stack, and of everything in front."""
        return f"locaria-{self.name}"


def read_stages(path: Path = FILE) -> dict[str, dict[str, Any]]:
    """All stages of a locaria.toml as they stand there; empty without a file.

    Raises:
        DeployError: the file can't be read.
    """
    if not path.exists():
        return {}
    try:
        stages = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap().get("stages", {})
    except (TOMLKitError, OSError) as error:
        raise DeployError(f"{path} can't be read: {error}") from error
    return dict(stages)


def load_settings(stage: str, path: Path = FILE, **changes: Any) -> Settings:
    """One stage, checked.

    Parameters:
        changes: what the command line says instead; None for what it does not say.

    Raises:
        DeployError: there is no such stage, or its settings are wrong; every fault is named.
    """
    stages = read_stages(path)
    if stage not in stages:
        known = ", ".join(sorted(stages)) or "none"
        raise DeployError(
            f'there is no stage "{stage}" in {path} (known: {known})',
            f"Make it with: locaria configure --stage {stage}",
        )
    given = stages[stage] | {name: value for name, value in changes.items() if value is not None}
    return make_settings(stage, given, str(path))


def check_value(name: str, value: str) -> str | None:
    """What is wrong with one value of a setting, or of `stage`, if anything."""
    if name == "stage":
        fits = _STAGE.fullmatch(value)
        return None if fits else f'"{value}" is no name for a stage: small letters, digits and -'
    shape = _SHAPES.get(name)
    if shape is None or re.fullmatch(shape, value):
        return None
    return f'{name}: "{value}" does not look right'


def make_settings(stage: str, given: dict[str, Any], where: str) -> Settings:
    """Settings from plain values. Raises DeployError that names every fault."""
    known = {each.name: each for each in fields(Settings)} | {}
    wrong = [f"{name} is not a setting" for name in sorted(given.keys() - known.keys())]
    wrong += filter(None, [check_value("stage", stage)])
    wrong += [f"{name} is missing" for name in REQUIRED if not given.get(name)]
    for name in _SHAPES:
        values = given.get(name)
        for value in values if isinstance(values, list) else [values] if values else []:
            told = check_value(name, str(value))
            wrong += [told] if told else []
    identity = given.get("identity") or {}
    wrong += [f"identity.{name} is not a setting" for name in sorted(identity.keys() - _IDENTITY)]
    if identity.get("jwks_url") and not (
        identity.get("jwt_issuer") and identity.get("jwt_audience")
    ):
        wrong.append("identity.jwks_url needs jwt_issuer and jwt_audience beside it")
    if given.get("db_cluster") and given.get("db_instance"):
        wrong.append("give db_cluster or db_instance, not both")
    if wrong:
        listed = "\n".join(f"  {each}" for each in wrong)
        raise DeployError(
            f"stage {stage} in {where}:\n{listed}",
            f"Put it right with: locaria configure --stage {stage}",
        )
    return Settings(name=stage, **{name: given[name] for name in given if name != "name"})


def save_settings(settings: Settings, path: Path = FILE) -> None:
    """Write one stage into a locaria.toml; other stages and people's comments stay."""
    document = (
        tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    )
    if not document:
        document.add(tomlkit.comment("The stages of Locaria. No secrets here: see docs/aws.md."))
    stages = document.setdefault("stages", tomlkit.table(is_super_table=True))
    table = stages.setdefault(settings.name, tomlkit.table())
    plain = Settings(settings.name, "", [], [])
    for name, value in asdict(settings).items():
        if name == "name":
            continue
        if value in (None, getattr(plain, name)):
            table.pop(name, None)
        elif table.get(name) != value:
            table[name] = value
    path.write_text(tomlkit.dumps(document), encoding="utf-8")
