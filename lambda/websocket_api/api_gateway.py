"""Post messages to the clients of an API Gateway WebSocket API.

Limits (AWS: API Gateway quotas; botocore: apigatewaymanagementapi): 128 KB a message; 410 when the
client is gone or the connection is not established yet; 429 when it does not read.
"""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

MAX_REPLY = 131_072
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},  # 429 and 5xx, with a growing pause
)


class GoneError(Exception):
    """The client is no longer connected."""


class PostError(Exception):
    """The message could not be delivered; the text gives the reason."""


class TooLargeError(Exception):
    """API Gateway does not carry a message of this size."""


class ApiGateway:
    """Posts to connections behind one endpoint, `https://{api}.execute-api.{region}…/{stage}`."""

    def __init__(self, endpoint: str) -> None:
        self._client: Any = boto3.client(
            "apigatewaymanagementapi", endpoint_url=endpoint, config=_CONFIG
        )

    def post(self, connection: str, text: str) -> None:
        """Send one message.

        Raises:
            GoneError: the client is no longer connected.
            TooLargeError: the message is over API Gateway's limit.
            PostError: it could not be delivered for another reason.
        """
        data = text.encode()
        if len(data) > MAX_REPLY:
            raise TooLargeError
        try:
            self._client.post_to_connection(ConnectionId=connection, Data=data)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("GoneException", "410"):
                raise GoneError from None
            if code in ("PayloadTooLargeException", "413"):
                raise TooLargeError from None
            raise PostError(f"PostToConnection: {code}") from None
        except BotoCoreError as error:
            raise PostError(f"PostToConnection: {type(error).__name__}") from None

    def close(self, connection: str) -> None:
        """Close a connection; one that is gone already is fine.

        Raises:
            PostError: API Gateway refused, or could not be reached.
        """
        try:
            self._client.delete_connection(ConnectionId=connection)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("GoneException", "410"):
                raise PostError(f"DeleteConnection: {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise PostError(f"DeleteConnection: {type(error).__name__}") from None
