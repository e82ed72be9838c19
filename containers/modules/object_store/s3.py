"""A prefix of an S3 bucket as an object store. Parts of an upload wait on disk, not in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, Any
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from object_store.interface import LONGEST_LINK, DeniedError, MissingError, StoreFailedError

# S3 takes 10,000 parts of at least 5 MiB (S3 user guide, "multipart upload limits"). Parts begin
# at 16 MiB and double every 2,000 parts, so that 5 TiB, the largest object, fits.
_PART = 16 << 20
_DOUBLE_EVERY = 2_000
_MISSING = ("404", "NoSuchKey", "NotFound")
_DENIED = ("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
_KEYS_PER_DELETE = 1000
_ATTEMPTS = 5


def make_client(credentials: Mapping[str, str] | None = None) -> Any:
    """Return boto3's S3 client, configured by the environment (AWS_ENDPOINT_URL_S3 included).

    Args:
        credentials: `access_key_id`, `secret_access_key` and perhaps `session_token`, in place of
            those that boto3 finds.
    """
    given = credentials or {}
    names = {
        "aws_access_key_id": "access_key_id",
        "aws_secret_access_key": "secret_access_key",
        "aws_session_token": "session_token",
    }
    keys: Any = {name: given[key] for name, key in names.items() if key in given}
    retries: Any = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
    return boto3.client("s3", config=Config(retries=retries, signature_version="s3v4"), **keys)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn errors of boto3 into errors of the store."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _MISSING:
            raise MissingError(f"{key} is not in the store") from error
        if code in _DENIED:
            raise DeniedError(f"S3, {key}: {error}") from error
        raise StoreFailedError(f"S3, {key}: {error}") from error
    except BotoCoreError as error:
        raise StoreFailedError(f"S3, {key}: {error}") from error


class S3Store:
    """A bucket, or a prefix of one.

    Args:
        bucket: Its name.
        prefix: The prefix of all keys, without slashes around it.
        client: boto3's S3 client; by default the one of make_client().
    """

    renames_at_once = False

    def __init__(self, bucket: str, prefix: str, client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = client or make_client()

    def create(
        self, key: str, *, content_type: str | None = None, download_name: str | None = None
    ) -> S3Sink:
        """Begin to write an object."""
        headers = {}
        if content_type:
            headers["ContentType"] = content_type
        if download_name:
            headers["ContentDisposition"] = _disposition(download_name)
        return S3Sink(self._client, self._bucket, self._prefix + key, headers=headers)

    def resume(self, key: str, state: Mapping[str, Any]) -> S3Sink:
        """Resume an unfinished upload after the parts that S3 has."""
        return S3Sink(self._client, self._bucket, self._prefix + key, state)

    def open(self, key: str, offset: int = 0) -> Any:
        """Read an object."""
        if offset and offset == self.size(key):
            return tempfile.TemporaryFile()
        return S3Source(self._client, self._bucket, self._prefix + key, key, offset)

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, or None."""
        try:
            with _translated(key):
                found = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except MissingError:
            return None
        return int(found["ContentLength"])

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys below a prefix."""
        begin = f"{self._prefix}{prefix}/" if prefix else self._prefix
        with _translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=begin
            )
            for page in pages:
                for found in page.get("Contents", []):
                    yield found["Key"].removeprefix(self._prefix)

    def delete(self, prefix: str) -> int:
        """Delete an object, and those whose keys begin with its key and a slash."""
        own = [prefix] if self.size(prefix) is not None else []
        keys = [*own, *self.list(prefix)]
        for begin in range(0, len(keys), _KEYS_PER_DELETE):
            objects = [
                {"Key": self._prefix + key} for key in keys[begin : begin + _KEYS_PER_DELETE]
            ]
            with _translated(prefix):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
                )
            for error in answer.get("Errors", []):
                raise StoreFailedError(f"S3 did not delete {error['Key']}: {error['Message']}")
        return len(keys)

    def discard_parts(self, prefix: str) -> None:
        """Abort the uploads of this key, and below it, that were never completed."""
        whole = self._prefix + prefix
        with _translated(prefix):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=whole
            )
            for page in pages:
                for upload in page.get("Uploads", []):
                    if upload["Key"] == whole or upload["Key"].startswith(f"{whole}/"):
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )

    def rename(self, source: str, target: str) -> None:
        """Copy within S3, then delete. Not one step: the database decides what is published."""
        for key in list(self.list(source)):
            with _translated(key):
                self._client.copy(
                    {"Bucket": self._bucket, "Key": self._prefix + key},
                    self._bucket,
                    f"{self._prefix}{target}{key.removeprefix(source)}",
                )
        self.delete(source)

    def settle(self) -> None:
        """Do nothing: what S3 has confirmed is durable."""

    def url(self, key: str) -> str:
        """Return the s3:// URL of an object."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def link(self, key: str, expires: timedelta = LONGEST_LINK) -> str:
        """Return a presigned URL of an object."""
        url = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": self._prefix + key},
            ExpiresIn=int(min(expires, LONGEST_LINK).total_seconds()),
        )
        return str(url)


class S3Source:
    """An object that is being read. A broken connection is reopened where it broke.

    Args:
        client: boto3's S3 client.
        bucket: The name of the bucket.
        object_key: The key in the bucket.
        key: The key in the store, for error messages.
        offset: The first byte to read.
    """

    def __init__(self, client: Any, bucket: str, object_key: str, key: str, offset: int) -> None:
        self._client = client
        self._where = {"Bucket": bucket, "Key": object_key}
        self._key = key
        self._offset = offset
        self._body = self._open()

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes; b"" at the end."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                data = bytes(self._body.read(size))
            except BotoCoreError as error:
                if attempt == _ATTEMPTS:
                    raise StoreFailedError(f"S3, {self._key}: {error}") from error
                self._body.close()
                self._body = self._open()
            else:
                self._offset += len(data)
                return data
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the connection."""
        self._body.close()

    def _open(self) -> Any:
        where = dict(self._where)
        if self._offset:
            where["Range"] = f"bytes={self._offset}-"
        with _translated(self._key):
            found = self._client.get_object(**where)
        # Reopened, the object must be the one that was begun.
        self._where["IfMatch"] = found["ETag"]
        return found["Body"]


class S3Sink:
    """An object that is uploaded part by part; a small one in one call.

    Args:
        client: boto3's S3 client.
        bucket: The name of the bucket.
        key: The key in the bucket.
        state: What sync() of an earlier sink returned.
        headers: Arguments of PutObject and CreateMultipartUpload, such as ContentType.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        key: str,
        state: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        state = state or {}
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._headers = dict(headers or {})
        self._upload: str | None = state.get("upload")
        self._parts: list[dict[str, Any]] = list(state.get("parts", ()))
        self._sent = int(state.get("bytes", 0))
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _close()
        self._spooled = 0
        self._open = True

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes; a full part is uploaded from disk."""
        self._spool.write(data)
        self._spooled += len(data)
        if self._spooled >= _PART << (len(self._parts) // _DOUBLE_EVERY):
            self._send_part()

    def sync(self) -> dict[str, Any]:
        """Return which parts S3 has. The last one, which is not full yet, is on our disk only."""
        return {"bytes": self._sent, "upload": self._upload, "parts": self._parts}

    def close(self) -> None:
        """Stop writing, to resume later."""
        self._close()

    def commit(self, *, sync: bool = True) -> None:
        """Complete the object."""
        del sync  # What S3 has confirmed is durable.
        with _translated(self._where["Key"]):
            if self._upload is None:
                self._spool.seek(0)
                self._client.put_object(**self._where, **self._headers, Body=self._spool)
            else:
                if self._spooled:
                    self._send_part()
                self._client.complete_multipart_upload(
                    **self._where, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
                )
        self._close()

    def abort(self) -> None:
        """Abort the upload, whose parts would be charged for."""
        if self._open:
            self._close()
            if self._upload is not None:
                with _translated(self._where["Key"]):
                    self._client.abort_multipart_upload(**self._where, UploadId=self._upload)

    def _send_part(self) -> None:
        number = len(self._parts) + 1
        self._spool.seek(0)
        with _translated(self._where["Key"]):
            if self._upload is None:
                created = self._client.create_multipart_upload(**self._where, **self._headers)
                self._upload = created["UploadId"]
            done = self._client.upload_part(
                **self._where, UploadId=self._upload, PartNumber=number, Body=self._spool
            )
        self._parts.append({"ETag": done["ETag"], "PartNumber": number})
        self._spool.seek(0)
        self._spool.truncate()
        self._sent += self._spooled
        self._spooled = 0

    def _close(self) -> None:
        self._open = False
        self._spool.close()


def _disposition(name: str) -> str:
    """Return a Content-Disposition header (RFC 6266) for a file name in any script."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
