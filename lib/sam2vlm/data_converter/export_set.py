"""Several exports as one: identities that cannot collide, and an account of each of them."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sam2vlm.annotations import VideoMetadata
from sam2vlm.annotations.joined_frames import ChangedFrames, joined
from sam2vlm.artifacts import digest_of_value
from sam2vlm.data_converter.clean_frames import rows_by_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sam2vlm.annotations import Frame
    from sam2vlm.data_converter.sam2_parser import ParsedExport

__all__ = ["GIVEN_TWICE", "ExportSet", "ExportSummary", "NamedExport", "annotation_digest", "merge_exports"]

#: The reason of frames whose export, by its content, was given before.
GIVEN_TWICE = "its export was given twice"
_VIDEO_ID_DIGITS = 12
_SUFFIX_DIGITS = 8


@dataclass(frozen=True, slots=True)
class NamedExport:
    """One export, what a person calls it, and the ids that its videos got in place of those that another has too."""

    name: str
    export: ParsedExport
    same_video: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What became of one export.

    Attributes:
        name: What a person calls it.
        videos: The ids of its videos; none where it could not be read.
        filename: Of its video, where told.
        frames: That came in.
        negatives: Of these, how many show no object.
        objects: Visible objects in them.
        labels: Visible objects by label.
        dropped: Frames that did not come in, by reason.
        left_out: Why none of its frames came in; None where they did.
        dialect: How its masks are written.
        evidence: Why that dialect.
        notes: What the reader noticed.
    """

    name: str
    videos: tuple[str, ...] = ()
    filename: str | None = None
    frames: int = 0
    negatives: int = 0
    objects: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    left_out: str | None = None
    dialect: str = ""
    evidence: str = ""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "videos": list(self.videos),
            "filename": self.filename,
            "frames": self.frames,
            "negatives": self.negatives,
            "objects": self.objects,
            "labels": dict(self.labels),
            "dropped": dict(self.dropped),
            "left_out": self.left_out,
            "dialect": self.dialect,
            "evidence": self.evidence,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class ExportSet:
    """One export or several, merged.

    Attributes:
        frames: Of all, video by video, by frame index.
        metadata: Of the only export; of several what they have in common, with every note after its export's name.
        videos: The metadata of each.
        dropped: Frame indices that were left out, by reason.
        exports: What became of each, by name.
        same_video: Ids of videos that show what another export's video shows, each with that one's id.
    """

    frames: Sequence[Frame]
    metadata: VideoMetadata
    videos: tuple[VideoMetadata, ...]
    dropped: Mapping[str, tuple[int, ...]]
    exports: tuple[ExportSummary, ...]
    same_video: Mapping[str, str] = field(default_factory=dict)


def merge_exports(exports: Sequence[NamedExport], *, left_out: Sequence[ExportSummary] = ()) -> ExportSet:
    """Merge exports; their order does not matter.

    Video ids come from the exports' content, so frames and objects of two exports have different ids, except where
    the export itself names the video: then the later ones, by content, get a suffix of their content. An export that
    is there already, annotation by annotation and picture by picture, is left out.

    Args:
        exports: At least one.
        left_out: Exports that could not be read, for the account.

    Raises:
        DataError: A picture that has to be compared is damaged.
    """
    kept, repeated = _without_copies(exports) if len(exports) > 1 else ([*exports], [])
    named = [(item.name, item.export) for item in kept]
    dropped: defaultdict[str, tuple[int, ...]] = defaultdict(tuple)
    for _name, export in named:
        for reason, indices in export.dropped.items():
            dropped[reason] += tuple(indices)
    for item, _first in repeated:
        dropped[GIVEN_TWICE] += tuple(frame.frame_index for frame in item.export.frames)
        dropped[GIVEN_TWICE] += tuple(index for indices in item.export.dropped.values() for index in indices)
    summaries = [_summary(name, export) for name, export in named]
    summaries += [_copy_summary(item, first) for item, first in repeated]
    only = kept[0].export if len(exports) == 1 and not left_out else None
    return ExportSet(
        frames=joined([export.frames for _name, export in sorted(named, key=_by_video)]),
        metadata=only.metadata if only else _common(named, summaries, left_out),
        videos=(only.metadata,) if only else tuple(_expected(export) for _name, export in named),
        dropped=dict(sorted(dropped.items())),
        exports=tuple(sorted([*summaries, *left_out], key=lambda summary: summary.name)),
        same_video={new: old for item in kept for new, old in sorted(item.same_video.items())},
    )


def _expected(export: ParsedExport) -> VideoMetadata:
    """Return an export's metadata without the frames that its reader left out: their reasons name no video."""
    left_out = {index for indices in export.dropped.values() for index in indices}
    kept = tuple(index for index in export.metadata.frame_indices if index not in left_out)
    return replace(export.metadata, frame_indices=kept)


def annotation_digest(frame: Frame) -> str:
    """Return the digest of what is annotated in a frame: ids, labels and masks of its visible objects, in any order."""
    seen = [
        [item.object_id, item.label, item.mask.height, item.mask.width, item.mask.counts]
        for item in frame.objects
        if item.mask is not None
    ]
    return digest_of_value([frame.width, frame.height, sorted(seen)])


def _without_copies(exports: Sequence[NamedExport]) -> tuple[list[NamedExport], list[tuple[NamedExport, str]]]:
    """Return the exports with ids of their own, and the copies with the name of what they are copies of."""
    by_annotations: defaultdict[str, list[NamedExport]] = defaultdict(list)
    for item in sorted(exports, key=lambda item: item.name):
        by_annotations[_annotations_of(item.export)].append(item)
    kept: list[tuple[str, NamedExport]] = []
    repeated: list[tuple[NamedExport, str]] = []
    for annotated, alike in by_annotations.items():
        first_of: dict[str, str] = {}
        for item in alike:
            # Pictures are read only where the annotations cannot tell two exports apart.
            content = digest_of_value([annotated, _pictures_of(item.export)]) if len(alike) > 1 else annotated
            if content in first_of:
                repeated.append((item, first_of[content]))
            else:
                first_of[content] = item.name
                kept.append((content, item))
    return _with_own_ids(kept), sorted(repeated, key=lambda pair: pair[0].name)


def _with_own_ids(kept: Sequence[tuple[str, NamedExport]]) -> list[NamedExport]:
    taken: set[str] = set()
    result = []
    for content, item in sorted(kept, key=lambda pair: (pair[1].export.metadata.video_id, pair[0])):
        ids = rows_by_video(item.export.frames)
        names = {video_id: f"{video_id}-{content[:_SUFFIX_DIGITS]}" for video_id in ids if video_id in taken}
        taken.update(names.get(video_id, video_id) for video_id in ids)
        result.append(_renamed(item, names) if names else item)
    return result


def _renamed(item: NamedExport, names: Mapping[str, str]) -> NamedExport:
    export = item.export
    notes = [
        f"Another export has the same video {old}; this one's frames and objects belong to {new}. Both show one video "
        "and are split as one."
        for old, new in names.items()
    ]
    video_id = names.get(export.metadata.video_id, export.metadata.video_id)
    metadata = replace(export.metadata, video_id=video_id, notes=(*export.metadata.notes, *notes))
    frames = ChangedFrames(export.frames, functools.partial(_of_video, dict(names)))
    replaced = replace(export, frames=frames, metadata=metadata)
    return NamedExport(item.name, replaced, {new: old for old, new in names.items()})


def _of_video(names: Mapping[str, str], frame: Frame) -> Frame:
    return replace(frame, video_id=names.get(frame.video_id, frame.video_id))


def _annotations_of(export: ParsedExport) -> str:
    digest = hashlib.sha256()
    for frame in export.frames:
        digest.update(f"{frame.frame_index} {annotation_digest(frame)}\n".encode())
    return digest.hexdigest()


def _pictures_of(export: ParsedExport) -> str:
    digest = hashlib.sha256()
    for frame in export.frames:
        content = b"" if frame.read_image is None else frame.read_image()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _summary(name: str, export: ParsedExport) -> ExportSummary:
    labels: Counter[str] = Counter()
    negatives = 0
    videos: dict[str, None] = {}
    for frame in export.frames:
        videos[frame.video_id] = None
        labels.update(item.label for item in frame.visible_objects)
        negatives += not frame.visible_objects
    metadata = export.metadata
    return ExportSummary(
        name=name,
        videos=tuple(videos),
        filename=metadata.filename,
        frames=len(export.frames),
        negatives=negatives,
        objects=labels.total(),
        labels=dict(sorted(labels.items())),
        dropped={reason: len(indices) for reason, indices in export.dropped.items()},
        dialect=metadata.dialect,
        evidence=metadata.evidence,
        notes=metadata.notes,
    )


def _copy_summary(item: NamedExport, first: str) -> ExportSummary:
    whole = _summary(item.name, item.export)
    seen = whole.frames + sum(whole.dropped.values())
    return ExportSummary(
        name=item.name,
        videos=whole.videos,
        filename=whole.filename,
        dropped={GIVEN_TWICE: seen},
        left_out=f"the same content as {first}",
    )


def _common(
    named: Sequence[tuple[str, ParsedExport]], summaries: Sequence[ExportSummary], left_out: Sequence[ExportSummary]
) -> VideoMetadata:
    videos = [export.metadata for _name, export in named]
    dialects = sorted({video.dialect for video in videos})
    rates = {video.source_fps for video in videos}
    return VideoMetadata(
        video_id=digest_of_value([video.video_id for video in videos])[:_VIDEO_ID_DIGITS],
        filename=None,
        width=max(video.width for video in videos),
        height=max(video.height for video in videos),
        source_fps=rates.pop() if len(rates) == 1 else None,
        total_frames=None,
        duration_sec=None,
        dialect=dialects[0] if len(dialects) == 1 else "+".join(dialects),
        evidence="; ".join(f"{name}: {export.metadata.evidence}" for name, export in sorted(named, key=_by_name)),
        notes=(*_common_notes(named, summaries, left_out),),
    )


def _common_notes(
    named: Sequence[tuple[str, ParsedExport]], summaries: Sequence[ExportSummary], left_out: Sequence[ExportSummary]
) -> Iterator[str]:
    yield f"{len(named)} exports were merged."
    for summary in (*summaries, *left_out):
        if summary.left_out is not None:
            yield f"{summary.name} was left out: {summary.left_out}"
    for name, export in sorted(named, key=_by_name):
        for note in export.metadata.notes:
            yield f"{name}: {note}"


def _by_video(pair: tuple[str, ParsedExport]) -> str:
    return pair[1].metadata.video_id


def _by_name(pair: tuple[str, ParsedExport]) -> str:
    return pair[0]
