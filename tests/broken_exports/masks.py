"""Masks that fit nothing, in each of the ways in which annotations.json may hold them."""

from __future__ import annotations

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import (
    COMPRESSED,
    DEMO,
    GONE,
    HEIGHT,
    UNCOMPRESSED,
    WIDTH,
    at,
    changed,
    good,
    picture,
    put,
)

ROWS = Rows("masks")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated

MASK = "annotations[0].objects[0].mask_rle"
TOLD = f"annotations.json: {MASK}"
GRID = 65536
PIXELS = WIDTH * HEIGHT
RUN_STRING = "integers separated by blanks"


def masked(value, *, dialect=DEMO, path=MASK):
    """A maker: the good export with another value for a mask or a part of it; a callable gets the good mask."""

    def change(parts):
        old = good(dialect).annotations["annotations"][0]["objects"][0]["mask_rle"]
        put(parts.annotations, path, value(old) if callable(value) else value)

    return changed(change, dialect=dialect)


def wrong(name, broken, value, expected, found):
    refused(name, broken, masked(value), TOLD, expected, found)


def unsigned(parts):
    """Nothing names the exporter, and no picture shows an outline by which the order could be told."""
    parts.pictures = dict.fromkeys(parts.pictures, picture())
    del parts.annotations["export_config"]["exporter_version"]
    del parts.metadata["export_info"]["exporter"]


def every_mask(value, **changes):
    """A maker: the good export with another value for every mask."""

    def change(parts):
        for record in parts.annotations["annotations"]:
            for item in record["objects"]:
                item["mask_rle"] = value(item["mask_rle"]) if callable(value) else value
                item.update(changes)

    return changed(change)


def split_a_run(parts):
    """The same mask with a run of zeros in two."""
    item = parts.annotations["annotations"][0]["objects"][0]
    first, *rest = item["mask_rle"].split()
    item["mask_rle"] = " ".join([str(int(first) - 5), "0", "5", *rest])


def coarse(parts):
    """Every mask is one box of 10 x 10 on a grid of half the frame's size; box and area are the frame's."""
    for record in parts.annotations["annotations"]:
        for number, item in enumerate(record["objects"]):
            runs = [24 * (5 + number) + 4, *[10, 24 - 10] * 9, 10]
            runs.append(32 * 24 - sum(runs))
            item.update(mask_rle={"size": [24, 32], "counts": runs}, bbox=[10 + 2 * number, 8, 20, 20], area=400)


wrong(
    "sum-too-small",
    "a mask's runs add up to one less than the grid",
    "100 20 65415",
    "65536 (256 x 256)",
    "a sum of 65535",
)
wrong(
    "sum-too-large",
    "a mask's runs add up to one more than the grid",
    "100 20 65417",
    "65536 (256 x 256)",
    "a sum of 65537",
)
wrong(
    "sum-of-the-frame",
    "one mask covers the frame, the others the grid",
    f"100 20 {PIXELS - 120}",
    "runs that add up to 65536",
    "a sum of 3072 (64 x 48)",
)
wrong("no-runs", "a mask is an empty text", "", RUN_STRING, "nothing")
wrong("blank-runs", "a mask is a blank text", "   ", RUN_STRING, "nothing")
wrong("a-negative-run", "a mask has a negative run", "100 -20 65456", RUN_STRING, "100 -20 65456")
wrong("a-fraction", "a mask has a run with a point", "100.0 20 65416", RUN_STRING, "100.0 20 65416")
wrong("letters", "a mask has letters", "100 twenty 65416", RUN_STRING, "100 twenty 65416")
wrong("commas", "a mask's runs are separated by commas", "100,20,65416", RUN_STRING, "100,20,65416")
wrong("other-digits", "a mask has digits of another script", "100 ٢٠ 65416", RUN_STRING, "100 ٢٠ 65416")
wrong("a-line-end", "a mask holds a character that ends a line", "100 20\u202865416", RUN_STRING, "100 20")
wrong(
    "a-terminal-command", "a mask holds a terminal's escape sequence", "100 \x1b[2J 65436", RUN_STRING, "100 \\x1b[2J"
)
wrong("a-huge-run", "a mask has a run of 30 digits", "9" * 30 + " 1", "0 to 268435456", "9223372036854775807")
wrong(
    "overflowing",
    "a mask's runs overflow 64 bits to the right sum",
    f"{2**63 - 1} {2**63 - 1} {GRID + 2}",
    "0 to 268435456",
    "9223372036854775807",
)
wrong("a-number", "a mask is a number", 65536, "a string, a list or an object", "int 65536")
wrong("true", "a mask is true", True, "a string, a list or an object", "bool True")
wrong("null", "a mask is null", None, "a mask", "nothing")
wrong("missing", "a mask is missing", GONE, "a mask", "nothing")
wrong("an-empty-list", "a mask is an empty list", [], "a list of integers", "an empty list")
wrong("a-list-of-fractions", "a mask is a list with a fraction", [100, 20.5, 65415.5], "integers", "20.5 at 1")
wrong("a-list-of-texts", "a mask is a list with a number in quotes", [100, "20", 65416], "integers", "'20' at 1")
wrong("a-list-with-a-negative", "a mask is a list with a negative run", [100, -20, 65456], "0 to 268435456", "-20 at 1")
wrong("a-list-of-lists", "a mask is rows of pixels", [[0, 1], [1, 0]], "integers", "[0, 1] at 0")
refused(
    "grid-of-nobody",
    "every mask is on a grid of 128 x 128",
    every_mask("100 20 16264"),
    TOLD,
    "65536 (256 x 256)",
    "a sum of 16384",
)
refused(
    "order-unknown",
    "nothing names the exporter, and masks on the 256 x 256 grid may be read in two orders",
    changed(unsigned),
    TOLD,
    "2 times the picture's mean gradient",
    "0.00 row by row",
)
refused(
    "another-dialect",
    "the setting names another dialect than the masks have",
    at("video.filename", "a.mp4"),
    TOLD,
    "coco-compressed, as set",
    "counts without a size",
    ARCHIVE__DIALECT="coco-compressed",
)
repaired(
    "absent",
    "a mask has no pixel, and box and area are zero",
    changed(
        lambda parts: parts.annotations["annotations"][0]["objects"][0].update(
            mask_rle="65536", bbox=[0, 0, 0, 0], area=0
        )
    ),
    "because the object is not visible",
)
refused(
    "lost",
    "a mask has no pixel, but a box and an area",
    at(MASK, "65536"),
    "",
    "no errors",
    "1 errors",
)
refused("all-lost", "no mask has a pixel", every_mask("65536", bbox=[0, 0, 0, 0], area=0), "", "no errors", "")
refused(
    "everything",
    "a mask covers the whole frame",
    changed(
        lambda parts: parts.annotations["annotations"][0]["objects"][0].update(
            mask_rle="0 65536", bbox=[0, 0, 256, 256], area=GRID
        )
    ),
    "",
    "no errors",
    "1 errors",
)
tolerated("empty-runs", "a mask has runs of length 0", changed(split_a_run))


refused(
    "two-dialects",
    "one frame's masks are written in another way than the others",
    changed(
        lambda parts: parts.annotations["annotations"][0].update(
            objects=good(COMPRESSED).annotations["annotations"][0]["objects"]
        )
    ),
    "",
    "no errors",
    "",
)
repaired(
    "coarser-grid",
    "masks are on a coarser grid than the frame",
    changed(coarse, dialect=UNCOMPRESSED),
    "masks are on a grid of 32 x 24; boxes and areas were scaled to the frame.",
)


def transposed(parts):
    """Every stored box is the mask's own, which this tool never writes."""
    for record in parts.annotations["annotations"]:
        for item in record["objects"]:
            x, y, w, h = item["bbox"]
            item["bbox"] = [y, x, h, w]


repaired(
    "boxes-mended",
    "stored boxes are not the transposed ones that the demo's tool writes",
    changed(transposed),
    "stored boxes are not the transposed boxes that this exporter writes; boxes were taken from the masks.",
)
