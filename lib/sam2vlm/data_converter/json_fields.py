"""JSON from strangers, field by field: every mistake is told with its file, its path, what was expected and found."""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from sam2vlm.data_converter.json_stream import Records, read_spilled
from sam2vlm.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sam2vlm.data_converter.archive import ExportArchive

__all__ = ["JsonObject", "is_list", "kind_of", "read_document", "read_json", "source_of", "top_object"]

# No count, size or coordinate of a video comes near; beyond it, arithmetic on them would lose digits or overflow.
_LARGEST = 2**40
_SHOWN_CHARACTERS = 24
# The list that grows with an export, and from how many bytes on it stays on the disk.
_SPILLED, _SPILL_FROM = "annotations", 16 << 20
# A label goes into every answer about its object.
_LONGEST_TEXT = 1000


def read_document(archive: ExportArchive, name: str) -> tuple[Any, str]:
    """Read a JSON entry, whatever its top is.

    A long list of ``annotations`` stays on the disk, so that the memory does not grow with the export.

    Returns:
        The value and the SHA-256 of the entry's bytes.

    Raises:
        DataError: The entry is damaged or too large, is not UTF-8 or not JSON (NaN and infinity are not JSON), says
            a key twice, or is nested too deeply.
    """
    source = source_of(archive, name)
    digest = hashlib.sha256()
    chunks = _digested(archive.chunks(name, at_most=archive.limits.json_bytes), digest)
    try:
        value = read_spilled(chunks, key=_SPILLED, decoder=_DECODER, spill_from=_SPILL_FROM)
        return value, digest.hexdigest()
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8", source=source, expected="JSON in UTF-8", found=_undecoded(error)) from None
    except RecursionError:
        raise DataError(
            "is nested too deeply",
            source=source,
            expected="an export's JSON",
            found=f"more than {sys.getrecursionlimit()} lists and objects in each other",
        ) from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"is not JSON at line {error.lineno}, column {error.colno}",
            source=source,
            expected=f"JSON ({error.msg[:1].lower()}{error.msg[1:]})",
            found=repr(error.doc[error.pos : error.pos + _SHOWN_CHARACTERS]) if error.doc[error.pos :] else "the end",
        ) from None
    except ValueError as error:
        raise DataError("is not JSON", source=source, expected="JSON", found=error) from None


def read_json(archive: ExportArchive, name: str) -> JsonObject:
    """Read a JSON entry whose top is an object.

    Raises:
        DataError: As :func:`read_document`, or the entry holds something else than an object.
    """
    return top_object(read_document(archive, name)[0], source_of(archive, name))


def top_object(value: object, source: str) -> JsonObject:
    """Return an entry's top as an object.

    Raises:
        DataError: It is something else.
    """
    if not isinstance(value, dict):
        raise DataError("wrong shape", source=source, expected="a JSON object", found=kind_of(value))
    return JsonObject(value, source, "")


def source_of(archive: ExportArchive, name: str) -> str:
    """Return how messages call an entry."""
    return f"{archive.path}: {name}"


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

    def children(self, key: str) -> Sequence[JsonObject]:
        """Return a required member that is a list of objects; a long one is read from the disk as it is taken."""
        if self.values.get(key) is None:
            self.fail(key, "is missing", expected="a list of objects", found="nothing")
        items = self.values[key]
        if not is_list(items):
            self.fail(key, "wrong type", expected="a list of objects", found=kind_of(items))
        if isinstance(items, Records):
            return _Children(self, key, items)
        return [self.item(key, position, item) for position, item in enumerate(items)]

    def item(self, key: str, position: int, value: object) -> JsonObject:
        """Return an item of the list ``key`` that is an object."""
        name = f"{key}[{position}]"
        if not isinstance(value, dict):
            self.fail(name, "wrong type", expected="an object", found=kind_of(value))
        return JsonObject(value, self.source, self.where(name))

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
        return None if value is None else self.number_of(key, value)

    def optional_numbers(self, key: str, *, count: int, least: float = 0) -> tuple[float, ...] | None:
        """Return a member that is a list of ``count`` finite numbers from ``least`` on; None where missing or null."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != count:
            self.fail(key, "wrong shape", expected=f"a list of {count} numbers", found=kind_of(value))
        return tuple(self.number_of(f"{key}[{position}]", item, least=least) for position, item in enumerate(value))

    def optional_list(self, key: str, *, count: int | None = None) -> list[Any] | None:
        """Return a member that is a list, of ``count`` items where that is given; None where missing or null."""
        value = self.values.get(key)
        if value is None:
            return None
        wanted = "a list" if count is None else f"a list of {count} items"
        if not isinstance(value, list) or (count is not None and len(value) != count):
            self.fail(key, "wrong shape", expected=wanted, found=kind_of(value))
        return value

    def integers(self, key: str) -> tuple[int, ...]:
        """Return a member that is a list of integers from zero on; empty where it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.fail(key, "wrong type", expected="a list of integers", found=kind_of(value))
        for position, item in enumerate(value):
            if type(item) is not int or not 0 <= item <= _LARGEST:
                self.fail(f"{key}[{position}]", "is out of range", expected="an integer from 0", found=kind_of(item))
        return tuple(value)

    def optional_text(self, key: str) -> str | None:
        """Return a member that is text of at most a thousand characters; None where it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.fail(key, "wrong type", expected="text", found=kind_of(value))
        try:
            value.encode()
        except UnicodeEncodeError:
            self.fail(key, "is no text", expected="Unicode without lone surrogates", found=ascii(value))
        if len(value) > _LONGEST_TEXT:
            self.fail(key, "is too long", expected=f"at most {_LONGEST_TEXT} characters", found=f"{len(value)}")
        return value

    def text(self, key: str) -> str:
        """Return a required member that is text and not empty."""
        found = self.optional_text(key)
        if not found:
            self.fail(key, "is missing" if found is None else "is empty", expected="text", found="nothing")
        return found

    def number_of(self, key: str, value: object, *, least: float = 0) -> float:
        """Return a value below ``key`` as a finite number of at least ``least``."""
        # What nearly all are; there are a hundred in a frame.
        if type(value) is float and least <= value <= _LARGEST:
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail(key, "wrong type", expected="a number", found=kind_of(value))
        if not least <= value <= _LARGEST or not math.isfinite(value):
            self.fail(key, "is out of range", expected=f"a number from {least:g} to {_LARGEST}", found=_short(value))
        return float(value)


class _Children(Sequence["JsonObject"]):
    """The objects of a list, each checked to be one when it is taken."""

    def __init__(self, above: JsonObject, key: str, items: Sequence[Any]) -> None:
        self._above, self._key, self._items = above, key, items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[position] for position in range(len(self))[index]]
        position = range(len(self))[index]
        return self._above.item(self._key, position, self._items[position])


def is_list(value: object) -> bool:
    """Whether a value is a JSON list, in memory or on the disk."""
    return isinstance(value, list | Records)


def kind_of(value: object) -> str:
    """Return JSON's own word for a value's type, with the value itself where it is short to say."""
    if isinstance(value, dict):
        return f"an object with {len(value)} members"
    if isinstance(value, list | Records):
        return f"a list of {len(value)} items"
    if isinstance(value, str):
        return f"the text {_short(value)}"
    return "null" if value is None else f"{str(value).lower() if isinstance(value, bool) else _short(value)}"


def _short(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 200:  # noqa: PLR2004  Python refuses to print thousands of digits
        return f"an integer of {value.bit_length()} bits"
    return repr(value)


def _undecoded(error: UnicodeDecodeError) -> str:
    if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "the byte order mark of UTF-16"
    return f"the byte 0x{error.object[error.start]:02x} at {error.start}, {error.reason}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen = Counter(key for key, _value in pairs)
        raise ValueError(
            f"the key {next(key for key, count in seen.items() if count > 1)!r} occurs twice in one object"
        )
    return members


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_once)


def _digested(chunks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
