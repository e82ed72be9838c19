"""The prose check: what it finds, what it leaves alone, and that the glossary can be read."""

import pytest

from tools.prose_check import GLOSSARY, advice, compile_rules, find_words, read_rules

RULES = {"told": "received", "mend*": "fix", "goes on": "continues"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The task is told to stop.", [(1, "told")]),
        ("one\nTold twice: told", [(2, "Told"), (2, "told")]),
        ("It mended itself.", [(1, "mended")]),
        ("the load goes\non", [(1, "goes\non")]),
        ("the folder .goes/on and `told`, 'told' and \"told\"", []),
        ("untold, told_by, re-told", []),
    ],
)
def test_ruled_out_words_are_found_in_prose_only(text: str, found: list[tuple[int, str]]) -> None:
    assert list(find_words(text, compile_rules(RULES))) == found


def test_each_word_that_is_found_has_advice() -> None:
    assert advice("Mended", RULES) == "fix"
    assert advice("goes\non", RULES) == "continues"


def test_the_rules_come_from_the_glossary() -> None:
    rules = read_rules(GLOSSARY.read_text(encoding="utf-8"))
    assert rules["told"].startswith("received")
    with pytest.raises(ValueError, match="no table of words"):
        read_rules("# Glossary\n")
