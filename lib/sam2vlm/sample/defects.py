"""What can be wrong with an export, each by name: what the tools do, what people do when they re-zip, and attacks."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFECTS", "DEFECTS_OF_ALL", "checked_defects"]

#: Name -> what the export then looks like.
DEFECTS: dict[str, str] = {
    # The demo tool's own.
    "painted-overlay": "pictures carry a 30 % colour overlay, 2-pixel contours and each label on a black box",
    "frames-without-image": "now and then no object is in the picture, and the tool writes no image for such a frame",
    "constant-fps": "the video really has 24 frames a second; source_fps and the timestamps say 30",
    "swallowed-errors": "some exported frames have neither annotation nor image, yet the counts name them",
    "repeated-names": "the video's name is the same in every export (session.mp4)",
    "default-names": "every second object keeps its default name (object_0)",
    "label-typos": "some labels differ by case, a blank or one letter",
    "track-swaps": "two objects exchange their masks for a while",
    "flicker": "objects are absent for one frame between two presences",
    "duplicate-frames": "some frames repeat the picture and the masks of the frame before",
    "wrong-boxes": "some boxes and areas do not fit their masks, beyond what the dialect does",
    "wrong-size": "some pictures have half the video's width and height",
    "no-exporter": "nothing names the exporter, so the masks' order has to be found out",
    "no-video-info": "neither metadata nor annotations tell the video's size",
    # What happens when people re-zip or copy.
    "missing-metadata": "metadata.json is missing",
    "wrapping-folder": "everything lies in a folder, with __MACOSX and .DS_Store beside it",
    "frames-folder": "pictures lie in frames/ instead of images/, with endings in capitals",
    "jpg-frames": "pictures are JPEG files",
    "unpadded-numbers": "pictures are numbered without zeros in front (frame_6.png)",
    "bare-numbers": "pictures are named by their number alone (000006.png)",
    "non-ascii": "labels, the video's name and a wrapping folder are not ASCII",
    "missing-frame": "one annotated frame's picture is missing",
    "zero-objects": "no frame has an object, so there is no image either",
    # What cannot be read.
    "no-annotations": "annotations.json is missing",
    "empty-annotations": "annotations.json holds an empty list",
    "broken-json": "annotations.json ends in the middle",
    "wrong-shape": "a number stands where the first frame's list of objects belongs",
    "wrong-run-sum": "one mask's runs add up to nothing that fits",
    "truncated": "the archive ends after six tenths of its bytes",
    "bad-crc": "one byte of a picture has changed since the archive was written",
    "encrypted": "all entries are marked as encrypted",
    # What would harm the reader.
    "path-traversal": "one entry is named ../../outside.txt",
    "absolute-path": "one entry's name is an absolute path",
    "symlink": "one entry is a symbolic link",
    "bomb": "one entry unpacks to a thousand times its size",
}


#: Those that an export without ``annotations.json`` can have too.
DEFECTS_OF_ALL = frozenset(
    {
        "painted-overlay",
        "track-swaps",
        "flicker",
        "duplicate-frames",
        "wrong-size",
        "wrapping-folder",
        "missing-frame",
        "truncated",
        "bad-crc",
        "encrypted",
        "path-traversal",
        "absolute-path",
        "symlink",
        "bomb",
    }
)


def checked_defects(names: Iterable[str], *, has_records: bool = True) -> frozenset[str]:
    """Return the names as a set.

    Args:
        names: As somebody wants them.
        has_records: Whether the dialect writes ``annotations.json``; other dialects can only have
            :data:`DEFECTS_OF_ALL`.

    Raises:
        SettingsError: There is no such defect, or not in this dialect.
    """
    wanted = tuple(names)
    for name in wanted:
        if name not in DEFECTS:
            close = difflib.get_close_matches(name, DEFECTS, n=1)
            hint = f"did you mean {close[0]}?" if close else "`sam2vlm sample --help` lists them"
            raise SettingsError(f"no such defect; {hint}", field="defect", found=name)
        if not has_records and name not in DEFECTS_OF_ALL:
            raise SettingsError(
                "is a defect of exports with annotations.json",
                field="defect",
                expected=" or ".join(sorted(DEFECTS_OF_ALL)),
                found=name,
            )
    return frozenset(wanted)
