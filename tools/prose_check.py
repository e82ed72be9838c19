"""Check the repository's English against the glossary: `make lint` runs it.

    python -m tools.prose_check

The words are the ones that docs/glossary.md rules out, in its last table. A word between quotation
marks or backticks is a literal, not prose.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"

_SUFFIXES = {".css", ".html", ".js", ".json", ".md", ".py", ".sh", ".sql", ".toml", ".yaml"}
_NAMES = {"Dockerfile", "Makefile", "run"}
_EXEMPT = (
    "docs/glossary.md",
    # Data for tests and benchmarks, and rules of other programs.
    "tests/data/",
    # Rewritten by the issues "The loader rebuilt" and "The reporter", which follow these rules.
    "containers/modules/loading/",
    "locaria_reporter/_",
)
_ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)


def read_rules(glossary: str) -> dict[str, str]:
    """Return the words that are ruled out, each with what to write instead.

    Args:
        glossary: The text of docs/glossary.md.

    Raises:
        ValueError: The glossary has no table of such words.
    """
    _, heading, table = glossary.partition("## Words that we do not use")
    rules = dict(_ROW.findall(table))
    if not heading or not rules:
        raise ValueError("docs/glossary.md has no table of words under 'Words that we do not use'")
    return rules


def compile_rules(rules: dict[str, str]) -> re.Pattern[str]:
    """Return one pattern that finds any of the words outside quotation marks."""
    words = "|".join(
        re.escape(word).replace(r"\*", r"[\w-]*").replace(r"\ ", r"\s+") for word in rules
    )
    return re.compile(rf"(?<![\w\"'`/-])({words})(?![\w\"'`/-])", re.IGNORECASE)


def find_words(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Yield the line number and the text of each word that is ruled out."""
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[0]


def advice(word: str, rules: dict[str, str]) -> str:
    """Return what to write instead of a word that was found."""
    found = " ".join(word.lower().split())
    for rule, instead in rules.items():
        if found == rule.lower() or (rule.endswith("*") and found.startswith(rule[:-1].lower())):
            return instead
    raise KeyError(word)


def list_files() -> Iterator[Path]:
    """Yield the tracked files that hold prose."""
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in tracked.stdout.decode().split("\0"):
        path = ROOT / name
        prose = path.suffix in _SUFFIXES or path.name in _NAMES
        if name and prose and not name.startswith(_EXEMPT) and path.is_file():
            yield path


def main() -> None:
    """Print every word that is ruled out, with its place; exit 1 if there is one."""
    rules = read_rules(GLOSSARY.read_text(encoding="utf-8"))
    pattern = compile_rules(rules)
    found = 0
    for path in list_files():
        for line, word in find_words(path.read_text(encoding="utf-8"), pattern):
            found += 1
            print(f"{path.relative_to(ROOT)}:{line}: {word!r}: write {advice(word, rules)}")
    if found:
        sys.exit(f"{found} words that docs/glossary.md rules out")


if __name__ == "__main__":
    main()
