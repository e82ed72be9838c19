"""The bucket of zips and object store. It outlives the stack, so it is made beside it."""

from __future__ import annotations

from botocore.exceptions import ClientError

from locaria.deploy.aws import Aws
from locaria.deploy.errors import Refused

_MISSING = ("404", "NoSuchBucket", "NotFound")
_CLOSED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
# What a killed task has begun to store, and nobody sees or goes on with: an upload is resumed for a
# day (docs/bundle_ingest.md).
_RULES = {
    "Rules": [
        {
            "ID": "unfinished-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": "objects/"},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ]
}


class Bucket:
    """One bucket of this account.

    Every call names the account that must own it: a bucket's name can be guessed, and somebody
    else may have taken it, to give us their code to run.
    """

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self.name = name
        self._found = False

    @property
    def _it(self) -> dict[str, str]:
        return {"Bucket": self.name, "ExpectedBucketOwner": self._aws.account}

    def is_there(self) -> bool:
        """Whether it is there. Raises Refused when it is somebody else's."""
        if self._found:
            return True
        try:
            self._found = self._aws.find(_MISSING, "s3", "HeadBucket", **self._it) is not None
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("403", "AccessDenied"):
                raise
            raise Refused(
                f"the bucket {self.name} belongs to another account, or these credentials may not "
                "see it",
                "Its name is made of stage, account and region: choose another name for the stage.",
            ) from error
        return self._found

    def is_closed(self) -> bool:
        """Whether nothing in it can become public."""
        told = self._aws.find(
            ("NoSuchPublicAccessBlockConfiguration", *_MISSING),
            "s3",
            "GetPublicAccessBlock",
            **self._it,
        )
        return bool(told and told["PublicAccessBlockConfiguration"] == _CLOSED)

    def has_rules(self) -> bool:
        """Whether something is said of what becomes of old objects; a site's own rules are kept."""
        missing = ("NoSuchLifecycleConfiguration", *_MISSING)
        told = self._aws.find(missing, "s3", "GetBucketLifecycleConfiguration", **self._it)
        return told is not None

    def make(self) -> None:
        """Make it, close it, and end unfinished uploads; each only where it is missing."""
        region = self._aws.region
        place = (
            {}
            if region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        if not self.is_there():
            self._aws.change("s3", "CreateBucket", Bucket=self.name, **place)
        if not self.is_closed():
            self._aws.change(
                "s3", "PutPublicAccessBlock", **self._it, PublicAccessBlockConfiguration=_CLOSED
            )

        if not self.has_rules():
            self._aws.change(
                "s3", "PutBucketLifecycleConfiguration", **self._it, LifecycleConfiguration=_RULES
            )

    def has(self, key: str) -> bool:
        """Whether something is stored under this key."""
        missing = (*_MISSING, "NoSuchKey")
        return self._aws.find(missing, "s3", "HeadObject", **self._it, Key=key) is not None

    def put(self, key: str, body: bytes) -> None:
        """Store something."""
        self._aws.change("s3", "PutObject", **self._it, Key=key, Body=body)

    def delete(self, key: str) -> None:
        """Delete something."""
        self._aws.change("s3", "DeleteObject", **self._it, Key=key)

    def url(self, key: str) -> str:
        """Its address in the region."""
        return f"https://{self.name}.s3.{self._aws.region}.{self._aws.domain}/{key}"
