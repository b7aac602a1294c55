"""The validation as a Markdown report and an HTML page for people, and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import write_json, write_text
from sam2vlm.artifacts.markdown import escaped, table
from sam2vlm.validation.results import Finding, RuleResult, Severity, Status, ValidationResults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sam2vlm.annotations.types import Frame

__all__ = ["ReportGenerator"]

SHOWN_ITEMS = 10
BAR_CELLS = 24
MEANING = {
    Status.PASSED: "every rule passed.",
    Status.PASSED_WITH_WARNINGS: "usable; read the warnings first.",
    Status.FAILED: "not to be trained on as it is; the errors say why.",
}


class ReportGenerator:
    """Writes what the rules found. All methods work on the class and on an instance."""

    @staticmethod
    def generate_report(results: ValidationResults, *, dataset_name: str = "dataset") -> str:
        """Return the Markdown report: the same results give the same bytes.

        Args:
            results: From :meth:`Validator.validate`.
            dataset_name: For the title.
        """
        return "\n".join(_lines(results, dataset_name)).rstrip("\n") + "\n"

    @staticmethod
    def generate_html(
        results: ValidationResults, frames: Iterable[Frame], *, dataset_name: str = "dataset", **options: Any
    ) -> str:
        """Return the report as one HTML page with charts and pictures, which opens from a file.

        Args:
            results: From :meth:`Validator.validate`.
            frames: Those that were validated; gone through once, their pictures are read for the findings alone.
            dataset_name: For the title.
            options: Of :func:`sam2vlm.validation.html_report.render_report`: splits, instructions, how many pictures.
        """
        # Imported here: it draws, and Pillow's drawing is of no use to the rules.
        from sam2vlm.validation.html_report import render_report

        return render_report(results, frames, dataset_name=dataset_name, meaning=MEANING[results.status], **options)

    @staticmethod
    def save_report(report: str | ValidationResults, path: str | Path) -> None:
        """Write a report atomically.

        Args:
            report: The Markdown or HTML text, or the results themselves for the JSON form with every item.
            path: Where to; the folder is made where missing.

        Raises:
            OSError: It cannot be written there; nothing partial is left.
        """
        from pathlib import Path

        if isinstance(report, ValidationResults):
            write_json(Path(path), report.to_dict())
        else:
            write_text(Path(path), report)


def _lines(results: ValidationResults, dataset_name: str) -> Iterator[str]:
    yield from (f"# Data report: {escaped(dataset_name)}", "")
    yield from (f"**{results.status.value}**: {MEANING[results.status]}", "")
    yield from _summary(results)
    yield from _passed(results)
    yield from _section("Warnings", results, Severity.WARNING)
    yield from _section("Errors", results, Severity.ERROR)
    yield from _recommendations(results)
    yield from _distribution(results)


def _summary(results: ValidationResults) -> Iterator[str]:
    yield from ("## Summary", "")
    facts = {
        "Frames": results.frames,
        "Objects": f"{results.objects}, {results.visible_objects} of them visible",
        "Errors": results.count(Severity.ERROR),
        "Warnings": results.count(Severity.WARNING),
        "Dialect": f"`{results.dialect}`" if results.dialect else "not told",
        "Evidence": escaped(results.evidence or "not told"),
    }
    yield from (f"- {name}: {value}" for name, value in facts.items())
    yield ""
    rows = [
        (result.rule_id, result.status.value, result.count(Severity.ERROR), result.count(Severity.WARNING))
        for result in results.rules
    ]
    yield table(("Rule", "Status", "Errors", "Warnings"), rows)
    yield ""
    if results.notes:
        yield from ("What the reader noticed:", "")
        yield from (f"- {escaped(note)}" for note in results.notes)
        yield ""


def _passed(results: ValidationResults) -> Iterator[str]:
    yield from ("## Passed Checks", "")
    passed = results.with_status(Status.PASSED)
    yield from (f"- `{result.rule_id}`: {result.summary}." for result in passed)
    if not passed:
        yield "None."
    yield ""


def _section(title: str, results: ValidationResults, severity: Severity) -> Iterator[str]:
    yield from (f"## {title}", "")
    concerned = [result for result in results.rules if result.count(severity)]
    if not concerned:
        yield from ("None.", "")
    for result in concerned:
        items = [finding for finding in result.findings if finding.severity is severity]
        yield from (f"### {result.rule_id}: {len(items)}", "", _sentence(result.summary), "")
        yield from (f"- {_item(finding)}" for finding in items[:SHOWN_ITEMS])
        if len(items) > SHOWN_ITEMS:
            yield f"- ... and {len(items) - SHOWN_ITEMS} more; report.json has them all."
        yield ""


def _recommendations(results: ValidationResults) -> Iterator[str]:
    yield from ("## Recommendations", "")
    concerned = [result for result in results.rules if result.findings]
    yield from (f"{number}. `{result.rule_id}`: {result.recommendation}" for number, result in enumerate(concerned, 1))
    if not concerned:
        yield "None: nothing was found."
    yield ""


def _distribution(results: ValidationResults) -> Iterator[str]:
    yield from ("## Class Distribution", "")
    rows = _label_rows(results.rules)
    if rows:
        yield table(("Label", "Objects", "Share", "Frames", "Tracks", ""), rows)
    else:
        yield "No labels."


def _label_rows(rules: Sequence[RuleResult]) -> list[tuple[Any, ...]]:
    labels: Mapping[str, Mapping[str, int]] = next(
        (result.facts["labels"] for result in rules if "labels" in result.facts), {}
    )
    total = sum(row["objects"] for row in labels.values())
    most = max((row["objects"] for row in labels.values()), default=1)
    return [
        (
            escaped(label if label == label.strip() else f'"{label}"'),
            row["objects"],
            f"{100 * row['objects'] / total:.1f} %",
            row["frames"],
            row["tracks"],
            "█" * max(1, round(BAR_CELLS * row["objects"] / most)),
        )
        for label, row in labels.items()
    ]


def _item(finding: Finding) -> str:
    place = finding.place
    return escaped(f"{place}: {finding.message}" if place else finding.message)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
