"""The zips of the Lambda functions: reproducible, complete, within Lambda's limits."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from locaria.deploy import zips
from locaria.deploy.functions import ECS_RUN_TASK, Function, list_functions
from locaria.deploy.zips import ZipError, build_zip, write_zip
from locaria.local.places import LAMBDA

HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
# What the Lambda runtime of Python brings along, and nothing else.
RUNTIME_BRINGS = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")
IMPORT = "import sys; sys.path[1:1] = sys.argv[2:]; __import__(sys.argv[1]).handler"


@pytest.fixture(scope="module")
def lambda_runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the runtime brings."""
    import boto3  # noqa: PLC0415 - to find where it is

    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME_BRINGS:
        (folder / name).symlink_to(Path(boto3.__file__).parents[1] / name)
    return folder


@pytest.mark.parametrize("function", list_functions(), ids=lambda function: function.name)
def test_a_zip_imports_in_a_clean_interpreter_and_is_small(
    function: Function, lambda_runtime: Path, tmp_path: Path
) -> None:
    made = build_zip(function, build=tmp_path / "build", python=HERE)
    assert made.unpacked < zips.UNPACKED_LIMIT
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(tmp_path / "task")
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            IMPORT,
            function.folder,
            tmp_path / "task",
            lambda_runtime,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_wheels_are_for_lambda_s_machine_not_for_this_one(tmp_path: Path) -> None:
    task_events = next(each for each in list_functions() if each.folder == "task_events")
    made = build_zip(task_events, "ARM64", build=tmp_path)
    with zipfile.ZipFile(made.path) as archive:
        binaries = [name for name in archive.namelist() if ".cpython-" in name]
    assert binaries
    assert all("-313-aarch64-linux-gnu" in name for name in binaries)


def test_the_same_folder_gives_the_same_bytes_at_another_time_and_place(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / ECS_RUN_TASK.folder
    shutil.copytree(LAMBDA / ECS_RUN_TASK.folder, copy)
    for path in copy.iterdir():
        path.chmod(0o600)
        path.touch()
    one = build_zip(ECS_RUN_TASK, build=tmp_path / "one")
    two = build_zip(ECS_RUN_TASK, root=copy.parent, build=tmp_path / "two")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.key == two.key


def test_a_changed_line_gives_another_key(tmp_path: Path) -> None:
    shutil.copytree(LAMBDA / ECS_RUN_TASK.folder, tmp_path / ECS_RUN_TASK.folder)
    with (tmp_path / ECS_RUN_TASK.folder / "ecs_run_task.py").open("a") as file:
        file.write("# changed\n")
    before = build_zip(ECS_RUN_TASK, build=tmp_path / "build")
    after = build_zip(ECS_RUN_TASK, root=tmp_path, build=tmp_path / "build")
    assert before.key != after.key


def test_a_zip_over_the_limit_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "UNPACKED_LIMIT", 1000)
    with pytest.raises(ZipError, match=r"ecs_run_task: .* unpacked, and Lambda takes"):
        build_zip(ECS_RUN_TASK, build=tmp_path)


def test_a_dependency_without_a_wheel_is_told(tmp_path: Path) -> None:
    shutil.copytree(LAMBDA / ECS_RUN_TASK.folder, tmp_path / ECS_RUN_TASK.folder)
    wanted = tmp_path / ECS_RUN_TASK.folder / "requirements.txt"
    wanted.write_text("boto3 @ file:///nowhere/boto3.whl\n")
    with pytest.raises(ZipError, match="ecs_run_task: "):
        build_zip(ECS_RUN_TASK, root=tmp_path, build=tmp_path / "build")


def test_a_dependency_can_t_shadow_a_module_of_the_function(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text("")
    with pytest.raises(ZipError, match=r"same\.py is both in"):
        write_zip(tmp_path / "out.zip", [tmp_path / "one", tmp_path / "two"])
