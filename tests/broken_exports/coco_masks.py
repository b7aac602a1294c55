"""Masks in COCO's form, a size and counts, broken in either."""

from __future__ import annotations

from tests.broken_exports.case import Rows
from tests.broken_exports.masks import MASK, PIXELS, TOLD, masked
from tests.broken_exports.parts import COMPRESSED, GONE, HEIGHT, UNCOMPRESSED, WIDTH

ROWS = Rows("COCO masks")


def coco(name, broken, value, expected, found, *, field="", dialect=COMPRESSED):
    """A row about one member of COCO's form; a callable gets the good mask."""
    path = f"{MASK}.{field}" if field else MASK
    ROWS.refused(name, broken, masked(value, dialect=dialect, path=path), TOLD, expected, found)


coco(
    "size-turned",
    "a mask has width and height in each other's place",
    [WIDTH, HEIGHT],
    "[height, width] = [48, 64]",
    "[64, 48]",
    field="size",
)
coco(
    "size-too-small",
    "a mask's size is smaller than its runs",
    [HEIGHT, 32],
    "1536 (32 x 48)",
    "a sum of 3072",
    field="size",
)
coco("size-is-zero", "a mask's size is 0", [0, WIDTH], "[height, width] in pixels", "[0, 64]", field="size")
coco(
    "size-is-negative",
    "a mask's size is negative",
    [-HEIGHT, -WIDTH],
    "[height, width] in pixels",
    "[-48, -64]",
    field="size",
)
coco("size-is-short", "a mask's size is one number", [PIXELS], "[height, width] in pixels", "[3072]", field="size")
coco("size-is-text", "a mask's size is text", "64x48", "[height, width] in pixels", "'64x48'", field="size")
coco(
    "size-is-a-fraction",
    "a mask's size has a fraction",
    [48.5, 64],
    "[height, width] in pixels",
    "[48.5, 64]",
    field="size",
)
coco("size-is-true", "a mask's size is true", [True, PIXELS], "[height, width] in pixels", "[True, 3072]", field="size")
coco(
    "size-is-huge", "a mask's size is 2^40 x 2^40", [2**40, 2**40], "at most 268435456 pixels", str(2**40), field="size"
)
coco(
    "size-is-missing",
    "a mask's size is missing",
    GONE,
    '{"size": [height, width], "counts": ...}',
    "['counts']",
    field="size",
)
coco(
    "counts-is-missing",
    "a mask's counts are missing",
    GONE,
    '{"size": [height, width], "counts": ...}',
    "['size']",
    field="counts",
)
coco("counts-is-null", "a mask's counts are null", None, "a string or a list of integers", "NoneType", field="counts")
coco("counts-is-a-number", "a mask's counts are a number", 7, "a string or a list of integers", "int", field="counts")
coco("counts-is-empty", "a mask's counts are an empty text", "", "COCO's compressed RLE", "nothing", field="counts")
coco(
    "counts-cut-off",
    "a mask's counts end inside of a number",
    lambda old: old["counts"] + "`",
    "a string that ends with a number",
    "",
    field="counts",
)
coco(
    "counts-with-blanks",
    "a mask's counts hold a blank",
    lambda old: old["counts"][:4] + " " + old["counts"][4:],
    "characters 0 to o",
    "",
    field="counts",
)
coco("counts-of-another-alphabet", "a mask's counts are not ASCII", "ü", "characters 0 to o", "ü", field="counts")
coco("counts-doubled", "a mask's counts stand there twice", lambda old: old["counts"] * 2, "", "", field="counts")
coco("counts-negative", "a mask's counts hold a negative run", "PPPo0", "", "", field="counts")
coco(
    "counts-endless",
    "a mask's counts hold a number of 70 bits",
    "o" * 14 + "0",
    "numbers of 32 bits",
    "oooooooooooooo0",
    field="counts",
)
coco("counts-in-base64", "a mask's counts are base64", "AAECAw==", "", "", field="counts")
coco(
    "list-too-short",
    "a mask's list of runs is too short",
    [100, 20],
    "3072 (64 x 48)",
    "a sum of 120",
    field="counts",
    dialect=UNCOMPRESSED,
)
coco(
    "list-with-null",
    "a mask's list of runs holds null",
    [100, None, 2972],
    "integers",
    "None at 1",
    field="counts",
    dialect=UNCOMPRESSED,
)
coco("an-empty-object", "a mask is an empty object", {}, '{"size": [height, width], "counts": ...}', "[]")
