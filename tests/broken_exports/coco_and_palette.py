"""COCO instances and palette PNGs, broken in their own ways."""

from __future__ import annotations

import numpy as np

from tests.broken_exports.case import Rows
from tests.broken_exports.layouts import NAMED, layout, layout_at, palette_png, pixels
from tests.broken_exports.parts import GONE, HEIGHT, picture
from tests.broken_exports.sav_and_generator import without

INSTANCES = Rows("COCO instances")
PALETTE = Rows("palette PNGs")

TABLES = "instances.json"
MASK = "Annotations/clip/00002.png"


def instances(name, broken, path, value, expected, found, *, place=None):  # noqa: PLR0917  a table's row
    place = path if place is None else place
    INSTANCES.refused(name, broken, layout_at("instances", TABLES, path, value), f"{TABLES}: {place}", expected, found)


def palette(name, broken, content, expected, found, *, entry=MASK):
    PALETTE.refused(
        name, broken, layout("palette", lambda files: files.update({entry: content})), entry, expected, found, **NAMED
    )


def attributed(files):
    """Tracks stand in attributes, as CVAT writes them, but for one that is a number."""
    for item in files[TABLES]["annotations"]:
        item["attributes"] = {"track_id": item.pop("track_id")}
    files[TABLES]["annotations"][0]["attributes"] = 5


INSTANCES.tolerated("sound-instances", "nothing is wrong", layout("instances", lambda files: None))
instances("images-is-an-object", "images is an object", "images[1]", 3, "an object", "3")
instances("image-without-id", "an image has no id", "images[1].id", GONE, "an integer", "nothing")
instances("image-id-twice", "two images have one id", "images[1].id", 1, "an id of its own", "1 also in images[0]")
instances(
    "annotation-id-twice",
    "two annotations have one id",
    "annotations[1].id",
    1,
    "an id of its own",
    "1 also in annotations[0]",
)
instances(
    "image-id-unknown",
    "an annotation is of no image",
    "annotations[1].image_id",
    99,
    "the id of a member of images",
    "99",
)
instances("category-unknown", "an annotation is of no category", "annotations[1].category_id", 9, "one of [1, 2]", "9")
instances("category-without-name", "a category has no name", "categories[0].name", "", "text", "nothing")
instances(
    "category-twice", "two categories have one id", "categories[1].id", 1, "an id of its own", "1 also in categories[0]"
)
instances(
    "file-name-leads-outside",
    "a picture's name leads outside",
    "images[0].file_name",
    "../../etc/passwd.png",
    "a picture of this name",
    "../../etc/passwd.png",
)
instances(
    "file-name-twice", "two images have one picture", "images[1].file_name", "frame_000000.png", "one image a", ""
)
instances(
    "picture-is-not-there",
    "an image's picture is not there",
    "images[2].file_name",
    "frame_999999.png",
    "a picture of this name",
    "frame_999999.png",
)
instances(
    "polygon-is-short",
    "a polygon has two corners",
    "annotations[1].segmentation",
    [[1, 1, 9, 9]],
    "an even count of 6 or more numbers",
    "4 numbers at 0",
)
instances(
    "polygon-is-odd",
    "a polygon has half a corner",
    "annotations[1].segmentation",
    [[1, 1, 9, 9, 1, 9, 5]],
    "an even count of 6 or more numbers",
    "7 numbers at 0",
)
instances(
    "polygon-is-text",
    "a polygon holds text",
    "annotations[1].segmentation",
    [[1, 1, 9, "9", 1, 9]],
    "numbers",
    "'9' at 0",
)
instances(
    "polygon-is-far",
    "a polygon's corner is 10^9 pixels away",
    "annotations[1].segmentation",
    [[1, 1, 10**9, 9, 1, 9]],
    "x in a picture of 64 x 48",
    "1000000000",
)
instances(
    "polygon-is-flat",
    "polygons are not in a list of their own",
    "annotations[1].segmentation",
    [1, 1, 9, 9, 1, 9],
    "[x1, y1, x2, y2, ...]",
    "1 at 0",
)
instances(
    "rle-does-not-fit",
    "a mask's runs do not fit its size",
    "annotations[0].segmentation.size",
    [HEIGHT, 32],
    "1536 (32 x 48)",
    "a sum of 3072",
    place="annotations[0].segmentation",
)
instances(
    "mask-is-text", "a mask is text", "annotations[0].segmentation", "none", "polygons or an RLE", "the text 'none'"
)
instances(
    "track-twice",
    "one image has a track twice",
    "annotations[1].track_id",
    0,
    "one mask an object",
    "0 also in annotations[0]",
)
instances("crowd-is-text", "iscrowd is text", "annotations[0].iscrowd", "no", "an integer", "the text 'no'")
INSTANCES.refused(
    "two-instance-files",
    "two files hold instances",
    layout("instances", lambda files: files.update({"more.json": files[TABLES]})),
    "",
    "one JSON with images, annotations and categories",
    "instances.json, more.json",
)
INSTANCES.repaired(
    "attributes-are-a-number",
    "attributes is a number where others have a track",
    layout("instances", attributed),
    "every annotation is an object of its own, by its id.",
)
INSTANCES.repaired(
    "no-tracks",
    "annotations have no track_id",
    layout("instances", lambda files: [item.pop("track_id") for item in files[TABLES]["annotations"]]),
    "every annotation is an object of its own, by its id.",
)
INSTANCES.repaired(
    "an-empty-mask",
    "an annotation has an empty mask",
    layout(
        "instances", lambda files: files[TABLES]["annotations"][1].update(segmentation=[], bbox=[0, 0, 0, 0], area=0)
    ),
    "1 annotation is without a mask; such an object counts as not visible.",
)
INSTANCES.repaired(
    "a-crowd",
    "an annotation is of a crowd",
    layout_at("instances", TABLES, "annotations[0].iscrowd", 1),
    "1 annotation is of a crowd and was read as one object.",
)
INSTANCES.repaired(
    "a-category-of-signs",
    "a category is a model's own sign",
    layout_at("instances", TABLES, "categories[0].name", "<image>"),
    "'<image>' to '(image)'",
)

PALETTE.tolerated("sound-palettes", "nothing is wrong", layout("palette", lambda files: None), **NAMED)
palette("mask-is-rgb", "a mask is in colours", picture(), "an indexed PNG, or 8-bit grey", "RGB, 8 bits")
palette("mask-is-a-jpeg", "a mask is a JPEG", picture(kind="JPEG"), "an indexed PNG", "")
palette("mask-is-half", "a mask was cut off before it was packed", palette_png(pixels(2, 0))[:-40], "", "")
palette("mask-has-no-bytes", "a mask has no bytes", b"", "an indexed PNG", "")
palette(
    "mask-turned-about",
    "a mask has width and height in each other's place",
    palette_png(np.ascontiguousarray(pixels(2, 0).T)),
    "64 x 48",
    "48 x 64",
)
PALETTE.refused(
    "frame-of-a-mask-missing",
    "a mask has no frame",
    layout("palette", without("JPEGImages/clip/00002.png")),
    MASK,
    "00002.jpg or 00002.png among the frames",
    "nothing",
    **NAMED,
)
PALETTE.refused(
    "frame-of-a-mask-twice",
    "a mask has two frames",
    layout("palette", lambda files: files.update({"JPEGImages/clip/00002.jpg": picture(kind="JPEG")})),
    "",
    "one",
    "",
    **NAMED,
)
PALETTE.refused(
    "black-and-white",
    "masks are black and white",
    layout(
        "palette",
        lambda files: [
            files.update({name: palette_png(pixels(2, 0) * 255)}) for name in files if name.startswith("Annotations")
        ],
    ),
    "Annotations/clip/00000.png",
    "pixel values from 1 to 254",
    "only 0 and 255",
    **NAMED,
)
PALETTE.refused(
    "labels-by-name",
    "meta.json's objects have names for numbers",
    layout(
        "palette",
        lambda files: files.update({"meta.json": {"videos": {"clip": {"objects": {"one": {"category": "crab"}}}}}}),
    ),
    "meta.json",
    "a pixel value",
    "one",
    **NAMED,
)
PALETTE.repaired(
    "frame-without-mask",
    "a frame has no mask",
    layout("palette", without(MASK)),
    "1 picture is without a mask and was not used: JPEGImages/clip/00002.png.",
    **NAMED,
)
PALETTE.repaired(
    "void-pixels",
    "a mask has pixels of 255",
    layout(
        "palette",
        lambda files: files.update({MASK: palette_png(np.where(pixels(2, 0) > 0, 255, pixels(2, 1)).astype(np.uint8))}),
    ),
    "1 mask is with pixels of 255, which are no object.",
    **NAMED,
)
ROWS = [*INSTANCES, *PALETTE]
