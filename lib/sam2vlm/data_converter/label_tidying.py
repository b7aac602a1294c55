"""Labels that could not stand in a text: a model, a terminal or a browser would take parts of them for commands."""

from __future__ import annotations

import re

__all__ = ["tidied_label"]

_BLANKS = re.compile("[\\t-\\r\\x1c-\\x1f\\x85\\u2028\\u2029]+")
_COMMANDS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
# <image>, <|im_end|>, <loc0001>, </s>: every family of models has its own signs of this shape.
_SIGN = re.compile(r"<([^<>\s]+)>")


def tidied_label(label: str) -> str:
    """Return the label on one line, without control characters and with ``(image)`` in place of ``<image>``.

    Blanks, case and everything else stay as they are: whether labels that differ in these mean the same is for a
    person to say.
    """
    if label.isalnum():
        return label
    return _SIGN.sub(r"(\1)", _COMMANDS.sub("", _BLANKS.sub(" ", label)))
