"""What the report and the manifest say about the exports, one by one, and about what a new version changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.markdown import escaped, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.prepare.extending import Extension
    from sam2vlm.data_converter.export_set import ExportSet

__all__ = ["source_facts", "source_sections"]

_SHOWN = 10


def source_facts(exports: ExportSet, extension: Extension | None) -> dict[str, Any]:
    """Return the account of every export, those of the earlier version first, and the version."""
    earlier = extension.earlier.manifest.facts if extension else {}
    facts: dict[str, Any] = {
        "exports": [*earlier.get("exports", []), *(summary.to_dict() for summary in exports.exports)]
    }
    if extension is not None:
        facts["version"] = extension.facts()
    return facts


def source_sections(exports: ExportSet, extension: Extension | None) -> str:
    """Return the report's sections about several exports and about a new version; empty for one export alone."""
    lines: list[str] = []
    if len(exports.exports) > 1:
        lines += _exports(exports)
    if extension is not None:
        lines += _version(extension)
    return "\n".join(["", *lines]).rstrip("\n") + "\n" if lines else ""


def _exports(exports: ExportSet) -> Iterator[str]:
    yield from ("## Exports", "")
    rows = [
        (
            escaped(one.name),
            ", ".join(map(escaped, one.videos[:3])) + (" …" if len(one.videos) > 3 else ""),  # noqa: PLR2004  fits a line
            one.frames,
            one.negatives,
            one.objects,
            escaped(", ".join(f"{label or '(none)'} {count}" for label, count in one.labels.items())),
            escaped(one.left_out or "; ".join(f"{count} {reason}" for reason, count in one.dropped.items())),
        )
        for one in exports.exports
    ]
    yield table(("Export", "Videos", "Frames", "Without objects", "Objects", "Labels", "Left out"), rows)
    yield ""


def _version(extension: Extension) -> Iterator[str]:
    changes, facts = extension.version.changes, extension.facts()
    yield from ("## Changes", "")
    yield f"Version {facts['number']}; the earlier one is known by its manifest's digest {facts['extends']}."
    yield ""
    kinds = ", ".join(f"{what} of {count}" for what, count in facts["changed_in"].items())
    rows = [
        ("Came", facts["came"], ""),
        ("Changed", facts["changed"], kinds),
        ("Already there, by content", facts["already_there"], "left out of the new exports"),
        ("Kept as they were", facts["kept"], ""),
        ("Between two splits", facts["between_splits"], "new, but nearer than the gap to both; left out"),
    ]
    yield table(("", "Frames", ""), rows)
    yield ""
    for new, (old, what) in sorted(changes.changed.items())[:_SHOWN]:
        yield f"- {escaped(new)} replaces {escaped(old)}: {', '.join(what)}"
    if len(changes.changed) > _SHOWN:
        yield f"- and {len(changes.changed) - _SHOWN} more; changes.json has all"
    if changes.changed:
        yield ""
