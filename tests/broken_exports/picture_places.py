"""Pictures that are missing, doubled, renamed, moved, or no files."""

from __future__ import annotations

import os
import zipfile

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import INDICES, Made, changed, good, picture
from tests.broken_exports.structure import added

ROWS = Rows("picture places")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated


def renamed(pattern):
    return changed(lambda parts: setattr(parts, "picture_name", pattern))


def without_picture(*indices, objects=True):
    def change(parts):
        for index in indices:
            del parts.pictures[index]
        if not objects:
            for record in parts.annotations["annotations"]:
                if record["frame_index"] in indices:
                    record["objects"] = []

    return changed(change)


def in_a_folder(change):
    """A maker: the good export unpacked, and then changed on the disk."""

    def make(folder):
        made = good().unpacked(folder)
        change(made.path)
        return made

    return make


def replaced_by(kind):
    def change(root):
        (root / "images/frame_000000.png").unlink()
        kind(root / "images/frame_000000.png")

    return in_a_folder(change)


def of_another_export(folder):
    """Frame 18's picture is missing, and another export that was packed along has one of that number."""
    parts = good()
    parts.folder = "first/"
    del parts.pictures[18]
    entries = parts.entries() | {"second/images/frame_000018.png": picture(shade=200)}
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return Made(folder / "export.zip", parts.pictures)


def pictures_of_two(folder):
    """Half of the pictures lie in another folder than the others, and both apart from annotations.json."""
    parts = good()
    names = {f"images/frame_{index:06d}.png": index for index in INDICES}
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        for name, content in parts.entries().items():
            where = "annotations/" if name not in names else "first/" if names[name] < 24 else "second/"
            archive.writestr(where + name, content)
    return Made(folder / "export.zip", parts.pictures)


tolerated("frames-folder", "pictures lie in frames/", renamed("frames/frame_{:06d}.png"))
tolerated("data-folder", "pictures lie in data/", renamed("data/frame_{:06d}.png"))
tolerated("capitals", "picture names are in capitals", renamed("IMAGES/FRAME_{:06d}.PNG"))
tolerated("beside-annotations", "pictures lie beside annotations.json", renamed("frame_{:06d}.png"))
tolerated("unpadded", "picture numbers have no zeros in front", renamed("images/frame_{}.png"))
tolerated("four-digits", "picture numbers have four digits", renamed("images/frame_{:04d}.png"))
tolerated("bare-numbers", "pictures are called by their number alone", renamed("images/{:06d}.png"))
refused(
    "unknown-folder",
    "pictures lie in a folder that no tool uses",
    renamed("pics/frame_{:06d}.png"),
    "annotations.json: annotations[0].frame_index",
    "images/frame_000000.png",
    "nothing",
)
refused(
    "folder-too-deep",
    "pictures lie in a folder below images/",
    renamed("images/part/frame_{:06d}.png"),
    "annotations.json: annotations[0].frame_index",
    "images/frame_000000.png",
    "nothing",
)
refused(
    "names-without-numbers",
    "picture names have a letter where the number belongs",
    renamed("images/frame_{:06d}a.png"),
    "annotations.json: annotations[0].frame_index",
    "images/frame_000000.png",
    "nothing",
)
refused(
    "two-pictures-of-a-frame",
    "frame 6 has a PNG and a JPEG",
    added("images/frame_000006.jpg", picture(kind="JPEG")),
    "",
    "one",
    "images/frame_000006.jpg and images/frame_000006.png",
)
refused(
    "two-numbers-of-a-frame",
    "frame 6 has a padded and an unpadded picture",
    added("images/6.png", picture()),
    "",
    "one",
    "images/6.png and images/frame_000006.png",
)
refused(
    "two-folders-of-a-frame",
    "frame 6 has a picture in images/ and one in frames/",
    added("frames/frame_000006.png", picture()),
    "",
    "one",
    "frames/frame_000006.png and images/frame_000006.png",
)
refused(
    "picture-of-another-export",
    "frame 18 has no picture, but another folder's images/ has one of that number",
    of_another_export,
    "first/annotations.json: annotations[3].frame_index",
    "images/frame_000018.png",
    "nothing",
)
refused(
    "pictures-of-two-exports",
    "annotations.json lies apart, and two folders have pictures",
    pictures_of_two,
    "",
    "the pictures of one export",
    "first/images, second/images",
)
refused(
    "missing-picture",
    "a frame with objects has no picture",
    without_picture(6),
    "annotations.json: annotations[1].frame_index",
    "images/frame_000006.png",
    "nothing",
)
refused(
    "no-pictures",
    "no frame has a picture",
    without_picture(*INDICES),
    "annotations.json: annotations[0].frame_index",
    "images/frame_000000.png",
    "nothing",
)
refused(
    "no-pictures-and-no-objects",
    "no frame has an object, so the tool wrote no picture",
    without_picture(*INDICES, objects=False),
    "",
    "a frame with a picture",
    "8 annotated frames without objects",
)
repaired(
    "missing-picture-of-nothing",
    "a frame without objects has no picture",
    without_picture(6, objects=False),
    "Frame 6 has no visible object and no picture and was left out.",
)
repaired(
    "picture-without-annotations",
    "a picture has no annotations",
    added("images/frame_000003.png", picture()),
    "Frame 3 has a picture but no annotations.",
)
repaired(
    "picture-without-a-number",
    "a picture's name has no frame's number",
    added("images/overview.png", picture()),
    "images/overview.png",
)
refused(
    "link-in-a-folder",
    "a picture of the folder is a link to a file outside",
    replaced_by(lambda path: path.symlink_to("/etc/hostname")),
    "images/frame_000000.png",
    "files and folders",
    "a link",
)
refused(
    "link-to-a-folder",
    "a picture's name in the folder is a link to a folder",
    replaced_by(lambda path: path.symlink_to("..")),
    "images/frame_000000.png",
    "files and folders",
    "a link",
)
refused(
    "dangling-link",
    "a picture of the folder is a link to nothing",
    replaced_by(lambda path: path.symlink_to("gone")),
    "images/frame_000000.png",
    "files and folders",
    "a link",
)
refused(
    "pipe-in-a-folder",
    "a picture of the folder is a named pipe",
    replaced_by(os.mkfifo),
    "images/frame_000000.png",
    "files and folders",
    "a device or another special file",
)
refused(
    "folder-in-place-of-a-picture",
    "a folder has a picture's name",
    replaced_by(os.mkdir),
    "annotations.json: annotations[0].frame_index",
    "images/frame_000000.png",
    "nothing",
)
