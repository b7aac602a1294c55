"""Rules over labels: one thing under two spellings, one object under two labels, and names that say nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2vlm.errors import SettingsError
from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import Finding, RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sam2vlm.validation.object_table import ObjectTable

__all__ = ["DEFAULT_NAMES", "default_label_check", "label_change_check", "label_spelling_check"]

#: What tools call an object that nobody has named; matched against the whole label, letter case aside.
DEFAULT_NAMES = r"(object|obj|item|instance|segment|track|mask|masklet|id)?[ _#-]*[0-9]+"


def label_spelling_check(dataset: Mapping[str, Any], *, min_edit_length: int = 4) -> RuleResult:
    """Look for labels that differ only by case, by space, or by one letter.

    One letter is one that is added, left out, replaced, or exchanged with its neighbour. Labels that differ in a digit
    or in which only a digit was added are numbered on purpose and are left alone.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        min_edit_length: Both labels must have at least this many letters before one of them counts as a slip: cat and
            car, cup and cap are different things.
    """
    table = CheckedDataset.of(dataset).table
    counts = {label: len(rows) for label, rows in table.by_label() if label.strip()}
    findings = [
        Finding(
            f"{_quoted(rare)} ({counts[rare]} objects) and {_quoted(common)} ({counts[common]}) differ only by {what}",
            Severity.WARNING,
            label=rare,
        )
        for common, rare, what in _alike(sorted(counts, key=lambda label: (-counts[label], label)), min_edit_length)
    ]
    return RuleResult(
        rule_id="label_spelling_check",
        severity=Severity.WARNING,
        checked=len(counts),
        unit="labels",
        findings=tuple(findings),
        summary=f"{len(findings)} of the pairs that {len(counts)} labels make are nearly the same",
        recommendation="Give each thing one label in the annotation tool, and export again.",
        facts={"pairs": len(findings)},
    )


def label_change_check(dataset: Mapping[str, Any]) -> RuleResult:
    """Look for objects that carry more than one label in the course of their video.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
    """
    table = CheckedDataset.of(dataset).table
    tracks = _labels_by_track(table)
    findings = [_other_name(table, label, rows) for rows in tracks.values() for label in rows if label != _main(rows)]
    changed = sum(len(rows) > 1 for rows in tracks.values())
    return RuleResult(
        rule_id="label_change_check",
        severity=Severity.WARNING,
        checked=len(tracks),
        unit="tracks",
        findings=tuple(findings),
        summary=f"{changed} of {len(tracks)} objects carry more than one label",
        recommendation="An object is one thing: give it one label, or give the other thing an id of its own.",
        facts={"changed": changed},
    )


def default_label_check(dataset: Mapping[str, Any], *, default_names: str = DEFAULT_NAMES) -> RuleResult:
    """Look for objects that still have the name that the tool gave them.

    Args:
        dataset: ``{"frames": ..., "metadata": ...}``.
        default_names: Regular expression for such a name as a whole, letter case aside.

    Raises:
        SettingsError: That is no regular expression.
    """
    table = CheckedDataset.of(dataset).table
    pattern = compiled_names(default_names)
    findings = [
        Finding(f"{_quoted(label)} names nothing; {len(rows)} objects carry it", Severity.WARNING, label=label)
        for label, rows in table.by_label()
        if pattern.fullmatch(label.strip())
    ]
    return RuleResult(
        rule_id="default_label_check",
        severity=Severity.WARNING,
        checked=len(table.labels),
        unit="labels",
        findings=tuple(findings),
        summary=f"{len(findings)} labels are a tool's default names",
        recommendation="Name these objects in the annotation tool: a model would learn to answer with that name.",
        facts={"default_names": len(findings)},
    )


def compiled_names(pattern: str) -> re.Pattern[str]:
    """Return the expression ready for use.

    Raises:
        SettingsError: It is none.
    """
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise SettingsError(
            "is no regular expression", field="default_names", expected="an expression of Python's re", found=error
        ) from None


def _main(rows: Mapping[str, Sequence[int]]) -> str:
    return max(rows, key=lambda label: len(rows[label]))


def _other_name(table: ObjectTable, label: str, rows: Mapping[str, Sequence[int]]) -> Finding:
    first, main = rows[label][0], _main(rows)
    message = (
        f"is called {_quoted(label)} in {len(rows[label])} frames from frame {table.index_of(first)} on, and "
        f"{_quoted(main)} in {len(rows[main])}"
    )
    return table.of_object(first, message, Severity.WARNING)


def _labels_by_track(table: ObjectTable) -> dict[tuple[int, int], dict[str, list[int]]]:
    """Return the rows of each label of each object of each video, all in the dataset's order."""
    rows = table.visible
    keys = np.column_stack(
        (table.frames["video"][table.objects["frame"][rows]], *(table.objects[key][rows] for key in _TRACK_KEY))
    )
    tracks: dict[tuple[int, int], dict[str, list[int]]] = {}
    for (video, object_id, label), row in zip(keys.tolist(), rows.tolist(), strict=True):
        tracks.setdefault((video, object_id), {}).setdefault(table.labels[label], []).append(row)
    return tracks


_TRACK_KEY = ("object_id", "label")


def _alike(labels: Sequence[str], min_length: int) -> Iterator[tuple[str, str, str]]:
    """Yield the pairs of labels that are nearly the same, the earlier one first, and by what they differ."""
    seen: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for label in labels:
        traces = _traces(label)
        for other in dict.fromkeys(other for trace in traces for other in seen[trace]):
            if (what := _difference(other, label, min_length)) is not None:
                yield other, label, what
        for trace in traces:
            seen[trace][label] = None


def _plain(label: str) -> str:
    return " ".join(label.split()).casefold()


def _traces(label: str) -> Sequence[str]:
    """Return a label without case and space, and every text that is one character shorter.

    Two labels that one edit leads from one to the other have one of these in common.
    """
    text = _plain(label).replace(" ", "")
    return tuple(dict.fromkeys([text, *(text[:place] + text[place + 1 :] for place in range(len(text)))]))


def _difference(one: str, other: str, min_length: int) -> str | None:
    if one.casefold() == other.casefold():
        return "case"
    if "".join(one.split()) == "".join(other.split()):
        return "space"
    first, second = _plain(one), _plain(other)
    if first.replace(" ", "") == second.replace(" ", ""):
        return "case and space"
    return "one letter" if min(len(first), len(second)) >= min_length and _one_edit(first, second) else None


def _one_edit(one: str, other: str) -> bool:
    """Tell whether one edit of a character that is no digit leads from one text to the other."""
    if len(one) > len(other):
        one, other = other, one
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[start:] == other[start + 1 :] and not other[start].isdigit()
    rest, rest_other = one[start:], other[start:]
    if any(part[:1].isdigit() for part in (rest, rest_other)):
        return False
    replaced = rest[1:] == rest_other[1:]
    exchanged = rest[:2] == rest_other[:2][::-1] and rest[2:] == rest_other[2:]
    return replaced or exchanged


def _quoted(label: str) -> str:
    return f'"{label}"'
