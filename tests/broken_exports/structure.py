"""Entries that are missing, doubled, renamed or moved."""

from __future__ import annotations

import os
import zipfile

from tests.broken_exports.case import Rows
from tests.broken_exports.parts import Made, changed, good

ROWS = Rows("structure")
refused, repaired, tolerated = ROWS.refused, ROWS.repaired, ROWS.tolerated


def only(**entries):
    """A maker: an archive of these entries and nothing else."""

    def make(folder):
        with zipfile.ZipFile(folder / "export.zip", "w") as archive:
            for name, content in entries.items():
                archive.writestr(name.replace("__", "."), content)
        return Made(folder / "export.zip")

    return make


def empty_folder(folder):
    (folder / "export").mkdir()
    return Made(folder / "export")


def named_pipe(folder):
    os.mkfifo(folder / "export.zip")
    return Made(folder / "export.zip")


def folders_only(folder):
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        archive.mkdir("images")
        archive.mkdir("annotations.json")
    return Made(folder / "export.zip")


def zip_in_a_zip(folder):
    inner = good().zip(folder).path.read_bytes()
    return only(export__zip=inner)(folder)


def wrapped(name):
    return changed(lambda parts: setattr(parts, "folder", name))


def moved(name, to):
    """A maker: the good export with an entry under another name."""

    def change(parts):
        parts.raw[to] = parts.entries()[name]
        parts.absent.add(name)

    return changed(change)


def added(name, content=b"{}"):
    return changed(lambda parts: parts.others.update({name: content}))


ANYTHING = "annotations.json"

refused(
    "missing-export", "nothing lies at the path", lambda folder: Made(folder / "export.zip"), "", "a ZIP", "nothing"
)
refused("named-pipe", "a named pipe lies at the path", named_pipe, "", "a ZIP archive or a folder", "a special file")
refused("empty-folder", "the folder is empty", empty_folder, "", ANYTHING, "no files")
refused("no-entries", "the archive has no entries", only(), "", ANYTHING, "no files")
refused("folders-only", "the archive holds folders and no files", folders_only, "", ANYTHING, "no files")
refused("zip-in-a-zip", "the export was packed twice", zip_in_a_zip, "", ANYTHING, "export.zip")
refused("readme-only", "the archive holds a text file only", only(readme__txt="hello"), "", ANYTHING, "readme.txt")
refused(
    "no-annotations",
    "annotations.json is missing",
    moved("annotations.json", "annotations.txt"),
    "",
    ANYTHING,
    "annotations.txt",
)
refused(
    "annotations-misspelt",
    "annotations.json is called annotation.json",
    moved("annotations.json", "annotation.json"),
    "",
    ANYTHING,
    "annotation.json",
)
refused(
    "annotations-in-litter",
    "annotations.json lies in __MACOSX only",
    moved("annotations.json", "__MACOSX/annotations.json"),
    "",
    ANYTHING,
    "images/frame_000000.png",
)
refused(
    "annotations-is-a-folder",
    "annotations.json is a folder with a file in it",
    moved("annotations.json", "annotations.json/annotations.txt"),
    "",
    ANYTHING,
    "annotations.json/annotations.txt",
)
refused(
    "annotations-twice",
    "two folders hold an annotations.json",
    added("copy/annotations.json"),
    "",
    "one export",
    "annotations.json, copy/annotations.json",
)
refused(
    "annotations-twice-by-case",
    "annotations.json and ANNOTATIONS.JSON lie side by side",
    added("ANNOTATIONS.JSON"),
    "",
    "one export",
    "ANNOTATIONS.JSON, annotations.json",
)
repaired(
    "no-metadata",
    "metadata.json is missing",
    changed(lambda parts: setattr(parts, "metadata", None)),
    "metadata.json is missing; annotations.json and the pictures served.",
)
repaired(
    "metadata-elsewhere",
    "a second metadata.json lies in another folder",
    added("copy/metadata.json"),
    "copy/metadata.json",
)
refused(
    "metadata-twice-elsewhere",
    "two metadata.json, neither beside annotations.json",
    changed(
        lambda parts: (
            setattr(parts, "metadata", None),
            parts.others.update({"a/metadata.json": b"{}", "b/metadata.json": b"{}"}),
        )
    ),
    "",
    "one export",
    "a/metadata.json, b/metadata.json",
)
tolerated("wrapped", "everything lies in a folder", wrapped("My export/"))
tolerated("wrapped-thrice", "everything lies in three folders", wrapped("a/b/c/"))
tolerated("unpacked", "the archive was unpacked", changed(lambda parts: None, unpacked=True))
tolerated(
    "unpacked-and-wrapped",
    "the archive was unpacked into a folder of its own",
    changed(lambda parts: setattr(parts, "folder", "x/"), unpacked=True),
)
tolerated(
    "litter",
    "the system left __MACOSX, .DS_Store and Thumbs.db behind",
    changed(
        lambda parts: parts.others.update(
            {"__MACOSX/._annotations.json": b"\0", "images/.DS_Store": b"\0", "images/Thumbs.db": b"\0"}
        )
    ),
)
repaired("stray-file", "a file of another kind was packed along", added("notes.txt", b"for later"), "notes.txt")
