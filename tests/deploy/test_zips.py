"""The zips of the Lambda functions: reproducible, complete, within Lambda's limits."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from locaria.deploy import zips
from locaria.deploy.functions import ECS_RUN_TASK, TASK_EVENTS, Function, list_functions
from locaria.deploy.zips import ZipError, build_zip, write_zip
from locaria.resources import LAMBDA, ROOT

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


MACHINE_OF_ELF = {b"\x3e\x00": "X86_64", b"\xb7\x00": "ARM64"}
# Of the files that a wheel brings, only these may name the version of Python that they are for.
FOR_PYTHON = re.compile(r"\.(cpython-\d+|abi3)[\w-]*\.so$")


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def machines(files: dict[str, bytes]) -> set[str]:
    """The machines that the binaries of a zip are for, by their own headers."""
    return {MACHINE_OF_ELF[body[18:20]] for body in files.values() if body.startswith(b"\x7fELF")}


def test_the_wheels_are_for_lambda_s_machine_not_for_this_one(tmp_path: Path) -> None:
    made = build_zip(TASK_EVENTS, "ARM64", build=tmp_path)
    files = contents(made.path)
    binaries = [name for name in files if FOR_PYTHON.search(name)]
    assert binaries
    assert all("-313-aarch64-linux-gnu" in name for name in binaries)
    assert machines(files) == {"ARM64"}


@pytest.mark.parametrize("function", list_functions(), ids=lambda function: function.name)
def test_a_zip_holds_what_its_requirements_name_and_no_ballast(function: Function) -> None:
    files = contents(build_zip(function).path)
    ballast = re.compile(r"(^|/)(tests?|__pycache__|bin|boto3|botocore|pip|setuptools)/|\.pyc$")
    assert [name for name in files if ballast.search(name)] == []
    wanted = (LAMBDA / function.folder / "requirements.txt").read_text().splitlines()
    pinned = {
        line.replace("==", "-").replace("-binary", "_binary") for line in wanted if "==" in line
    }
    there = {name.partition(".dist-info/")[0] for name in files if ".dist-info/" in name}
    assert {name.replace("typing_ext", "typing-ext") for name in there} == pinned
    versions = {match[1] for match in map(FOR_PYTHON.search, files) if match}
    assert versions <= {"cpython-313", "abi3"}
    assert machines(files) <= {"X86_64"}


def test_another_machine_s_settings_change_no_byte(tmp_path: Path) -> None:
    """Another umask, time zone, language, folder, order of folders, and settings of pip."""
    copy = tmp_path / "else where" / "lambda"
    shutil.copytree(LAMBDA, copy)
    for path in sorted(copy.rglob("*"), reverse=True):
        os.utime(path, (1, 1))
    (copy / TASK_EVENTS.folder / "__pycache__").mkdir(exist_ok=True)
    (copy / TASK_EVENTS.folder / "__pycache__" / "task_events.cpython-311.pyc").write_bytes(b"x")
    script = (
        "import os, pathlib, sys; os.umask(0o077); from locaria.deploy import functions, zips; "
        "print(zips.build_zip(functions.TASK_EVENTS, root=pathlib.Path(sys.argv[1]), "
        "build=pathlib.Path(sys.argv[2])).path)"
    )
    settings = {"TZ": "Pacific/Apia", "LC_ALL": "C", "PYTHONHASHSEED": "7", "PIP_USER": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, copy, tmp_path / "build"],
        env=os.environ | settings | {"PYTHONPATH": str(ROOT), "PIP_COMPILE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == build_zip(TASK_EVENTS).path.read_bytes()


def test_a_zip_does_not_depend_on_how_zlib_packs(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_zip(ECS_RUN_TASK, build=tmp_path).path) as archive:
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {(each.external_attr >> 16, each.create_system) for each in archive.infolist()} == {
            (0o100644, 3)
        }


def test_a_requirement_without_an_exact_version_is_refused(tmp_path: Path) -> None:
    shutil.copytree(LAMBDA / ECS_RUN_TASK.folder, tmp_path / ECS_RUN_TASK.folder)
    (tmp_path / ECS_RUN_TASK.folder / "requirements.txt").write_text("psycopg>=3\n")
    with pytest.raises(ZipError, match=r"ecs_run_task: psycopg>=3: name one exact version"):
        build_zip(ECS_RUN_TASK, root=tmp_path, build=tmp_path / "build")


def test_a_zip_that_is_broken_is_told(tmp_path: Path) -> None:
    made = build_zip(ECS_RUN_TASK, build=tmp_path)
    made.path.write_bytes(made.path.read_bytes()[:100])
    with pytest.raises(ZipError, match="delete it, and it is made again"):
        build_zip(ECS_RUN_TASK, build=tmp_path)


def test_the_same_folder_gives_the_same_bytes_at_another_time_and_place(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / ECS_RUN_TASK.folder
    shutil.copytree(
        LAMBDA / ECS_RUN_TASK.folder, copy, ignore=shutil.ignore_patterns("__pycache__")
    )
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
    wanted.write_text("there-is-no-such-thing==1.0\n")
    with pytest.raises(ZipError, match="ecs_run_task: "):
        build_zip(ECS_RUN_TASK, root=tmp_path, build=tmp_path / "build")


def test_a_dependency_can_t_shadow_a_module_of_the_function(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text("")
    with pytest.raises(ZipError, match=r"same\.py is both in"):
        write_zip(tmp_path / "out.zip", [tmp_path / "one", tmp_path / "two"])
