"""What a rule found and what it means for the dataset."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sam2vlm.annotations.types import Frame, ObjectAnnotation

__all__ = ["Finding", "RuleResult", "Severity", "Status", "ValidationResults"]


class Severity(StrEnum):
    """How bad a finding is: an error fails the dataset, a warning is for a person to look at."""

    ERROR = "error"
    WARNING = "warning"


class Status(StrEnum):
    """The end of a rule, and of the whole validation."""

    PASSED = "PASSED"
    PASSED_WITH_WARNINGS = "PASSED_WITH_WARNINGS"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule found.

    Attributes:
        message: What is wrong, as a clause ("the box ends 12.0 px right of the frame").
        severity: Whether it fails the dataset.
        video_id: Whose video it concerns; None where it is about the whole dataset.
        frame_index: The frame it concerns.
        object_id: The object it concerns.
        label: That object's label.
        compared_with: Video id and frame index of the frame that it was compared with, for a picture beside its own.
    """

    message: str
    severity: Severity
    video_id: str | None = None
    frame_index: int | None = None
    object_id: int | None = None
    label: str | None = None
    compared_with: tuple[str, int] | None = None

    @classmethod
    def of_frame(cls, frame: Frame, message: str, severity: Severity) -> Finding:
        """Return a finding about a whole frame."""
        return cls(message, severity, video_id=frame.video_id, frame_index=frame.frame_index)

    @classmethod
    def of_object(cls, frame: Frame, item: ObjectAnnotation, message: str, severity: Severity) -> Finding:
        """Return a finding about one object in one frame."""
        return cls(message, severity, frame.video_id, frame.frame_index, item.object_id, item.label)

    @property
    def place(self) -> str:
        """Where it is, for a person: ``frame 12, object 3 (crab)``; empty for the whole dataset."""
        parts = []
        if self.frame_index is not None:
            parts.append(f"frame {self.frame_index}")
        if self.object_id is not None:
            parts.append(f"object {self.object_id}" + (f" ({self.label})" if self.label else ""))
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, without the fields that do not apply."""
        values = {
            "message": self.message,
            "severity": self.severity.value,
            "video_id": self.video_id,
            "frame_index": self.frame_index,
            "object_id": self.object_id,
            "label": self.label,
            "compared_with": None if self.compared_with is None else list(self.compared_with),
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule has to say.

    Attributes:
        rule_id: The rule's name, unique within a validation.
        severity: The worst that a finding of this rule can be.
        checked: How many things it looked at.
        unit: What those things are, in the plural ("frames").
        findings: Everything it found, in the dataset's order.
        summary: One sentence with the figures, also where nothing is wrong.
        recommendation: What a person does about it; shown only where something was found.
        facts: Figures for programs, as JSON values.
    """

    rule_id: str
    severity: Severity
    checked: int
    unit: str
    findings: tuple[Finding, ...]
    summary: str
    recommendation: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """FAILED with any error, PASSED_WITH_WARNINGS with any warning, else PASSED."""
        return _status(finding.severity for finding in self.findings)

    def count(self, severity: Severity) -> int:
        """Return how many findings of a severity there are."""
        return sum(finding.severity is severity for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, with every finding."""
        return {
            "rule": self.rule_id,
            "severity": self.severity.value,
            "status": self.status.value,
            "checked": self.checked,
            "unit": self.unit,
            "errors": self.count(Severity.ERROR),
            "warnings": self.count(Severity.WARNING),
            "summary": self.summary,
            "recommendation": self.recommendation,
            "facts": dict(self.facts),
            "items": [finding.to_dict() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class ValidationResults:
    """What all rules have to say about one dataset.

    Attributes:
        rules: One result a rule, in the order in which the rules were added.
        frames: Frames looked at.
        objects: Objects written in them, visible or not.
        visible_objects: Objects with a mask.
        dialect: How the masks were read.
        evidence: Why so.
        notes: What the reader mended or noticed.
    """

    rules: tuple[RuleResult, ...]
    frames: int
    objects: int
    visible_objects: int
    dialect: str | None = None
    evidence: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """The worst of the rules' statuses."""
        return _status(finding.severity for rule in self.rules for finding in rule.findings)

    @property
    def is_valid(self) -> bool:
        """Whether no rule failed."""
        return self.status is not Status.FAILED

    def rule(self, rule_id: str) -> RuleResult:
        """Return one rule's result.

        Raises:
            KeyError: No rule of that name was run.
        """
        for result in self.rules:
            if result.rule_id == rule_id:
                return result
        raise KeyError(rule_id)

    def with_rule(self, result: RuleResult) -> ValidationResults:
        """Return these results and one more.

        Raises:
            ValueError: There is a result of that name.
        """
        if any(rule.rule_id == result.rule_id for rule in self.rules):
            raise ValueError(f"two rules have one name: {result.rule_id}")
        return replace(self, rules=(*self.rules, result))

    def with_status(self, status: Status) -> tuple[RuleResult, ...]:
        """Return the rules that ended with a status."""
        return tuple(result for result in self.rules if result.status is status)

    def count(self, severity: Severity) -> int:
        """Return how many findings of a severity all rules have together."""
        return sum(result.count(severity) for result in self.rules)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values, for programs; the Markdown report shows ten findings a rule."""
        return {
            "status": self.status.value,
            "frames": self.frames,
            "objects": self.objects,
            "visible_objects": self.visible_objects,
            "errors": self.count(Severity.ERROR),
            "warnings": self.count(Severity.WARNING),
            "dialect": self.dialect,
            "evidence": self.evidence,
            "notes": list(self.notes),
            "rules": [result.to_dict() for result in self.rules],
        }


def _status(severities: Iterable[Severity]) -> Status:
    seen = set(severities)
    if Severity.ERROR in seen:
        return Status.FAILED
    return Status.PASSED_WITH_WARNINGS if Severity.WARNING in seen else Status.PASSED
