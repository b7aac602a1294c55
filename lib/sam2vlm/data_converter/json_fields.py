"""JSON from strangers, field by field: every mistake is told with its file, its path, what was expected and found."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["JsonObject", "read_json"]

# No count, size or coordinate of a video comes near; beyond it, arithmetic on them would lose digits or overflow.
_LARGEST = 2**40


def read_json(archive: ExportArchive, name: str) -> tuple[JsonObject, bytes]:
    """Read a JSON entry whose top is an object.

    Returns:
        The object and the entry's bytes.

    Raises:
        DataError: The entry is damaged or too large, is not UTF-8 or not JSON (NaN and infinity are not JSON), says
            a key twice, is nested too deeply, or holds something else than an object.
    """
    source = f"{archive.path}: {name}"
    content = archive.read(name, at_most=archive.limits.json_bytes)
    try:
        value = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8", source=source, expected="JSON in UTF-8", found=error.reason) from None
    except RecursionError:
        raise DataError("is nested too deeply", source=source, expected="an export's JSON") from None
    except ValueError as error:
        raise DataError("is not JSON", source=source, expected="JSON", found=error) from None
    if not isinstance(value, dict):
        raise DataError("wrong shape", source=source, expected="a JSON object", found=kind_of(value))
    return JsonObject(value, source, ""), content


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object that knows where it stands.

    Attributes:
        values: Its members.
        source: Archive and entry.
        path: Its path inside of the entry, ``""`` for the top.
    """

    values: dict[str, Any]
    source: str
    path: str

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def where(self, key: str) -> str:
        """Return a member's path."""
        return f"{self.path}.{key}" if self.path else key

    def fail(self, key: str, message: str, *, expected: object, found: object) -> NoReturn:
        """Raise the error of a member."""
        raise DataError(message, source=self.source, field=self.where(key), expected=expected, found=found)

    def child(self, key: str) -> JsonObject:
        """Return a member that is an object; an empty one where it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return JsonObject({}, self.source, self.where(key))
        if not isinstance(value, dict):
            self.fail(key, "wrong type", expected="an object", found=kind_of(value))
        return JsonObject(value, self.source, self.where(key))

    def children(self, key: str) -> list[JsonObject]:
        """Return a required member that is a list of objects."""
        if self.values.get(key) is None:
            self.fail(key, "is missing", expected="a list of objects", found="nothing")
        items = self.values[key]
        if not isinstance(items, list):
            self.fail(key, "wrong type", expected="a list of objects", found=kind_of(items))
        place = self.where(key)
        for position, item in enumerate(items):
            if not isinstance(item, dict):
                self.fail(f"{key}[{position}]", "wrong type", expected="an object", found=kind_of(item))
        return [JsonObject(item, self.source, f"{place}[{position}]") for position, item in enumerate(items)]

    def integer(self, key: str, *, least: int = 0) -> int:
        """Return a required member that is an integer of at least ``least``."""
        found = self.optional_integer(key, least=least)
        if found is None:
            self.fail(key, "is missing", expected="an integer", found="nothing")
        return found

    def optional_integer(self, key: str, *, least: int = 0) -> int | None:
        """Return a member that is an integer of at least ``least``; None where it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # some writers make every number a float; 480.0 is no other number than 480
        if type(value) is not int:
            self.fail(key, "wrong type", expected="an integer", found=kind_of(value))
        if not least <= value <= _LARGEST:
            self.fail(key, "is out of range", expected=f"an integer from {least} to {_LARGEST}", found=_short(value))
        return value

    def optional_number(self, key: str) -> float | None:
        """Return a member that is a finite number from zero on; None where it is missing or null."""
        value = self.values.get(key)
        return None if value is None else self._number(key, value)

    def optional_numbers(self, key: str, *, count: int) -> tuple[float, ...] | None:
        """Return a member that is a list of ``count`` finite numbers from zero on; None where missing or null."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != count:
            self.fail(key, "wrong shape", expected=f"a list of {count} numbers", found=kind_of(value))
        return tuple(self._number(f"{key}[{position}]", item) for position, item in enumerate(value))

    def integers(self, key: str) -> tuple[int, ...]:
        """Return a member that is a list of integers from zero on; empty where it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.fail(key, "wrong type", expected="a list of integers", found=kind_of(value))
        for position, item in enumerate(value):
            if type(item) is not int or not 0 <= item <= _LARGEST:
                self.fail(f"{key}[{position}]", "is out of range", expected="an integer from 0", found=_short(item))
        return tuple(value)

    def optional_text(self, key: str) -> str | None:
        """Return a member that is text; None where it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.fail(key, "wrong type", expected="text", found=kind_of(value))
        try:
            value.encode()
        except UnicodeEncodeError:
            self.fail(key, "is no text", expected="Unicode without lone surrogates", found=ascii(value))
        return value

    def _number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail(key, "wrong type", expected="a number", found=kind_of(value))
        if not 0 <= value <= _LARGEST or not math.isfinite(value):
            self.fail(key, "is out of range", expected=f"a number from 0 to {_LARGEST}", found=_short(value))
        return float(value)


def kind_of(value: object) -> str:
    """Return JSON's own word for a value's type, with the value itself where it is short to say."""
    if isinstance(value, dict):
        return f"an object with {len(value)} members"
    if isinstance(value, list):
        return f"a list of {len(value)} items"
    if isinstance(value, str):
        return f"the text {_short(value)}"
    return "null" if value is None else f"{str(value).lower() if isinstance(value, bool) else _short(value)}"


def _short(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 200:  # noqa: PLR2004  Python refuses to print thousands of digits
        return f"an integer of {value.bit_length()} bits"
    return repr(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {key!r} occurs twice in one object")
        members[key] = value
    return members
