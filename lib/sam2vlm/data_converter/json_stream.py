"""A large JSON document whose longest list stays on the disk, item by item.

An export of 100,000 frames has some 400 MB of annotations, and ten times that as Python objects. Here the document is
read through a window: everything but one list becomes values as usual; of that list each item is parsed, checked and
written to an unlinked temporary file, and made anew when somebody takes it. The file holds Python's `marshal`, which is
read several times as fast as JSON and holds numbers and texts only; nobody else can write to a file without a name.
"""

from __future__ import annotations

import codecs
import json
import marshal
import os
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Records", "read_spilled"]

_BLANKS = " \t\n\r"
# What happens so near to the window's end may be the end's own doing: an error, or a number that goes on behind it.
_NEAR = 32
# Before marshal looked for equal values, which takes longer than writing them twice.
_FORMAT = 2


class Records(Sequence[Any]):
    """A list's items on the disk; each access makes one anew. Equal to a list of equal items."""

    def __init__(self) -> None:
        self._offsets = array("Q", [0])
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        # Nobody can say when the last of those who share the records is gone.
        weakref.finalize(self, os.close, self._file)

    def append(self, value: Any) -> None:
        """Write the next item, which is what JSON knows."""
        record = marshal.dumps(value, _FORMAT)
        os.pwrite(self._file, record, self._offsets[-1])
        self._offsets.append(self._offsets[-1] + len(record))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list | Records) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list has none

    @property
    def size(self) -> int:
        """Bytes of all items together, on the disk."""
        return self._offsets[-1]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[position] for position in range(len(self))[index]]
        row = range(len(self))[index]
        record = os.pread(self._file, self._offsets[row + 1] - self._offsets[row], self._offsets[row])
        return marshal.loads(record)  # noqa: S302  written above


def read_spilled(chunks: Iterable[bytes], *, key: str, decoder: json.JSONDecoder, spill_from: int = 0) -> Any:
    """Read a JSON document.

    Args:
        chunks: The document's bytes in UTF-8, with or without a byte order mark, in pieces of any size.
        key: The member of the topmost object whose list goes to the disk, as :class:`Records`.
        decoder: Of every value, with the caller's own checks.
        spill_from: Bytes on the disk; a shorter list is given as a list.

    Returns:
        What ``decoder`` would have returned for the whole, but for that list.

    Raises:
        UnicodeDecodeError: The bytes are not UTF-8.
        json.JSONDecodeError: The text is not JSON; line, column and position are the document's.
        ValueError: From the decoder's own checks.
    """
    window = _Window(chunks, decoder)
    value = _object(window, key, decoder, spill_from) if window.peek() == "{" else window.value()
    if window.peek():
        window.fail("Extra data")
    return value


def _object(window: _Window, key: str, decoder: json.JSONDecoder, spill_from: int) -> Any:
    pairs: list[tuple[str, Any]] = []
    window.take("{")
    while window.peek() != "}":
        if pairs:
            window.expect(",", "Expecting ',' delimiter")
        if window.peek() != '"':
            window.fail("Expecting property name enclosed in double quotes")
        name = window.value()
        window.expect(":", "Expecting ':' delimiter")
        spilled = name == key and window.peek() == "["
        pairs.append((name, _records(window, spill_from) if spilled else window.value()))
    window.take("}")
    hook = decoder.object_pairs_hook
    return dict(pairs) if hook is None else hook(pairs)


def _records(window: _Window, spill_from: int) -> Records | list[Any]:
    records = Records()
    window.take("[")
    while window.peek() != "]":
        if len(records):
            window.expect(",", "Expecting ',' delimiter")
        records.append(window.value())
    window.take("]")
    return records if records.size >= spill_from else list(records)


class _Window:
    """The part of a text that is being looked at; what lies behind is forgotten, what lies ahead is read on demand."""

    def __init__(self, chunks: Iterable[bytes], decoder: json.JSONDecoder) -> None:
        self._more = _decoded(chunks)
        self._decoder = decoder
        self._text, self._at = "", 0
        # Of what is forgotten: characters, lines, and characters since the last line's end.
        self._before, self._lines, self._column = 0, 0, 0

    def peek(self) -> str:
        """Return the next character that is no blank, without taking it; nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def take(self, character: str) -> None:
        """Pass the next character, which is known."""
        assert self.peek() == character  # noqa: S101  the caller has looked
        self._at += 1

    def expect(self, character: str, otherwise: str) -> None:
        """Pass the next character.

        Raises:
            json.JSONDecodeError: It is another one.
        """
        if self.peek() != character:
            self.fail(otherwise)
        self._at += 1

    def value(self) -> Any:
        """Pass the next value and return it."""
        value, self._at = self._scanned()
        return value

    def fail(self, message: str) -> NoReturn:
        """Raise the error of the place that was reached."""
        raise self._error(json.JSONDecodeError(message, self._text, self._at))

    def _scanned(self) -> tuple[Any, int]:
        """Parse the next value; where it reaches the window's end, it may go on behind it."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self._text) - _NEAR or error.msg.startswith(("Unterminated", "Invalid \\"))
                if not cut or not self._fill():
                    raise self._error(error) from None
            else:
                if end <= len(self._text) - _NEAR or not self._fill():
                    return value, end

    def _fill(self) -> bool:
        """Forget what lies behind and read on, as much again as there is; False at the end, with nothing changed."""
        parts: list[str] = []
        wanted = max(len(self._text) - self._at, 1)
        while wanted > 0 and (part := next(self._more, None)) is not None:
            parts.append(part)
            wanted -= len(part)
        if parts:
            self._forget()
            self._text += "".join(parts)
        return bool(parts)

    def _forget(self) -> None:
        gone = self._text[: self._at]
        lines = gone.count("\n")
        self._before += len(gone)
        self._lines += lines
        self._column = len(gone) - gone.rindex("\n") - 1 if lines else self._column + len(gone)
        self._text, self._at = self._text[self._at :], 0

    def _error(self, error: json.JSONDecodeError) -> json.JSONDecodeError:
        """Return the error with its place in the whole document; its text is the window's, which starts there."""
        error.colno = error.colno + self._column if error.lineno == 1 else error.colno
        error.lineno += self._lines
        return error


def _decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    for chunk in chunks:
        if text := decoder.decode(chunk):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text
