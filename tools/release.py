"""Prepare a release: version, changelog, commit, tag, wheels, checks.

    python -m tools.release 0.2.0           # make release VERSION=0.2.0

Nothing leaves this machine: the last lines name the commands that publish the release.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
CHANGELOG = ROOT / "CHANGELOG.md"
_PROJECTS = (ROOT / "pyproject.toml", ROOT / "locaria_reporter" / "pyproject.toml")
_VERSION = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
_NUMBERS = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_UNRELEASED = "## Unreleased"


class ReleaseError(Exception):
    """The release cannot be prepared; the message says why and what to do."""


def check(version: str) -> None:
    """Check the version number, the changelog and the work tree before anything changes.

    Raises:
        ReleaseError: The message names what is wrong.
    """
    if not _NUMBERS.fullmatch(version):
        raise ReleaseError(f"{version!r} is not a version: give three numbers, such as 0.2.0")
    current = read_version(_PROJECTS[0].read_text(encoding="utf-8"))
    if _key(version) <= _key(current):
        raise ReleaseError(f"{version} is not newer than {current}: give a higher version")
    if _git("status", "--porcelain"):
        raise ReleaseError("the work tree has changes: commit or stash them first")
    if _git("tag", "--list", f"v{version}"):
        raise ReleaseError(f"the tag v{version} exists: give another version, or delete the tag")


def read_version(project: str) -> str:
    """Return the version in the text of a pyproject.toml.

    Raises:
        ReleaseError: It has no static version.
    """
    match = _VERSION.search(project)
    if match is None:
        raise ReleaseError('pyproject.toml has no line version = "…"')
    return match[1]


def set_version(project: str, version: str) -> str:
    """Return the text of a pyproject.toml with another version."""
    read_version(project)
    return _VERSION.sub(f'version = "{version}"', project, count=1)


def date_changelog(changelog: str, version: str, day: str) -> str:
    """Return the changelog with its unreleased entries under the version and an empty section.

    Args:
        changelog: The text of CHANGELOG.md.
        version: The version, such as `0.2.0`.
        day: The day of the release, as `2026-11-30`.

    Raises:
        ReleaseError: Nothing is listed under Unreleased.
    """
    before, heading, after = changelog.partition(f"{_UNRELEASED}\n")
    entries = after.partition("\n## ")[0]
    if not heading or not entries.strip():
        raise ReleaseError(
            f"{CHANGELOG.name} lists nothing under '{_UNRELEASED}': describe the release"
        )
    return f"{before}{heading}\n## {version} ({day})\n{after}"


def prepare(version: str) -> None:
    """Bump, date the changelog, commit, tag, build and check the distributions.

    Raises:
        ReleaseError: The release cannot be prepared.
        subprocess.CalledProcessError: A command failed; it printed why.
    """
    check(version)
    day = datetime.now(UTC).date().isoformat()
    dated = date_changelog(CHANGELOG.read_text(encoding="utf-8"), version, day)
    CHANGELOG.write_text(dated, encoding="utf-8")
    for project in _PROJECTS:
        text = set_version(project.read_text(encoding="utf-8"), version)
        project.write_text(text, encoding="utf-8")
    changed = [str(path.relative_to(ROOT)) for path in (CHANGELOG, *_PROJECTS)]
    _run("git", "commit", "--quiet", "--message", f"Release {version}", "--", *changed)
    _run("git", "tag", "--annotate", f"v{version}", "--message", f"Locaria {version}")
    _run("make", "wheels")
    _run(sys.executable, "-m", "twine", "check", "--strict", *map(str, _distributions(version)))


def _distributions(version: str) -> list[Path]:
    found = sorted(path for path in DIST.iterdir() if f"-{version}" in path.name)
    if len(found) != 2 * len(_PROJECTS):
        raise ReleaseError(f"{DIST} must hold a wheel and an sdist of each package, not {found}")
    return found


def _key(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    """Prepare the release that the command line names."""
    if len(sys.argv) != 2 or not sys.argv[1]:
        sys.exit("Name the version: make release VERSION=0.2.0")
    version = sys.argv[1]
    try:
        prepare(version)
    except ReleaseError as error:
        sys.exit(f"release: {error}")
    print(f"{version} is committed, tagged and built in {DIST.name}/. To publish it:")
    print(f"  git push origin HEAD v{version}")
    print(
        "  twine upload " + " ".join(f"{DIST.name}/{path.name}" for path in _distributions(version))
    )
    print(f"To undo it: git tag -d v{version} && git reset --hard HEAD~1")


if __name__ == "__main__":
    main()
