"""Labels that would break a text, and exports that are too short to be split."""

from __future__ import annotations

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import INDICES, Literal, at, changed

LABELS = Rows("labels")
SPLITS = Rows("splits and levels")
ROWS = [*LABELS, *SPLITS]

LABEL = "annotations[0].objects[0].label"


def every_label(text):
    def change(parts):
        for record in parts.annotations["annotations"]:
            for item in record["objects"]:
                item["label"] = text

    return changed(change)


def first(count):
    """A maker: the good export's first frames."""

    def change(parts):
        parts.annotations["annotations"] = parts.annotations["annotations"][:count]
        parts.pictures = {index: parts.pictures[index] for index in INDICES[:count]}
        parts.annotations["export_config"].update(frame_indices=list(INDICES[:count]), total_exported_frames=count)

    return changed(change)


def at_one_time(parts):
    for record in parts.annotations["annotations"]:
        record["timestamp_sec"] = 3.0


def wrong(name, broken, value, expected, found):
    LABELS.refused(name, broken, at(LABEL, value), f"annotations.json: {LABEL}", expected, found)


wrong("label-is-a-number", "a label is a number", 7, "text", "7")
wrong("label-is-a-list", "a label is a list", ["crab"], "text", "a list of 1 items")
wrong("label-is-true", "a label is true", True, "text", "true")
LABELS.refused("no-labels", "no object has a label", every_label(""), "", "no errors", "1 errors")
LABELS.repaired(
    "one-empty-label",
    "one object's label is empty",
    at(LABEL, ""),
    'is called "" in 1 frames from frame 0 on, and "crab" in 6',
)
LABELS.repaired("a-blank-label", "a label is a blank", at(LABEL, "  "), 'is called " " in 1 frames')
LABELS.repaired(
    "a-line-break",
    "a label holds a line break",
    at(LABEL, "cr\nab"),
    "1 label is changed, as a text could not hold them: 'cr\\nab' to 'cr ab'.",
)
LABELS.repaired(
    "a-control-character",
    "a label holds a terminal's escape sequence",
    at(LABEL, Literal('"\\u001b[31mcrab"')),
    "'\\x1b[31mcrab' to '[31mcrab'.",
)
LABELS.repaired(
    "a-zero", "a label holds a zero character", at(LABEL, Literal('"cr\\u0000ab"')), "'cr\\x00ab' to 'crab'."
)
LABELS.repaired(
    "markup",
    "a label is markup",
    at(LABEL, "<script>alert(1)</script>"),
    "'<script>alert(1)</script>' to '(script)alert(1)(/script)'",
)
LABELS.repaired(
    "answer",
    "a label looks like an answer",
    at(LABEL, "crab [0.1, 0.2, 0.3, 0.4]; fish"),
    'is called "crab [0.1, 0.2, 0.3, 0.4]; fish" in 1 frames',
)
LABELS.repaired("an-image-mark", "a label is the mark of a picture", at(LABEL, "<image>"), "'<image>' to '(image)'")
wrong("very-long", "a label has 100,000 characters", "crab" * 25_000, "at most 1000 characters", "100000")
LABELS.repaired(
    "right-to-left", "a label is written from right to left", at(LABEL, "סרטן"), 'is called "סרטן" in 1 frames'
)
LABELS.repaired(
    "turned-around", "a label turns the reading direction around", at(LABEL, "\u202ebarc"), "'\\u202ebarc' to 'barc'"
)
LABELS.repaired(
    "two-labels",
    "one object has two labels",
    at("annotations[1].objects[0].label", "spider"),
    'is called "spider" in 1 frames',
)
LABELS.tolerated("emoji", "a label is a picture character of several parts", every_label("🧑‍🔬"))
LABELS.tolerated("other-script", "labels are Chinese", every_label("螃蟹"))
LABELS.repaired(
    "surrounded",
    "a label has blanks around it",
    at(LABEL, " crab "),
    '" crab " (1 objects) and "crab" (6) differ only by space',
)
SPLITS.refused(
    "a-gap-of-an-hour",
    "the gap between splits is longer than the video",
    first(8),
    "timestamp_sec",
    "a video of about",
    "1.4 s",
    SPLIT__GAP_SEC="3600",
)
SPLITS.refused("one-frame", "there is one frame", first(1), "samples", "at least 3 frames", "1")
SPLITS.refused("two-frames", "there are two frames", first(2), "samples", "at least 3 frames", "2")
SPLITS.refused(
    "two-frames-at-random",
    "there are two frames, split at random",
    first(2),
    "samples",
    "at least 3 frames",
    "2",
    SPLIT__STRATEGY="random",
)
SPLITS.refused(
    "at-one-time",
    "every frame has the same timestamp",
    changed(at_one_time),
    "timestamp_sec",
    "times that tell neighbours apart",
    "3 s in each",
)
SPLITS.repaired(
    "at-one-time-and-stratified",
    "every frame has the same timestamp, split by labels",
    changed(at_one_time),
    "7 timestamps are not after that of the frame before.",
    SPLIT__STRATEGY="stratified",
)
SPLITS.refused(
    "at-one-time-and-temporal",
    "every frame has the same timestamp, split by time",
    changed(at_one_time),
    "timestamp_sec",
    "times that tell neighbours apart",
    "3 s in each",
    SPLIT__STRATEGY="temporal",
)
SPLITS.tolerated(
    "three-frames-at-random", "there are three frames, split at random", first(3), SPLIT__STRATEGY="random"
)
SPLITS.refused(
    "warnings-at-strict",
    "rules warn, and the level is strict",
    changed(lambda parts: parts.pictures.update({6: parts.pictures[0]})),
    "",
    "no errors and no warnings",
    "0 errors, 3 warnings, first frame 6: has the same picture as frame 0",
    VALIDATION__LEVEL="strict",
)
ROWS = [*LABELS, *SPLITS]
