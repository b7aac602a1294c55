"""The gallery: every finding by its rule; a bounded number of them as pictures, the others in words."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sam2vlm.logs import progress
from sam2vlm.validation.html_report.finding_picture import FindingPicture, draw_finding
from sam2vlm.validation.results import Finding, RuleResult, Severity, ValidationResults
from sam2vlm.workers import cores, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sam2vlm.annotations.types import Frame
    from sam2vlm.validation.html_report.survey import FrameKey

__all__ = ["Card", "Group", "PictureLimits", "gallery", "wanted_frames"]

#: Findings of a rule that are told in words beside the drawn ones; report.json has them all.
LISTED = 300
#: Frames looked up for a picture, because some turn out to be missing from the dataset or to show nothing.
CANDIDATES = 4
# Some 10 ms each.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """How many pictures the page holds.

    Attributes:
        per_rule: Findings drawn of each rule at most.
        width: Of a picture's longer side in pixels.
        bytes: Of all pictures together as JPEG files; in the page they take a third more.
    """

    per_rule: int = 6
    width: int = 480
    bytes: int = 6_000_000


@dataclass(frozen=True, slots=True)
class Card:
    """One finding.

    Attributes:
        number: Its place among the rule's findings, from 1.
        finding: It itself.
        pictures: Where it is drawn, the frame that it was compared with, if any, and its own; each with its source
            as a ``data:`` URL and what it is called.
    """

    number: int
    finding: Finding
    pictures: tuple[tuple[FindingPicture, str, str], ...] = ()

    @property
    def notes(self) -> list[str]:
        """What could not be drawn; of two pictures only what is not true of both is told with its frame."""
        told = [set(picture.notes) for picture, _source, _title in self.pictures]
        shared = set[str]().union(*told).intersection(*told)
        return list(
            dict.fromkeys(
                note if note in shared else f"{title}: {note}"
                for picture, _source, title in self.pictures
                for note in picture.notes
            )
        )


@dataclass(frozen=True, slots=True)
class Group:
    """What one rule found.

    Attributes:
        result: The rule's.
        general: Findings about no frame in particular.
        drawn: With a picture, in the dataset's order.
        listed: In words only.
        unlisted: How many more there are.
    """

    result: RuleResult
    general: tuple[Card, ...]
    drawn: tuple[Card, ...]
    listed: tuple[Card, ...]
    unlisted: int

    @property
    def paired(self) -> bool:
        """Whether any is drawn with the frame that it was compared with."""
        return any(len(card.pictures) > 1 for card in self.drawn)

    @property
    def undrawn(self) -> int:
        """How many findings about a frame have no picture."""
        return len(self.listed) + self.unlisted


def wanted_frames(results: ValidationResults, limits: PictureLimits) -> set[FrameKey]:
    """Return the frames that :func:`gallery` will want to see."""
    return {
        key
        for rule in results.rules
        for place in _chosen(rule, _with_frame(rule), CANDIDATES * limits.per_rule)
        for key in (_key(rule.findings[place]), rule.findings[place].compared_with)
        if key is not None
    }


def gallery(results: ValidationResults, frames: Mapping[FrameKey, Frame], limits: PictureLimits) -> list[Group]:
    """Draw findings of all rules.

    Of each rule errors come before warnings, spread evenly over the dataset. Rules take turns, so that where the
    pictures' bytes run out none has lost all of its pictures to another.

    Args:
        results: Of the rules.
        frames: Those of :func:`wanted_frames`; one that is missing is not in the dataset.
        limits: How many pictures.

    Returns:
        A group for each rule that found something, in their order.
    """
    wanted = {rule.rule_id: found for rule in results.rules if (found := _drawable(rule, frames, limits))}
    drawn = _drawn(results, wanted, limits) if wanted else {}
    return [_group(rule, drawn) for rule in results.rules if rule.findings]


def _drawn(
    results: ValidationResults, wanted: Mapping[str, Sequence[tuple[int, list[Frame]]]], limits: PictureLimits
) -> dict[tuple[str, int], Sequence[FindingPicture]]:
    drawn: dict[tuple[str, int], Sequence[FindingPicture]] = {}
    left = limits.bytes
    items = list(_in_turns([rule for rule in results.rules if rule.rule_id in wanted], wanted))
    with progress(len(items), "drawing the report's findings", "findings") as advance:
        pictures = spread(partial(_pictures, width=limits.width), items, workers=cores(), at_once=_AT_ONCE)
        for (rule, place, _pair), found in zip(items, pictures, strict=True):
            advance(1)
            size = sum(len(picture.jpeg) for picture in found)
            if size <= left:
                drawn[rule.rule_id, place] = found
                left -= size
    return drawn


def _in_turns(
    rules: Sequence[RuleResult], wanted: Mapping[str, Sequence[tuple[int, list[Frame]]]]
) -> Iterator[tuple[RuleResult, int, list[Frame]]]:
    """Yield the first finding of each rule, then the second ones, each with its place and its frames."""
    for turn in range(max(map(len, wanted.values()))):
        for rule in rules:
            if turn < len(wanted[rule.rule_id]):
                yield rule, *wanted[rule.rule_id][turn]


def _pictures(item: tuple[RuleResult, int, list[Frame]], *, width: int) -> list[FindingPicture]:
    rule, place, pair = item
    return [draw_finding(frame, rule.findings[place], width=width) for frame in pair]


def _drawable(
    rule: RuleResult, frames: Mapping[FrameKey, Frame], limits: PictureLimits
) -> list[tuple[int, list[Frame]]]:
    """Return the findings to draw with their frames, in the order in which they are drawn."""
    looked_at = _chosen(rule, _with_frame(rule), CANDIDATES * limits.per_rule)
    there = {place: pair for place in looked_at if (pair := _frames_to_show(rule.findings[place], frames))}
    return [(place, there[place]) for place in _chosen(rule, sorted(there), limits.per_rule)]


def _frames_to_show(finding: Finding, frames: Mapping[FrameKey, Frame]) -> list[Frame]:
    """Return a finding's frame and the one that it was compared with; nothing where its own has nothing to show."""
    found = [frames.get(key) for key in (_key(finding), finding.compared_with) if key is not None]
    shown = [frame for frame in found if frame is not None]
    own = found[0]
    return shown if own is not None and (own.read_image is not None or own.visible_objects) else []


def _with_frame(rule: RuleResult) -> list[int]:
    return [place for place, finding in enumerate(rule.findings) if _key(finding) is not None]


def _chosen(rule: RuleResult, places: Sequence[int], number: int) -> list[int]:
    chosen: list[int] = []
    for severity in (Severity.ERROR, Severity.WARNING):
        those = [place for place in places if rule.findings[place].severity is severity]
        count = min(number - len(chosen), len(those))
        chosen += [those[step * len(those) // count] for step in range(count)]
    return chosen


def _key(finding: Finding) -> FrameKey | None:
    if finding.video_id is None or finding.frame_index is None:
        return None
    return finding.video_id, finding.frame_index


def _group(rule: RuleResult, drawn: Mapping[tuple[str, int], Sequence[FindingPicture]]) -> Group:
    general: list[Card] = []
    shown: list[Card] = []
    others: list[Card] = []
    unlisted = 0
    for place, finding in enumerate(rule.findings):
        pictures = drawn.get((rule.rule_id, place))
        if pictures:
            shown.append(Card(place + 1, finding, tuple(_titled(finding, pictures))))
        elif len(general) + len(others) >= LISTED:
            unlisted += 1
        elif _key(finding) is None:
            general.append(Card(place + 1, finding))
        else:
            others.append(Card(place + 1, finding))
    return Group(rule, tuple(general), tuple(shown), tuple(others), unlisted)


def _titled(finding: Finding, pictures: Sequence[FindingPicture]) -> Iterator[tuple[FindingPicture, str, str]]:
    """Yield the pictures with their titles, the finding's own last: what it is compared with came before it."""
    titles = [f"Frame {finding.frame_index}"]
    if finding.compared_with is not None:
        video_id, index = finding.compared_with
        elsewhere = "" if video_id == finding.video_id else f" of video {video_id}"
        titles.append(f"Frame {index}{elsewhere}, for comparison")
    titled = [(picture, _data_url(picture), title) for picture, title in zip(pictures, titles, strict=False)]
    yield from sorted(titled, key=lambda entry: entry[2] == titles[0])


def _data_url(picture: FindingPicture) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"
