"""Runs rules over a dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from sam2vlm.validation.dataset import CheckedDataset
from sam2vlm.validation.results import RuleResult, ValidationResults

__all__ = ["Rule", "RuleObject", "Validator"]

Rule: TypeAlias = Callable[[Mapping[str, Any]], RuleResult]


@runtime_checkable
class RuleObject(Protocol):
    """A rule as an object, for one that has thresholds of its own."""

    def check(self, dataset: Mapping[str, Any]) -> RuleResult:
        """Look at ``{"frames": ..., "metadata": ...}`` and say what is wrong."""
        ...


class Validator:
    """A list of rules that is run over a dataset.

    A rule takes the mapping ``{"frames": tuple of Frame, "metadata": VideoMetadata or None}`` and returns a
    :class:`~sam2vlm.validation.results.RuleResult`. Rules never change what they look at and see the frames in
    the order in which they were given.

    Example:
        >>> validator = Validator().add_rule(BasicChecks.get_all_checks()).add_rule(QualityMetrics())
        >>> validator.validate({"frames": parser.get_frames(), "metadata": parser.metadata}).status
    """

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add_rule(self, rule: Rule | RuleObject | list[Rule] | tuple[Rule | RuleObject, ...]) -> Validator:
        """Add a rule, or several.

        Args:
            rule: A callable, an object with a ``check`` method, or a list or tuple of such.

        Returns:
            The validator, for a chain.

        Raises:
            TypeError: It is none of these.
        """
        if isinstance(rule, RuleObject):
            self._rules.append(rule.check)
        elif callable(rule):
            self._rules.append(rule)
        elif isinstance(rule, list | tuple):
            for single in rule:
                self.add_rule(single)
        else:
            raise TypeError(f"a rule is a callable or has a check method; {type(rule).__name__} is neither")
        return self

    def validate(self, dataset: Mapping[str, Any]) -> ValidationResults:
        """Run every rule, in the order in which they were added.

        Args:
            dataset: ``{"frames": frames, "metadata": metadata}``: frames as the parser gives them or as plain
                dictionaries of the export's form, metadata as :class:`~sam2vlm.annotations.VideoMetadata`, as a
                dictionary or missing.

        Raises:
            DataError: A plain dictionary that cannot be understood as a frame.
            ValueError: No rule was added, or two rules have one name, so that a report could not tell them apart.
        """
        checked = CheckedDataset.of(dataset)
        given = checked.as_mapping()
        results = tuple(rule(given) for rule in self._rules)
        names = [result.rule_id for result in results]
        if not names:
            raise ValueError("no rule was added; add BasicChecks.get_all_checks() at least")
        if len(set(names)) != len(names):
            raise ValueError(f"two rules have one name: {', '.join(names)}")
        metadata = checked.metadata
        return ValidationResults(
            rules=results,
            frames=len(checked.frames),
            objects=len(checked.table.objects),
            visible_objects=len(checked.table.visible),
            dialect=metadata.dialect if metadata else None,
            evidence=metadata.evidence if metadata else None,
            notes=metadata.notes if metadata else (),
        )
