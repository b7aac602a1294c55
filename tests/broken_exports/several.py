"""Several exports at once, of which one is broken or there already."""

from __future__ import annotations

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import Made, good

ROWS = Rows("several exports")


def several(second):
    """A maker: a folder with a good export and another one, whose bytes are made from the good one's."""

    def make(folder):
        exports = folder / "exports"
        exports.mkdir()
        made = good().zip(exports)
        (exports / "first.zip").write_bytes(made.path.read_bytes())
        made.path.write_bytes(second(made.path.read_bytes()))
        made.path.rename(exports / "second.zip")
        return Made(exports, made.pictures)

    return make


ROWS.refused(
    "one-of-two-truncated",
    "one of two exports is truncated",
    several(lambda content: content[: len(content) // 2]),
    "second.zip",
    "a ZIP archive",
    "a ZIP archive's beginning without its end",
)
ROWS.refused(
    "one-of-two-is-none", "one of two exports is a text", several(lambda content: b"later\n"), "second.zip", "a ZIP", ""
)
ROWS.repaired(
    "the-same-twice",
    "two exports are the same",
    several(lambda content: content),
    "second.zip was left out: the same content as first.zip",
)
