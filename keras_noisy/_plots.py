"""What all plots need."""

import textwrap
from typing import Any


def matplotlib_figure(function: str) -> Any:
    """The class of figures; an ImportError that names the function."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f"{function} needs matplotlib: pip install matplotlib"
        ) from error
    return Figure


def in_legend(name: Any) -> str:
    """A name for a legend, which leaves out those that begin with `_`."""
    return f" {name}" if str(name).startswith("_") else str(name)


def wrapped(text: str, width: int, most: int = 3) -> str:
    """`text` in at most `most` lines of at most `width` characters."""
    lines = textwrap.wrap(text, width)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]
    return "\n".join(lines)
