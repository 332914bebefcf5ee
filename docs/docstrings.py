"""Docstrings of this package in a form that the site can read.

The example of a docstring is not indented there, and `Formula` is a section
that Google's style does not know.
"""

import re
import textwrap
from typing import Any

from griffe import Extension

#: Replaces the text that Python inserts for arguments that all losses share.
SHARED = "**kwargs: Arguments that every loss takes, see the catalogue."


def as_google(text: str) -> str:
    """A docstring whose example is a section, and whose formula has a title."""
    text = text.replace("{shared}", SHARED)
    parts = re.split(r"^(?=[A-Z][A-Za-z ]+:$)", text, flags=re.MULTILINE)
    for number, part in enumerate(parts):
        title, _, body = part.partition("\n")
        if title == "Example:":
            body = textwrap.dedent(body).strip("\n")
            indented = textwrap.indent(body, "    ")
            parts[number] = f"Examples:\n{indented}\n\n"
        elif title == "Formula:":
            parts[number] = f"**Formula**\n{body}"
    return "".join(parts)


class Docstrings(Extension):
    """Changes every docstring as it is read."""

    def on_instance(self, *, obj: Any, **kwargs: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_google(obj.docstring.value)
