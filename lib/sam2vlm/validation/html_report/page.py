"""The report as one HTML page that opens from a file: no script, no network, pictures inside."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from sam2vlm.validation.html_report.gallery import PictureLimits, gallery, wanted_frames
from sam2vlm.validation.html_report.size_chart import size_chart
from sam2vlm.validation.html_report.survey import NO_SPLIT, survey_frames
from sam2vlm.validation.html_report.timeline import MOST_VIDEOS, timelines
from sam2vlm.validation.results import Severity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import jinja2

    from sam2vlm.annotations.types import Frame
    from sam2vlm.validation.html_report.survey import FrameKey, Survey
    from sam2vlm.validation.results import ValidationResults

__all__ = ["page_environment", "render_page", "render_report"]

#: Labels in the table of classes; a dataset with more is told how many are missing.
MOST_LABELS = 100


def render_report(
    results: ValidationResults,
    frames: Iterable[Frame],
    *,
    dataset_name: str,
    meaning: str,
    json_name: str = "report.json",
    splits: Mapping[FrameKey, str] | None = None,
    split_notes: Sequence[str] = (),
    instructions: Mapping[str, Mapping[str, int]] | None = None,
    exports: Sequence[Mapping[str, Any]] = (),
    limits: PictureLimits | None = None,
) -> str:
    """Return the page: equal input gives equal bytes.

    Args:
        results: Of the rules.
        frames: Those that the rules looked at; gone through once. Pictures are read for the gallery alone.
        dataset_name: For the title.
        meaning: What the status means, as a clause.
        json_name: The file beside it that has every finding.
        splits: The split of every frame; None where the dataset was not split.
        split_notes: What the splitter has to say.
        instructions: By split and task how often it is asked.
        exports: Of several exports each one's ``name``, ``videos`` (their ids), ``frames``, ``negatives``, ``objects``
            and ``left_out`` (why it was, or None).
        limits: How many pictures, and how large.
    """
    held = limits or PictureLimits()
    survey = survey_frames(frames, splits=splits, keep=wanted_frames(results, held))
    groups = gallery(results, survey.kept, held)
    labels = list(survey.labels.items())
    split_names = _split_names(splits or {}, survey)
    return render_page(
        page_environment(),
        "report.html.jinja",
        results=results,
        dataset_name=dataset_name,
        meaning=meaning,
        json_name=json_name,
        survey=survey,
        visible=sum(row.objects for row in survey.labels.values()),
        labels=labels[:MOST_LABELS],
        hidden_labels=max(len(labels) - MOST_LABELS, 0),
        most_objects=max((row.objects for row in survey.labels.values()), default=1),
        sizes=size_chart(survey),
        timelines=timelines(survey, results),
        most_videos=MOST_VIDEOS,
        split_names=split_names,
        split_rows=_split_rows(survey, split_names),
        split_notes=split_notes,
        instructions=instructions or {},
        tasks=sorted({task for counts in (instructions or {}).values() for task in counts}),
        exports=exports,
        export_of={video: one["name"] for one in exports for video in one["videos"]},
        groups=groups,
        limits=held,
        Severity=Severity,
        Status=Status,
    )


@functools.cache  # a page compiles its templates for longer than it fills them
def page_environment(*templates: jinja2.BaseLoader) -> jinja2.Environment:
    """Return the environment of our pages: everything that is put into a page is escaped.

    Args:
        templates: Where further templates are; the pages' frame and style are there always.
    """
    # Imported here so that the rules start without it.
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("sam2vlm.validation.html_report"), *templates]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["grouped"] = lambda number: f"{number:,}"
    environment.filters["one_line"] = lambda text: " ".join(str(text).split())
    # Blanks at a label's ends are a fault that has to be seen.
    environment.filters["shown"] = lambda label: label if label == label.strip() else f'"{label}"'
    # A long identifier may be broken behind its underscores; the parts are escaped first.
    environment.filters["breakable"] = lambda name: Markup("_<wbr>").join(name.split("_"))
    return environment


def render_page(environment: jinja2.Environment, name: str, **values: Any) -> str:
    """Return a page as text that UTF-8 can hold, whatever a file's labels are made of."""
    return environment.get_template(name).render(**values).encode("utf-8", "backslashreplace").decode()


def _split_names(splits: Mapping[FrameKey, str], survey: Survey) -> list[str]:
    """Return the splits in the order in which they were given, and last the frames that are in none."""
    named = dict.fromkeys(splits.values())
    seen = (name for video in survey.videos.values() for name in video.split_names)
    return sorted(dict.fromkeys([*named, *seen]), key=lambda name: name == NO_SPLIT)


def _split_rows(survey: Survey, names: Sequence[str]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {name: {"name": name, "frames": 0, "objects": 0, "empty": 0} for name in names}
    for video in survey.videos.values():
        for code, count in zip(video.splits, video.counts, strict=False):
            row = rows[video.split_names[code]]
            row["frames"] += 1
            row["objects"] += count
            row["empty"] += not count
    return list(rows.values())
