"""Text in pictures."""

import textwrap


def wrapped(text: str, width: int, most: int = 3) -> str:
    """`text` in lines of at most `width` characters, not too many of them."""
    lines = textwrap.wrap(text, width, max_lines=most, placeholder=" …")
    return "\n".join(lines)
