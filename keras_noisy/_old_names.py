"""Names that have moved and work for one more version."""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def old_names(module: str, now: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a module with names that have moved.

    `now` maps a name in the module to its full new name.
    """

    def __getattr__(name: str) -> Any:
        if name not in now:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, new_name = now[name].rpartition(".")
        warnings.warn(
            f"`{module}.{name}` is `{now[name]}` now. The next version will "
            "remove the old name",
            DeprecationWarning,
            stacklevel=2,
        )
        found = getattr(importlib.import_module(place), new_name)
        # `from module import name` asks twice, and one warning is enough.
        setattr(sys.modules[module], name, found)
        return found

    return __getattr__
