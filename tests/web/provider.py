"""An identity provider: publishes its keys, signs tokens, well and badly."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = "https://id.example.org"


class Provider:
    """Serves its keys on a free port."""

    def __init__(self) -> None:
        self.asked = 0
        self._number = 0
        self.rotate()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                body = json.dumps({"keys": [provider._public()]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def environment(self) -> dict[str, str]:
        """How a server is told of it."""
        return {
            "LOCARIA_JWKS_URL": f"http://127.0.0.1:{self._server.server_port}/keys",
            "LOCARIA_JWT_ISSUER": ISSUER,
            "LOCARIA_JWT_AUDIENCE": "locaria",
            "LOCARIA_JWT_ALGORITHMS": "ES256",
            "LOCARIA_JWT_ROLES": "gis-admins=operator",
        }

    def rotate(self) -> None:
        """Another key from now on."""
        self._number += 1
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def _kid(self) -> str:
        return f"key-{self._number}"

    def _public(self) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name("ES256")
        public: dict[str, Any] = algorithm.to_jwk(self._key.public_key(), as_dict=True)
        return public | {"kid": self._kid, "use": "sig"}

    def _claims(self, **changes: Any) -> dict[str, Any]:
        claims = {
            "iss": ISSUER,
            "aud": "locaria",
            "sub": "alice",
            "exp": int(time.time()) + 300,
            "locaria_role": "operator",
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, **changes: Any) -> str:
        """A token; a claim of None is left out."""
        return self._sign(self._key, **changes)

    def signed_by_a_stranger(self) -> str:
        """With our key's name and another key."""
        return self._sign(ec.generate_private_key(ec.SECP256R1()))

    def _sign(self, key: Any, **changes: Any) -> str:
        return jwt.encode(
            self._claims(**changes), key, algorithm="ES256", headers={"kid": self._kid}
        )

    def unsigned(self) -> str:
        """With the algorithm none."""
        return jwt.encode(self._claims(), None, algorithm="none", headers={"kid": self._kid})  # type: ignore[arg-type]

    def signed_with_the_public_key(self) -> str:
        """As HMAC whose secret is the public key, which everybody knows."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        head = {"alg": "HS256", "typ": "JWT", "kid": self._kid}
        parts = [_encode(json.dumps(each).encode()) for each in (head, self._claims())]
        signature = hmac.new(public, ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, _encode(signature)])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
