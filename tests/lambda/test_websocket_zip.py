"""The folder of `websocket_api` has everything that the function imports."""

import subprocess
import sys
from pathlib import Path

import pytest
from function_modules import LAMBDA

from locaria.deploy.assemble import AssembleError, assemble

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


@pytest.mark.parametrize("module", ["no_such_module", "locaria.web.no_such_module", "no_package.x"])
def test_a_shared_module_that_does_not_exist_is_named(tmp_path: Path, module: str) -> None:
    (tmp_path / "function").mkdir()
    (tmp_path / "function" / "shared.txt").write_text(f"# a comment\n\n{module}\n")
    with pytest.raises(AssembleError, match=module.partition(".")[0]):
        assemble(tmp_path / "function", tmp_path / "out")
