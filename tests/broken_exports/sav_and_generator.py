"""SA-V and the automatic mask generator's output, broken in their own ways."""

from __future__ import annotations

from tests.broken_exports.case import Rows
from tests.broken_exports.layouts import NAMED, VIDEO, layout, layout_at
from tests.broken_exports.parts import GONE, HEIGHT, WIDTH, picture

SAV = Rows("SA-V")
AUTOMATIC = Rows("automatic mask generator")

MASKLETS = f"{VIDEO}_manual.json"
FIRST = "json/frame_000000.json"


def sav(name, broken, path, value, expected, found, *, place=None):  # noqa: PLR0917  a table's row
    place = path if place is None else place
    SAV.refused(name, broken, layout_at("sav", MASKLETS, path, value), f"{MASKLETS}: {place}", expected, found, **NAMED)


def automatic(name, broken, path, value, expected, found, *, place=None):  # noqa: PLR0917  a table's row
    place = path if place is None else place
    AUTOMATIC.refused(
        name,
        broken,
        layout_at("automatic", FIRST, path, value),
        f"{FIRST}: {place}".removesuffix(": "),
        expected,
        found,
        **NAMED,
    )


def without(*names):
    def change(files):
        for name in names:
            del files[name]

    return change


SAV.tolerated("sound", "nothing is wrong", layout("sav", lambda files: None), **NAMED)
SAV.refused("no-label", "nothing tells a label", layout("sav", lambda files: None), "", "no errors", "1 errors")
sav("no-video-id", "video_id is missing", "video_id", GONE, "text", "nothing")
sav("video-id-leads-outside", "video_id is a path", "video_id", "../../etc", "letters, digits, _ . and -", "../../etc")
sav("video-id-is-a-number", "video_id is a number", "video_id", 7, "text", "7")
sav("no-width", "video_width is missing", "video_width", GONE, "an integer", "nothing")
sav("width-is-text", "video_width is text", "video_width", "64", "an integer", "the text '64'")
sav("no-masklets", "masklet is empty", "masklet", [], "a list of frames", "a list of 0 items")
sav("masklet-is-text", "masklet is text", "masklet", "none", "a list", "the text 'none'")
sav(
    "masklet-row-is-short",
    "a frame has one masklet too few",
    "masklet[2][1]",
    GONE,
    "a list of 2 masks",
    "a list of 1 items",
    place="masklet[2]",
)
sav("masklet-row-is-null", "a frame is null", "masklet[2]", None, "a list of 2 masks", "null")
sav("masklet-mask-is-null", "a mask is null", "masklet[2][1]", None, '{"size": ..., "counts": ...}', "null")
sav(
    "masklet-mask-cut-off",
    "a mask's counts end inside of a number",
    "masklet[2][1].counts",
    "`",
    "a string that ends with a number",
    "`",
    place="masklet[2][1]",
)
sav(
    "masklet-size-turned",
    "a mask has width and height in each other's place",
    "masklet[2][1].size",
    [WIDTH, HEIGHT],
    "[height, width] = [48, 64]",
    "[64, 48]",
    place="masklet[2][1].size",
)
sav(
    "ids-too-few",
    "masklet_id has one id for two masklets",
    "masklet_id",
    [0],
    "a list of 1 masks",
    "a list of 2 items",
    place="masklet[0]",
)
sav("ids-twice", "masklet_id names a masklet twice", "masklet_id", [0, 0], "one id a masklet", "a list of 2 items")
sav("ids-are-text", "masklet_id is text", "masklet_id", "0,1", "a list of integers", "the text '0,1'")
sav(
    "frame-count-too-small",
    "video_frame_count is smaller than the annotated frames",
    "video_frame_count",
    3,
    "an integer from 8",
    "3",
)
sav("frame-count-is-a-fraction", "video_frame_count is a fraction", "video_frame_count", 31.5, "an integer", "31.5")
sav("duration-is-negative", "video_duration is negative", "video_duration", -1, "a number from 0", "-1")
SAV.refused(
    "picture-missing",
    "an annotated frame has no picture",
    layout("sav", without(f"{VIDEO}/00008.png")),
    "",
    "",
    "",
    **NAMED,
)
SAV.refused(
    "pictures-missing",
    "no frame has a picture",
    layout("sav", without(*[f"{VIDEO}/{4 * n:05d}.png" for n in range(8)])),
    f"{MASKLETS}: masklet[0]",
    f"{VIDEO}/00000.jpg",
    "nothing",
    **NAMED,
)
SAV.refused(
    "pictures-of-another-video",
    "the pictures' folder is another video's",
    layout(
        "sav",
        lambda files: [
            files.update({name.replace(f"{VIDEO}/", "sav_000002/"): files.pop(name)})
            for name in list(files)
            if name.startswith(f"{VIDEO}/")
        ],
    ),
    "",
    "",
    "",
    **NAMED,
)
SAV.refused(
    "half-a-file",
    "the file ends in the middle",
    layout("sav", lambda files: files.update({MASKLETS: b'{"video_id": "sav_000001", "masklet": [[{'})),
    MASKLETS,
    "JSON",
    "",
    **NAMED,
)
SAV.refused(
    "two-videos-of-one-id",
    "another file says that it is of the same video",
    layout("sav", lambda files: files.update({"copy_manual.json": files[MASKLETS]})),
    "",
    "",
    "",
    **NAMED,
)
SAV.repaired(
    "visibility-differs",
    "the file's own visibility differs from its masks",
    layout_at("sav", MASKLETS, "masklet_visibility_changes", [3, 0]),
    "says 3 in masklet_visibility_changes[0], its masks say 0; the masks were used.",
    **NAMED,
)
SAV.repaired(
    "two-files-of-a-video",
    "a manual and an automatic file number their objects alike",
    layout("sav", lambda files: files.update({f"{VIDEO}_auto.json": files[MASKLETS]})),
    "are numbered from 2 on",
    VALIDATION__LEVEL="report-only",
    **NAMED,
)

AUTOMATIC.tolerated("sound-masks", "nothing is wrong", layout("automatic", lambda files: None), **NAMED)
automatic("mask-is-missing", "a mask is missing", "[0].segmentation", GONE, '{"size": ..., "counts": ...}', "nothing")
automatic(
    "mask-is-pixels",
    "a mask is rows of pixels",
    "[0].segmentation",
    [[0, 1], [1, 0]],
    '{"size": ..., "counts": ...}',
    "a list of 2 items",
)
automatic(
    "mask-is-too-large",
    "a mask's size is huge",
    "[0].segmentation.size",
    [2**30, 2**30],
    "at most 268435456 pixels",
    str(2**30),
    place="[0].segmentation",
)
automatic(
    "mask-turned",
    "a mask has width and height in each other's place",
    "[0].segmentation.size",
    [WIDTH, HEIGHT],
    "[height, width] = [48, 64]",
    "[64, 48]",
    place="[0].segmentation.size",
)
automatic("iou-is-text", "predicted_iou is text", "[0].predicted_iou", "good", "a number", "the text 'good'")
automatic(
    "generated-box-is-short", "a box has two numbers", "[0].bbox", [1, 2], "a list of 4 numbers", "a list of 2 items"
)
automatic("item-is-a-number", "a list's second item is a number", "[1]", 7, "an object", "7")
automatic("file-is-text", "a picture's file holds text", "", "nothing", "a list of masks", "the text 'nothing'")
AUTOMATIC.refused(
    "no-picture-of-a-file",
    "a file has no picture",
    layout("automatic", without("images/frame_000003.png")),
    "json/frame_000003.json",
    "frame_000003.jpg",
    "nothing",
    **NAMED,
)
AUTOMATIC.refused(
    "two-pictures-of-a-file",
    "a file has two pictures",
    layout("automatic", lambda files: files.update({"images/frame_000003.jpg": picture(kind="JPEG")})),
    "",
    "one",
    "images/frame_000003.jpg and images/frame_000003.png",
    **NAMED,
)
AUTOMATIC.repaired(
    "boxes-short",
    "boxes are a pixel short, as the generator computes them",
    layout("automatic", lambda files: None),
    "16 masks are with a stored box a pixel short on two sides",
    **NAMED,
)
ROWS = [*SAV, *AUTOMATIC]
