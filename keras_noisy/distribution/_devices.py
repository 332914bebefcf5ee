"""The devices that a user selects."""

from typing import Any

from keras_noisy._arguments import integer, invalid


def chosen(devices: Any, available: list[str]) -> list[str]:
    """Names of the devices: all, the first few, or those in a list."""
    if devices is None:
        return available
    expected = (
        f"None, a number from 1 to {len(available)} or a list of different "
        f"names out of {available}"
    )
    if not isinstance(devices, (list, tuple)):
        try:
            count = integer("devices", devices, 1)
        except ValueError as error:
            raise invalid("devices", devices, expected) from error
        if count > len(available):
            raise invalid("devices", devices, expected)
        return available[:count]
    by_name = {name.lower(): name for name in available}
    found = [by_name.get(str(name).lower()) for name in devices]
    names = [name for name in found if name is not None]
    if not found or len({*names}) < len(found):
        raise invalid("devices", devices, expected)
    return names
