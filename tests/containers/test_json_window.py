"""Long values of a JSON document."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.containers import conftest  # noqa: F401 - puts the loader's modules on the path

from loading import json_window  # isort: skip


class Counted(json.JSONDecoder):
    """Counts how often it is asked."""

    calls = 0

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        self.calls += 1
        return super().raw_decode(s, idx)


@pytest.mark.parametrize("broken", [False, True])
def test_a_value_of_many_pieces_is_looked_at_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    decoder = Counted()
    monkeypatch.setattr(json_window, "_CHUNK", 64)
    monkeypatch.setattr(json_window, "_DECODER", decoder)
    path = tmp_path / "long.ndjson"
    text = "x" * (64 << 10)
    path.write_text(f'{{"a": "{text}"{"" if broken else "}"}\n{{"a": 2}}\n', encoding="ascii")
    window = json_window.Window(path, "long.ndjson", "utf-8")
    assert window.peek() == "{"
    if broken:
        with pytest.raises(SystemExit, match="line 2: Expecting"):
            window.value()
        assert window.broken_line().reason.startswith("no JSON: ")
    else:
        assert window.value() == {"a": text}
    assert window.peek() == "{" and window.value() == {"a": 2}
    window.close()
    assert decoder.calls < 20
