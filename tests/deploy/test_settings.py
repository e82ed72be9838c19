"""`locaria.toml`: what is wrong in it is said by key, and writing it is all or nothing."""

import multiprocessing
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from locaria.deploy import settings_file
from locaria.deploy.errors import BadInput
from locaria.deploy.settings import STAGE_LENGTH, Settings, make_settings
from locaria.deploy.settings_file import load_settings, read_stages, save_settings

GOOD: dict[str, Any] = {
    "region": "eu-west-1",
    "subnets": ["subnet-1"],
    "security_groups": ["sg-1"],
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"regoin": "x"}, "regoin is not a setting; region is"),
        ({"subnets": "subnet-1"}, 'subnets must be a list of texts, ["a", "b"], not \'subnet-1\''),
        ({"subnets": []}, "subnets is missing"),
        ({"subnets": ["vpc-1"]}, 'subnets: "vpc-1" does not look right (as in subnet-0a1b2c3d)'),
        ({"assign_public_ip": "yes"}, "assign_public_ip must be true or false, not 'yes'"),
        ({"database_port": "5432"}, "database_port must be a number, not '5432'"),
        ({"database_port": True}, "database_port must be a number, not True"),
        ({"database_port": 70000}, "database_port: 70000 is no port"),
        ({"log_days": 31}, "log_days: CloudWatch knows 1, 3, 5, 7, 14, 30,"),
        ({"tick_rate": "1 minute"}, 'tick_rate: "1 minute" does not look right'),
        ({"db_cluster": "arn:aws:rds:x"}, "as in my-cluster: its identifier, no ARN"),
        ({"db_cluster": "a", "db_instance": "b"}, "give db_cluster or db_instance, not both"),
        ({"secrets": ["API_KEY"]}, "secrets must be a table of texts"),
        ({"secrets": {"api": "arn:aws:x"}}, "api is no environment variable"),
        ({"identity": {"jwks": "x"}}, "identity.jwks is not a setting; identity.jwks_url is"),
        ({"identity": {"jwks_url": "x"}}, "needs jwt_issuer and jwt_audience"),
        ({"files_bucket": "S3://mine"}, "files_bucket: "),
        ({"secrets_key": "alias/mine"}, 'secrets_key: "alias/mine" does not look right'),
    ],
    ids=str,
)
def test_a_wrong_setting_is_told_by_its_key(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        make_settings("test", GOOD | given, "here")
    assert said in str(caught.value)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        make_settings("No", {"region": 5, "typo": 1}, "here")
    assert len(str(caught.value).splitlines()) == 1 + 5, "stage, region, typo, two missing"


@pytest.mark.parametrize("given", [{"secrets": {"KEY": "canary"}}, {"owner_secret": "canary"}])
def test_a_secret_that_stands_where_its_arn_belongs_is_not_repeated(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="must be the ARN of a secret") as caught:
        make_settings("test", GOOD | given, "here")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["Test", "1st", "a_b", "a-", "a--b", "x" * (STAGE_LENGTH + 1)])
def test_a_stage_s_name_is_one_that_s3_and_ecr_take_too(name: str) -> None:
    with pytest.raises(BadInput, match="is no name for a stage"):
        make_settings(name, GOOD, "here")


def test_the_longest_stage_has_a_bucket_s_name() -> None:
    longest = make_settings("x" * STAGE_LENGTH, GOOD | {"region": "ap-southeast-1"}, "here")
    assert len(f"{longest.stack}-123456789012-{longest.region}") == 63
    repository = r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"  # of botocore
    assert re.fullmatch(repository, f"{longest.stack}/file_loader")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages = 5", "stages must be tables"),
        ("[stages]\ntest = 1", "stages.test must be a table"),
        ("[stage.test]\n", "stage: only [stages.<name>] belongs here"),
        ("[stages.test\n", "can't be read"),
        (b"\xff\xfe", "can't be read"),
    ],
    ids=str,
)
def test_a_file_that_is_no_list_of_stages_is_told(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = tmp_path / "locaria.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput, match=re.escape(said)):
        load_settings("test", path)


OURS = """# about the file
[stages.prod] # production
region = "eu-west-1" # Ireland
subnets = [
  "subnet-1", # a
]
security_groups = ["sg-1"]
log_days = 30 # as the auditors want it
db_cluster = "main"
"""


def test_comments_order_and_permissions_survive_a_change(tmp_path: Path) -> None:
    path = tmp_path / "locaria.toml"
    path.write_text(OURS)
    path.chmod(0o640)
    (tmp_path / "link.toml").symlink_to("locaria.toml")
    changed = GOOD | {"region": "eu-west-2", "profile": "site"}
    save_settings(make_settings("prod", changed, ""), tmp_path / "link.toml")
    kept = OURS.replace('"eu-west-1" #', '"eu-west-2" #').replace('db_cluster = "main"\n', "")
    assert path.read_text() == kept + 'profile = "site"\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (tmp_path / "link.toml").is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.toml", "locaria.toml"]


def test_a_crash_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locaria.toml"
    path.write_text(OURS)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(settings_file.os, "fsync", full)
        with pytest.raises(BadInput, match="can't be written: No space left on device"):
            save_settings(make_settings("test", GOOD, ""), path)
    assert path.read_text() == OURS
    assert [each.name for each in tmp_path.iterdir()] == ["locaria.toml"]


def _write(stage: str, path: Path) -> None:
    save_settings(make_settings(stage, GOOD, ""), path)


def test_writers_of_different_stages_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "locaria.toml"
    names = [f"stage-{n}" for n in range(12)]
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(name, path)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * len(names)
    assert sorted(read_stages(path)) == sorted(names)
    assert tomllib.loads(path.read_text())["stages"]["stage-0"] == GOOD


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_settings(Settings("test", "eu-west-1", ["subnet-1"], ["sg-1"]), tmp_path / "new.toml")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.toml").stat().st_mode) == 0o640
