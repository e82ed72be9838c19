"""The reference page of the reporter: Sphinx reads its docstrings."""

from __future__ import annotations

import locaria_reporter

_CLASSES = ("Run", "Staging", "Command", "Limits", "Link")


def render() -> str:
    """Return the page in Markdown; the directives are Sphinx's autodoc."""
    public = locaria_reporter.__all__
    functions = [name for name in public if name[0].islower()]
    channels = [name for name in public if name.endswith("Channel")]
    errors = [name for name in public if name not in (*functions, *channels, *_CLASSES)]
    parts = ["# The reporter", "", "`import locaria_reporter as lr`", ""]
    for title, names, directive in (
        ("Functions", functions, "autofunction"),
        ("Classes", list(_CLASSES), "autoclass"),
        ("Channels", channels, "autoclass"),
        ("Exceptions", errors, "autoclass"),
    ):
        parts += [f"## {title}", "", "```{eval-rst}"]
        for name in names:
            parts += [f".. {directive}:: locaria_reporter.{name}"]
            parts += ["   :members:", ""] if directive == "autoclass" else [""]
        parts += ["```", ""]
    return "\n".join(parts)
