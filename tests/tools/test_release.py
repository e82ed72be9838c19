"""The release script, on a repository of its own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools import release

CHANGELOG = "# Changelog\n\n## Unreleased\n\n- A new thing.\n\n## 0.1.0 (2026-11-22)\n\n- All.\n"


def test_unreleased_entries_move_under_the_version() -> None:
    dated = release.date_changelog(CHANGELOG, "0.2.0", "2026-11-30")
    assert dated.index("## Unreleased") < dated.index("## 0.2.0 (2026-11-30)")
    assert dated.index("## 0.2.0") < dated.index("A new thing") < dated.index("## 0.1.0")


def test_a_release_without_entries_is_refused() -> None:
    with pytest.raises(release.ReleaseError, match="lists nothing"):
        release.date_changelog("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- All.\n", "0.2.0", "x")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the two projects, whose `make wheels` copies ready-made files."""
    for path in (*release._PROJECTS, release.CHANGELOG):
        copy = tmp_path / path.relative_to(release.ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copy)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "start"]):
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True)
    for name, value in {"NAME": "test", "EMAIL": "test@localhost"}.items():
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "DIST", tmp_path / "dist")
    monkeypatch.setattr(release, "CHANGELOG", tmp_path / "CHANGELOG.md")
    projects = (tmp_path / "pyproject.toml", tmp_path / "locaria_reporter" / "pyproject.toml")
    monkeypatch.setattr(release, "_PROJECTS", projects)
    return tmp_path


@pytest.mark.parametrize(
    ("version", "reason"), [("0.2", "three numbers"), ("0.1.0", "not newer"), ("v0.2.0", "three")]
)
def test_a_wrong_version_is_refused(repository: Path, version: str, reason: str) -> None:
    with pytest.raises(release.ReleaseError, match=reason):
        release.check(version)


def test_a_changed_work_tree_and_a_used_tag_are_refused(repository: Path) -> None:
    subprocess.run(["git", "tag", "v9.0.0"], cwd=repository, check=True)
    with pytest.raises(release.ReleaseError, match=r"tag v9\.0\.0 exists"):
        release.check("9.0.0")
    (repository / "CHANGELOG.md").write_text("changed")
    with pytest.raises(release.ReleaseError, match="work tree has changes"):
        release.check("9.0.1")


def test_a_release_is_bumped_committed_and_tagged(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[str, ...]] = []
    run = release._run

    def run_git(*command: str) -> None:
        commands.append(command)
        if command[0] == "git":
            run(*command)
        elif command[0] == "make":
            release.DIST.mkdir()
            for name in ("locaria", "locaria_reporter"):
                (release.DIST / f"{name}-9.1.0.tar.gz").touch()
                (release.DIST / f"{name}-9.1.0-py3-none-any.whl").touch()

    monkeypatch.setattr(release, "_run", run_git)
    release.prepare("9.1.0")
    shown = subprocess.run(
        ["git", "show", "--stat", "v9.1.0"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Release 9.1.0" in shown
    assert "3 files changed" in shown
    for project in release._PROJECTS:
        assert 'version = "9.1.0"' in project.read_text()
    checked = next(command for command in commands if "twine" in command)
    assert len([each for each in checked if "-9.1.0" in each]) == 4
