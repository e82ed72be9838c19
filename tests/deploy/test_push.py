"""Images are pushed into a real registry, as they are into ECR: by buildah, and by docker.

Needs Debian's docker-registry, openssl, and buildah as root or a Docker daemon: make test-images.
"""

import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from locaria.deploy.commands import Commands
from locaria.deploy.errors import DeployError
from locaria.deploy.images import Buildah, Docker, Engine
from tests.deploy.test_images import WITH_DOCKER

REGISTRY = shutil.which("docker-registry")
ENGINES = {
    "buildah": shutil.which("buildah") is not None and os.geteuid() == 0,
    "docker": WITH_DOCKER,
}
pytestmark = [
    pytest.mark.skipif(
        os.environ.get("LOCARIA_TEST_IMAGES") != "1", reason="takes long: make test-images"
    ),
    pytest.mark.skipif(REGISTRY is None, reason="docker-registry is not installed"),
]
PASSWORD = "a token of ECR's, 12 hours long"
HASHED = "$2b$04$abcdefghijklmnopqrstuugzELJUL5pEohwxzpVjAqjqfRrxr58le"  # by bcrypt
CONFIG = """
version: 0.1
log:
  level: error
storage:
  filesystem:
    rootdirectory: {folder}/data
auth:
  htpasswd:
    realm: test
    path: {folder}/htpasswd
http:
  addr: {address}
  tls:
    certificate: {folder}/tls.crt
    key: {folder}/tls.key
"""


@dataclass
class Registry:
    """A registry on the loopback that asks for a password."""

    address: str
    folder: Path

    def ask(self, path: str, **headers: str) -> bytes:
        url = f"https://{self.address}/v2/{path}"
        context = ssl.create_default_context(cafile=str(self.folder / "tls.crt"))
        asked = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(asked, timeout=30, context=context) as reply:
            answer: bytes = reply.read()
        return answer

    def manifest(self, name: str, tag: str) -> dict[str, dict[str, str]]:
        login = base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        path = f"{name}/manifests/{tag}"
        said = self.ask(path, Authorization=f"Basic {login}", Accept=kind)
        found: dict[str, dict[str, str]] = json.loads(said)
        return found

    def uploads(self) -> list[Path]:
        return [path for path in self.folder.rglob("_uploads/*/data") if path.stat().st_size]


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "htpasswd").write_text(f"AWS:{HASHED}\n")
    (tmp_path / "config.yml").write_text(CONFIG.format(folder=tmp_path, address=address))
    certificate = tmp_path / "tls.crt"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=registry",
    ]
    words += ["-addext", "subjectAltName=IP:127.0.0.1"]
    run(*words, "-out", str(certificate), "-keyout", str(tmp_path / "tls.key"))
    # Buildah's alone: Docker's daemon checks no certificate on the loopback.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    (tmp_path / "auth.json").write_text("{}")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    assert REGISTRY is not None
    # Its settings may stand in REGISTRY_… variables, one of which is buildah's.
    variables = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_")}
    words = [REGISTRY, "serve", str(tmp_path / "config.yml")]
    with subprocess.Popen(words, env=variables) as process:
        found = Registry(address, tmp_path)
        while process.poll() is None:
            try:
                found.ask("")
            except urllib.error.HTTPError:
                break  # 401: it answers
            except OSError:
                time.sleep(0.05)
        yield found
        process.terminate()


@pytest.fixture(params=ENGINES)
def pushing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, str, str]]:
    """An engine, and the tag and the id of an image that it has: one layer of 64 MB of noise."""
    name = str(request.param)
    if not ENGINES[name]:
        pytest.skip(f"{name} can't be used here")
    commands = Commands(tmp_path, dry_run=False, show=print)
    tag = f"localhost/locaria-test/push-{os.getpid()}:latest"
    (tmp_path / "noise").write_bytes(os.urandom(64_000_000))
    engine: Engine
    if name == "docker":
        engine = Docker(commands)
        with subprocess.Popen(["tar", "c", "noise"], cwd=tmp_path, stdout=subprocess.PIPE) as tar:
            words = ["docker", "import", "-", tag]
            made = subprocess.check_output(words, stdin=tar.stdout, text=True).strip()
    else:
        engine = Buildah(commands)
        container = run("buildah", "from", "scratch")
        run("buildah", "copy", container, str(tmp_path / "noise"), "/noise")
        made = run("buildah", "commit", "--quiet", "--rm", "--format=docker", container, tag)
    yield engine, tag, made.removeprefix("sha256:")
    run(name, "rmi", "--force", made)


def test_an_image_is_pushed_after_a_login_and_arrives_as_it_is(
    registry: Registry, pushing: tuple[Engine, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    engine, tag, image = pushing
    uri = f"{registry.address}/locaria-test/actor:0123456789abcdef"
    with pytest.raises(DeployError, match=r"(?i)unauthorized|no basic auth|authentication"):
        engine.push(tag, uri)
    with pytest.raises(DeployError) as refused:
        engine.log_in(registry.address, "not the password")
    assert "not the password" not in str(refused.value)
    engine.log_in(registry.address, PASSWORD)

    # One that is killed half way: the registry has no image, and the next one brings it.
    words = ["push", uri]
    run(engine.name, "tag", tag, uri)
    with subprocess.Popen([engine.name, *words], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not registry.uploads() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
    engine.push(tag, uri)
    manifest = registry.manifest("locaria-test/actor", "0123456789abcdef")
    assert manifest["config"]["digest"] == f"sha256:{image}", "what arrived is what was built"
    engine.push(tag, uri)
    assert registry.manifest("locaria-test/actor", "0123456789abcdef") == manifest
    assert PASSWORD not in capsys.readouterr().out
