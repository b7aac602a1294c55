"""Fields of the wrong type, out of range, missing or twice."""

from __future__ import annotations

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import GONE, Literal, at, changed, good

ROWS = Rows("JSON values")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated

FRAME = "annotations[1]"
OBJECT = "annotations[0].objects[0]"
BEYOND = 2**63


def wrong(name, broken, path, value, expected, found, *, document="annotations", place=None):  # noqa: PLR0917  a table's row
    """A row whose field is told by its own path."""
    refused(name, broken, at(path, value, document=document), f"{document}.json: {place or path}", expected, found)


def second_of(path):
    """A maker: the good export with the first item of a list repeated at the list's end."""

    def change(parts):
        items = parts.annotations
        for step in path:
            items = items[step]
        items.append(items[0])

    return changed(change)


def with_config(**values):
    return changed(lambda parts: parts.annotations["export_config"].update(values))


def backwards(parts):
    for record in parts.annotations["annotations"]:
        record["timestamp_sec"] = 1.5 - record["timestamp_sec"]


wrong("index-is-text", "a frame index is text", f"{FRAME}.frame_index", "first", "an integer", "the text 'first'")
wrong(
    "index-is-a-number-in-quotes",
    "a frame index is in quotes",
    f"{FRAME}.frame_index",
    "6",
    "an integer",
    "the text '6'",
)
wrong("index-is-a-fraction", "a frame index is 1.5", f"{FRAME}.frame_index", 1.5, "an integer", "1.5")
wrong("index-is-negative", "a frame index is -1", f"{FRAME}.frame_index", -1, "an integer from 0 to", "-1")
wrong("index-is-huge", "a frame index is 2^63", f"{FRAME}.frame_index", BEYOND, "an integer from 0 to", str(BEYOND))
wrong("index-is-infinite", "a frame index is 1e999", f"{FRAME}.frame_index", Literal("1e999"), "an integer", "inf")
wrong("index-is-true", "a frame index is true", f"{FRAME}.frame_index", True, "an integer", "true")
wrong("index-is-null", "a frame index is null", f"{FRAME}.frame_index", None, "an integer", "nothing")
wrong("index-is-missing", "a frame index is missing", f"{FRAME}.frame_index", GONE, "an integer", "nothing")
wrong("index-is-a-list", "a frame index is a list", f"{FRAME}.frame_index", [6], "an integer", "a list of 1 items")
wrong("index-is-an-object", "a frame index is an object", f"{FRAME}.frame_index", {}, "an integer", "an object with 0")
wrong(
    "index-twice",
    "two records have one frame index",
    f"{FRAME}.frame_index",
    0,
    "one record a frame",
    "0 also in annotations[0]",
)
refused(
    "record-twice",
    "a frame's record is there twice",
    second_of(["annotations"]),
    "annotations.json: annotations[8].frame_index",
    "one record a frame",
    "0 also in annotations[0]",
)
wrong("object-id-is-text", "an object id is text", f"{OBJECT}.object_id", "one", "an integer", "the text 'one'")
wrong("object-id-is-negative", "an object id is -1", f"{OBJECT}.object_id", -1, "an integer from 0", "-1")
wrong("object-id-is-true", "an object id is true", f"{OBJECT}.object_id", True, "an integer", "true")
wrong("object-id-is-null", "an object id is null", f"{OBJECT}.object_id", None, "an integer", "nothing")
wrong(
    "object-id-is-huge", "an object id is 1e30", f"{OBJECT}.object_id", 1e30, "an integer from 0", "10000000000000000"
)
refused(
    "object-id-twice",
    "one frame has an object twice",
    second_of(["annotations", 0, "objects"]),
    "annotations.json: annotations[0].objects[3].object_id",
    "one mask an object",
    "0 also in annotations[0].objects[0]",
)
wrong("objects-is-a-number", "objects is a number", f"{FRAME}.objects", 3, "a list of objects", "3")
wrong("objects-is-text", "objects is text", f"{FRAME}.objects", "crab", "a list of objects", "the text 'crab'")
wrong("objects-is-null", "objects is null", f"{FRAME}.objects", None, "a list of objects", "nothing")
wrong("objects-is-missing", "objects is missing", f"{FRAME}.objects", GONE, "a list of objects", "nothing")
wrong("objects-is-an-object", "objects is an object", f"{FRAME}.objects", {}, "a list of objects", "an object with 0")
wrong("object-is-a-number", "an object is a number", f"{OBJECT}", 7, "an object", "7")
wrong("object-is-null", "an object is null", f"{OBJECT}", None, "an object", "null")
wrong("object-is-empty", "an object is empty", f"{OBJECT}", {}, "an integer", "nothing", place=f"{OBJECT}.object_id")
wrong("record-is-a-list", "a frame's record is a list", FRAME, [], "an object", "a list of 0 items")
wrong("record-is-text", "a frame's record is text", FRAME, "frame", "an object", "the text 'frame'")
wrong("annotations-is-null", "annotations is null", "annotations", None, "a list of objects", "nothing")
wrong("annotations-is-missing", "annotations is missing", "annotations", GONE, "a list of objects", "nothing")
wrong("annotations-is-text", "annotations is text", "annotations", "none", "a list of objects", "the text 'none'")
wrong("annotations-is-a-number", "annotations is a number", "annotations", 8, "a list of objects", "8")
refused(
    "annotations-is-empty", "annotations is an empty list", at("annotations", []), "", "a frame with a picture", "none"
)

wrong("time-is-text", "a timestamp is text", f"{FRAME}.timestamp_sec", "soon", "a number", "the text 'soon'")
wrong("time-is-negative", "a timestamp is negative", f"{FRAME}.timestamp_sec", -0.2, "a number from 0", "-0.2")
wrong("time-is-infinite", "a timestamp is 1e999", f"{FRAME}.timestamp_sec", Literal("1e999"), "a number from 0", "inf")
wrong("time-is-true", "a timestamp is true", f"{FRAME}.timestamp_sec", True, "a number", "true")
wrong("time-is-huge", "a timestamp is 1e300", f"{FRAME}.timestamp_sec", 1e300, "a number from 0", "1e+300")
repaired(
    "time-is-null",
    "a timestamp is null",
    at(f"{FRAME}.timestamp_sec", None),
    "1 frame is without a timestamp; it was computed from the frame rate.",
)
repaired(
    "time-is-missing",
    "a timestamp is missing",
    at(f"{FRAME}.timestamp_sec", GONE),
    "1 frame is without a timestamp; it was computed from the frame rate.",
)
repaired(
    "time-runs-backwards",
    "timestamps fall while frame indices rise",
    changed(backwards),
    "7 timestamps are not after that of the frame before.",
)


def timeless(parts):
    """Neither a timestamp nor any frame rate."""
    del parts.annotations["video"]["source_fps"]
    del parts.metadata["video"]["fps"]
    del parts.annotations["annotations"][0]["timestamp_sec"]


refused(
    "no-time-and-no-rate",
    "a timestamp is missing, and no file tells the frame rate",
    changed(timeless),
    "annotations.json: annotations[0].timestamp_sec",
    "seconds",
    "nothing",
)

wrong("video-is-a-list", "video is a list", "video", [], "an object", "a list of 0 items")
wrong("width-is-text", "the video's width is text", "video.width", "64", "an integer", "the text '64'")
wrong("width-is-zero", "the video's width is 0", "video.width", 0, "an integer from 1", "0")
wrong("width-is-negative", "the video's width is negative", "video.width", -64, "an integer from 1", "-64")
wrong("width-is-a-fraction", "the video's width is 64.5", "video.width", 64.5, "an integer", "64.5")
wrong("height-is-infinite", "the video's height is 1e999", "video.height", Literal("1e999"), "an integer", "inf")
wrong("height-is-huge", "the video's height is 2^63", "video.height", BEYOND, "an integer from 1", str(BEYOND))
wrong("rate-is-text", "the frame rate is text", "video.source_fps", "30 fps", "a number", "the text '30 fps'")
wrong("rate-is-negative", "the frame rate is negative", "video.source_fps", -30, "a number from 0", "-30")
wrong("frames-is-text", "total_frames is text", "video.total_frames", "many", "an integer", "the text 'many'")
wrong("duration-is-text", "duration_sec is text", "video.duration_sec", "2 s", "a number", "the text '2 s'")
wrong("filename-is-a-number", "the video's name is a number", "video.filename", 7, "text", "7")
tolerated("float-sizes", "whole numbers are written with a point", at("video.width", 64.0))
tolerated("no-video-in-annotations", "annotations.json has no video", at("video", GONE))


def sizeless(parts):
    del parts.annotations["video"]
    del parts.metadata["video"]["width"], parts.metadata["video"]["height"]


repaired("no-size", "no file tells the video's size", changed(sizeless), "No file tells the video's size")
repaired(
    "sizes-differ",
    "the two files tell different sizes",
    at("video.width", 640, document="metadata"),
    "annotations.json says the video is 64 x 48, metadata.json says 640 x 48; the first was used.",
)
repaired(
    "size-of-no-picture",
    "both files tell a size that no picture has",
    changed(lambda parts: [put_size(parts, name) for name in ("annotations", "metadata")]),
    "8 frames have pictures of another size than the video's 640 x 480",
)


def put_size(parts, name):
    getattr(parts, name)["video"].update(width=640, height=480)


wrong("config-is-a-number", "export_config is a number", "export_config", 5, "an object", "5")
wrong(
    "indices-are-text",
    "frame_indices is text",
    "export_config.frame_indices",
    "all",
    "a list of integers",
    "the text 'all'",
)
wrong(
    "an-index-is-a-fraction",
    "frame_indices has 1.5",
    "export_config.frame_indices[1]",
    1.5,
    "an integer from 0",
    "1.5",
)
wrong("an-index-is-negative", "frame_indices has -6", "export_config.frame_indices[1]", -6, "an integer from 0", "-6")
wrong("an-index-is-null", "frame_indices has null", "export_config.frame_indices[1]", None, "an integer from 0", "null")
wrong(
    "count-is-text",
    "total_exported_frames is text",
    "export_config.total_exported_frames",
    "8",
    "an integer",
    "the text '8'",
)
repaired(
    "count-is-wrong",
    "total_exported_frames is 9, but there are 8",
    with_config(total_exported_frames=9),
    "total_exported_frames is 9, but 8 frames are annotated.",
)
repaired(
    "an-index-twice",
    "frame_indices names a frame twice",
    with_config(frame_indices=[0, 0, 6, 12, 18, 24, 30, 36, 42]),
    "frame_indices names 1 frames more than once.",
)
repaired(
    "an-index-more",
    "frame_indices names a frame that is not annotated",
    with_config(frame_indices=[0, 6, 12, 18, 24, 30, 36, 42, 48]),
    "Frame 48 is in frame_indices but has no annotations.",
)
refused(
    "an-index-more-than-allowed",
    "frame_indices names a frame that is not annotated, and none may be missing",
    with_config(frame_indices=[0, 6, 12, 18, 24, 30, 36, 42, 48]),
    "",
    "no errors",
    "1 errors",
    VALIDATION__MAX_MISSING_PERCENT="0",
)
repaired(
    "an-index-less",
    "frame_indices lacks an annotated frame",
    with_config(frame_indices=[0, 6, 12, 18, 24, 30, 36]),
    "Frame 42 is annotated but not in frame_indices.",
)

wrong(
    "box-is-short", "a box has three numbers", f"{OBJECT}.bbox", [1, 2, 3], "a list of 4 numbers", "a list of 3 items"
)
wrong("box-is-text", "a box is text", f"{OBJECT}.bbox", "0 0 9 9", "a list of 4 numbers", "the text '0 0 9 9'")
wrong("box-holds-text", "a box holds text", f"{OBJECT}.bbox[3]", "9", "a number", "the text '9'")
wrong("box-is-negative", "a box has a negative height", f"{OBJECT}.bbox[3]", -4, "a number from 0", "-4")
wrong("box-is-infinite", "a box holds 1e999", f"{OBJECT}.bbox[2]", Literal("1e999"), "a number from 0", "inf")
wrong("box-holds-null", "a box holds null", f"{OBJECT}.bbox[2]", None, "a number", "null")
wrong("box-is-an-object", "a box is an object", f"{OBJECT}.bbox", {"x": 1}, "a list of 4 numbers", "an object with 1")
wrong("area-is-text", "an area is text", f"{OBJECT}.area", "big", "a number", "the text 'big'")
wrong("area-is-negative", "an area is negative", f"{OBJECT}.area", -5, "a number from 0", "-5")
wrong("confidence-is-text", "a confidence is text", f"{OBJECT}.confidence", "high", "a number", "the text 'high'")
wrong("confidence-is-negative", "a confidence is negative", f"{OBJECT}.confidence", -0.1, "a number from 0", "-0.1")
wrong("confidence-is-false", "a confidence is false", f"{OBJECT}.confidence", False, "a number", "false")
tolerated("no-box", "an object has no box", at(f"{OBJECT}.bbox", GONE))
tolerated("no-area-and-no-confidence", "an area is null", at(f"{OBJECT}.area", None))

refused(
    "metadata-is-a-list",
    "metadata.json is a list",
    changed(lambda parts: setattr(parts, "metadata", [good().metadata])),
    "metadata.json",
    "a JSON object",
    "a list of 1 items",
)
wrong("info-is-a-number", "export_info is a number", "export_info", 3, "an object", "3", document="metadata")
wrong("exporter-is-a-number", "the exporter is a number", "export_info.exporter", 3, "text", "3", document="metadata")
