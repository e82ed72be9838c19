"""A bucket of S3 as a store. Parts of an upload wait on disk, not in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bundles.store import MissingError, StoreFailedError

# S3 takes 10,000 parts of at least 5 MiB (S3 user guide, "multipart upload limits"): parts begin
# at 16 MiB and double every 2,000, so that 5 TiB, the largest object there is, fit.
_PART = 16 << 20
_DOUBLE_EVERY = 2_000
_MISSING = ("404", "NoSuchKey", "NotFound")
_A_CALL = 1000


@contextmanager
def _talking(key: str) -> Iterator[None]:
    """Tell what S3 refuses in the words of the store."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _MISSING:
            raise MissingError(f"{key} is not in the store") from error
        raise StoreFailedError(f"S3, {key}: {error}") from error
    except BotoCoreError as error:
        raise StoreFailedError(f"S3, {key}: {error}") from error


class S3Store:
    """A bucket, or what begins with a prefix in it.

    Args:
        bucket: its name.
        prefix: of all keys, without slashes around it.
        client: boto3's, for tests; by default by the environment (AWS_ENDPOINT_URL_S3 included).
    """

    renames_at_once = False

    def __init__(self, bucket: str, prefix: str, client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = client or boto3.client(
            "s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5})
        )

    def create(self, key: str) -> S3Sink:
        """Begin to write an object."""
        return S3Sink(self._client, self._bucket, self._prefix + key)

    def open(self, key: str, offset: int = 0) -> Any:
        """Read an object."""
        if offset and offset == self.size(key):
            return tempfile.TemporaryFile()
        where: dict[str, str] = {"Range": f"bytes={offset}-"} if offset else {}
        with _talking(key):
            found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key, **where)
        return _Body(found["Body"], key)

    def size(self, key: str) -> int | None:
        """Its size, or None."""
        try:
            with _talking(key):
                found = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except MissingError:
            return None
        return int(found["ContentLength"])

    def delete(self, prefix: str) -> int:
        """Delete an object, and what begins with its key and a slash."""
        keys = [prefix, *self.list(prefix)] if self.size(prefix) is not None else []
        keys = keys or list(self.list(prefix))
        for begin in range(0, len(keys), _A_CALL):
            objects = [{"Key": self._prefix + key} for key in keys[begin : begin + _A_CALL]]
            with _talking(prefix):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
                )
            for error in answer.get("Errors", []):
                raise StoreFailedError(f"S3 does not delete {error['Key']}: {error['Message']}")
        return len(keys)

    def discard_parts(self, key: str) -> None:
        """Abort the uploads of this key, and below it, that were never completed."""
        whole = self._prefix + key
        with _talking(key):
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
        """Copy within S3, then delete. Not in one step: the database says what is published."""
        for key in list(self.list(source)):
            with _talking(key):
                self._client.copy(
                    {"Bucket": self._bucket, "Key": self._prefix + key},
                    self._bucket,
                    f"{self._prefix}{target}{key.removeprefix(source)}",
                )
        self.delete(source)

    def list(self, prefix: str) -> Iterator[str]:
        """The keys below a prefix."""
        begin = f"{self._prefix}{prefix}/" if prefix else self._prefix
        with _talking(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=begin
            )
            for page in pages:
                for found in page.get("Contents", []):
                    yield found["Key"].removeprefix(self._prefix)

    def settle(self) -> None:
        """S3 has it when it has answered."""

    def resume(self, key: str, state: Mapping[str, Any]) -> S3Sink:
        """Go on with an unfinished upload, behind the parts that S3 has."""
        return S3Sink(self._client, self._bucket, self._prefix + key, state)


class _Body:
    """What is read of an object; an answer that breaks off is a failure of the store."""

    def __init__(self, body: Any, key: str) -> None:
        self._body = body
        self._key = key

    def read(self, size: int) -> bytes:
        with _talking(self._key):
            return bytes(self._body.read(size))

    def close(self) -> None:
        self._body.close()


class S3Sink:
    """An object that is uploaded part by part; one smaller than a part in one call.

    Args:
        client: boto3's.
        bucket: its name.
        key: of the object.
        state: what sync() of an earlier sink has said.
    """

    def __init__(
        self, client: Any, bucket: str, key: str, state: Mapping[str, Any] | None = None
    ) -> None:
        state = state or {}
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
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
        """Which parts S3 has. The last one, not full yet, is on our disk only."""
        return {"bytes": self._sent, "upload": self._upload, "parts": self._parts}

    def close(self) -> None:
        """Stop writing, to go on later."""
        self._close()

    def commit(self, *, sync: bool = True) -> None:
        """Complete the object."""
        del sync  # What S3 has answered is durable.
        with _talking(self._where["Key"]):
            if self._upload is None:
                self._spool.seek(0)
                self._client.put_object(**self._where, Body=self._spool)
            else:
                if self._spooled:
                    self._send_part()
                self._client.complete_multipart_upload(
                    **self._where, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
                )
        self._close()

    def abort(self) -> None:
        """Leave nothing that would be paid for."""
        if self._open:
            self._close()
            if self._upload is not None:
                with _talking(self._where["Key"]):
                    self._client.abort_multipart_upload(**self._where, UploadId=self._upload)

    def _send_part(self) -> None:
        number = len(self._parts) + 1
        self._spool.seek(0)
        with _talking(self._where["Key"]):
            if self._upload is None:
                self._upload = self._client.create_multipart_upload(**self._where)["UploadId"]
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
