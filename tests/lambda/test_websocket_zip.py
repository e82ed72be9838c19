"""The folder of `websocket_api` has everything that the function imports."""

import subprocess
import sys
from pathlib import Path

from function_modules import LAMBDA

from locaria.deploy.assemble import assemble

PROOF = """
import sys
sys.path.insert(0, sys.argv[1])
import websocket_api
from pathlib import Path
for name, module in list(sys.modules.items()):
    if name.startswith("locaria"):
        assert Path(module.__file__).is_relative_to(sys.argv[1]), module.__file__
answer = websocket_api.handler(
    {"requestContext": {"routeKey": "$connect", "connectionId": "a", "domainName": "d"}}, None
)
print(answer["statusCode"])
"""


def test_the_function_runs_from_the_files_of_its_folder_alone(tmp_path: Path) -> None:
    assemble(LAMBDA / "websocket_api", tmp_path / "zip")
    done = subprocess.run(
        [sys.executable, "-c", PROOF, str(tmp_path / "zip")],
        cwd=tmp_path,
        env={"PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "401"), done.stderr
