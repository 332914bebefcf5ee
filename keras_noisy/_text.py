"""Text in pictures."""

import textwrap


def wrapped(text: str, width: int, most: int = 3) -> str:
    """`text` in at most `most` lines of at most `width` characters."""
    lines = textwrap.wrap(text, width)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]
    return "\n".join(lines)
