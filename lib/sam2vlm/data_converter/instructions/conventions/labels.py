r"""Labels inside of a text that has signs of its own.

A label may be any text: the convention's signs, ``\`` and blanks at the ends carry a ``\`` before them, so that an
unescaped sign always means what the convention says. Breaking a sign also keeps a tokenizer from taking a label for
one of its special tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sam2vlm.errors import DataError

__all__ = ["LabelText", "check_label", "shortened"]

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def check_label(label: str) -> str:
    """Return the label.

    Raises:
        DataError: It is no Unicode text.
    """
    try:
        label.encode()
    except UnicodeEncodeError:
        raise DataError("is no label", expected="Unicode without lone surrogates", found=ascii(label)) from None
    return label


@dataclass(frozen=True, slots=True)
class LabelText:
    r"""Writes and reads labels.

    Attributes:
        signs: Characters that mean something to the convention, without ``\``.
        empty: What stands for the empty label, where nothing at all would be misread: ``\0``, which no label gives,
            because a ``0`` is never escaped.
    """

    signs: str
    empty: str = ""

    def write(self, label: str) -> str:
        """Return the label as it stands in the text.

        Raises:
            DataError: It is no Unicode text.
        """
        check_label(label)
        inner = label.strip()
        if not label:
            return self.empty
        if not inner:
            return "".join(f"\\{character}" for character in label)
        before, _, after = label.partition(inner)
        ends = ("".join(f"\\{character}" for character in blank) for blank in (before, after))
        return re.sub(rf"[{re.escape(self.signs)}\\]", r"\\\g<0>", inner).join(ends)

    def read(self, raw: str) -> str:
        """Return the label that a stretch of text stands for; blanks around it do not belong to it."""
        text = raw.strip()
        kept = raw.lstrip()
        slashes = len(text) - len(text.rstrip("\\"))
        # A blank after a single backslash belongs to the label; strip took it for one between label and box.
        if slashes % 2 and len(kept) > len(text):
            text = kept[: len(text) + 1]
        return "" if text == self.empty else _ESCAPED.sub(r"\1", text)


def shortened(text: str, limit: int = 40) -> str:
    """Return the text as a message quotes it."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
