"""The object store of the containers: a folder, or a prefix of an S3 bucket, behind one interface.

The environment variable LOCARIA_OBJECT_STORE names it: `s3://bucket/prefix` or `file:///path`.
An object is visible as a whole or not at all: S3 shows a multipart upload when it is completed, and
a folder gets its file by a rename.
"""

from object_store.interface import (
    LONGEST_LINK,
    DeniedError,
    MissingError,
    ResumableSink,
    Sink,
    Source,
    Store,
    StoreError,
    StoreFailedError,
    check_key,
)
from object_store.opening import VARIABLE, open_store
from object_store.transfer import Stored, get_object, put_object

__all__ = [
    "LONGEST_LINK",
    "VARIABLE",
    "DeniedError",
    "MissingError",
    "ResumableSink",
    "Sink",
    "Source",
    "Store",
    "StoreError",
    "StoreFailedError",
    "Stored",
    "check_key",
    "get_object",
    "open_store",
    "put_object",
]
