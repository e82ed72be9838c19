"""AWS as the deployment sees it: it asks, and it changes; each change can be shown instead."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from locaria.deploy.errors import DeployError, Refused

Shape = dict[str, Any]
_HIDDEN = {"SecretString"}
_CLI_NAMES = {"s3": "s3api"}
_NO_LOGIN = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
    TokenRetrievalError,
)
# Left alone, boto3 signs links in old regions in a way that new buckets refuse, and for an address
# that leads a new bucket's callers to another one, for which the link is not signed.
_S3 = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
CREDENTIALS_HINT = (
    "Log in (aws sso login, aws configure) and name the profile: --profile, AWS_PROFILE, or "
    "locaria configure"
)


class Aws:
    """The services of one account and region.

    Parameters:
        region: AWS region.
        profile: of the AWS configuration; None for the default.
        dry_run: change nothing, show every call.
        show: takes the lines that a dry run shows, and in a real one every change that is made.
    """

    def __init__(
        self,
        region: str,
        profile: str | None = None,
        *,
        dry_run: bool,
        show: Callable[[str], None],
    ) -> None:
        self.region = region
        self.profile = profile
        self.dry_run = dry_run
        self._show = show
        self._clients: dict[str, Any] = {}
        try:
            self._session: Any = boto3.Session(profile_name=profile, region_name=region)
        except ProfileNotFound as error:
            raise Refused(str(error), CREDENTIALS_HINT) from error
        self._account: str | None = None

    @property
    def account(self) -> str:
        """The number of the account that the credentials belong to. Raises DeployError."""
        if self._account is None:
            self._account = str(self.ask("sts", "GetCallerIdentity")["Account"])
        return self._account

    @property
    def partition(self) -> str:
        """aws, aws-cn or aws-us-gov."""
        return str(self._session.get_partition_for_region(self.region))

    @property
    def domain(self) -> str:
        """The domain of AWS's own addresses in this region."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    def regions(self) -> list[str]:
        """All regions in which ECS is."""
        found: list[str] = []
        for partition in self._session.get_available_partitions():
            found += self._session.get_available_regions("ecs", partition)
        return sorted(found)

    def client(self, service: str) -> Any:
        """A boto3 client, made once."""
        if service not in self._clients:
            retries: Any = {"mode": "standard", "total_max_attempts": 8}
            config = Config(retries=retries, connect_timeout=10, read_timeout=60)
            if service == "s3":
                config = config.merge(_S3)
            self._clients[service] = self._session.client(service, config=config)
        return self._clients[service]

    def ask(self, service: str, operation: str, **parameters: Any) -> Shape:
        """Call an operation that changes nothing.

        Raises:
            ClientError: the service refused, except for what `DeployError` tells better.
            DeployError: no credentials, no permission, no connection.
        """
        return self._call(service, operation, parameters)

    def find(
        self, missing: tuple[str, ...], service: str, operation: str, **parameters: Any
    ) -> Any:
        """As `ask`, but None when the service answers with one of the error codes `missing`."""
        try:
            return self._call(service, operation, parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in missing:
                return None
            raise

    def change(self, service: str, operation: str, **parameters: Any) -> Shape:
        """Call an operation that changes something; in a dry run show it. Raises as `ask`."""
        self._show(self.as_command(service, operation, parameters))
        return {} if self.dry_run else self._call(service, operation, parameters)

    def as_command(self, service: str, operation: str, parameters: Shape) -> str:
        """The same call as a line for a shell, with the AWS command line; secrets hidden."""
        words = ["aws", _CLI_NAMES.get(service, service), _kebab(operation)]
        for name, value in parameters.items():
            flag = "no-" if value is False else ""
            words += [f"--{flag}{_kebab(name)}", *_argument(name, value)]
        words += ["--region", self.region]
        words += ["--profile", self.profile] if self.profile else []
        return shlex.join(words)

    def _call(self, service: str, operation: str, parameters: Shape) -> Shape:
        try:
            answer: Shape = getattr(self.client(service), xform_name(operation))(**parameters)
        except _NO_LOGIN as error:
            raise DeployError(f"no AWS credentials: {error}", CREDENTIALS_HINT) from error
        except ClientError as error:
            raise _told(error, service, operation) from error
        except BotoCoreError as error:
            hint = "Is there a way to AWS from here (a proxy: HTTPS_PROXY)?"
            raise DeployError(f"AWS {service} in {self.region}: {error}", hint) from error
        return answer


_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_LOGIN = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "RequestTimeTooSkewed",
    "AuthFailure",
    "OptInRequired",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden"}


def _told(error: ClientError, service: str, operation: str) -> Exception:
    """What a login or a permission needs, in words; everything else as it came."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _EXPIRED:
        return DeployError(f"these AWS credentials have expired: {message}", CREDENTIALS_HINT)
    if code in _LOGIN:
        return DeployError(
            f"AWS does not take these credentials: {message}",
            f"{CREDENTIALS_HINT}. A region that the account has not enabled says the same, and so "
            "does a wrong clock of this machine.",
        )
    if code in _DENIED:
        return DeployError(
            f"not allowed: {service}:{operation}: {message}",
            "docs/aws.md lists what who deploys must be allowed to do.",
        )
    return error


def _kebab(name: str) -> str:
    return xform_name(name, "-")


def _argument(name: str, value: Any) -> list[str]:
    if name in _HIDDEN:
        return ["***"]
    if isinstance(value, bool):
        return []
    if isinstance(value, bytes):
        return [f"({len(value)} bytes)"]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return [json.dumps(value) if isinstance(value, dict | list) else str(value)]
