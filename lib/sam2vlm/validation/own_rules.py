"""Rules that a user brings along: found by their names, run so that their faults are told in one sentence."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from sam2vlm.errors import Sam2vlmError, SettingsError
from sam2vlm.validation.results import RuleResult, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sam2vlm.validation.validator import Rule

__all__ = ["RULE_NAME", "load_rule", "with_severity"]

#: Module and rule, as ``package.module:rule``.
RULE_NAME = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<rule>[A-Za-z_]\w*)", re.ASCII)


def load_rule(name: str) -> Rule:
    """Return a rule by its name.

    Args:
        name: ``module:rule``; the module must be importable, for example from a folder in PYTHONPATH. The rule is a
            function, an object with a ``check`` method, or a class of such objects that is made without arguments.

    Returns:
        A rule that raises :class:`SettingsError` where the user's own raises anything but an error of this package,
        or returns no :class:`RuleResult`.

    Raises:
        SettingsError: There is no such module or rule, or it cannot be called.
    """
    match = RULE_NAME.fullmatch(name)
    if match is None:
        raise SettingsError("is no name of a rule", expected="module:rule", found=name)
    try:
        module = importlib.import_module(match["module"])
    except Exception as error:  # noqa: BLE001  a module of the user's may raise whatever it likes
        raise SettingsError(
            f"the module of the rule {name} cannot be imported", expected="a module in PYTHONPATH", found=_told(error)
        ) from None
    if not hasattr(module, match["rule"]):
        raise SettingsError(f"the module {match['module']} has no such rule", found=match["rule"])
    return _guarded(_callable(getattr(module, match["rule"]), name), name)


def with_severity(rule: Rule, severity: Severity) -> Rule:
    """Return a rule all of whose findings have one severity."""

    def changed(dataset: Mapping[str, Any]) -> RuleResult:
        result = rule(dataset)
        findings = tuple(replace(finding, severity=severity) for finding in result.findings)
        return replace(result, severity=severity, findings=findings)

    return changed


def _callable(found: Any, name: str) -> Rule:
    if isinstance(found, type):
        try:
            found = found()
        except Exception as error:  # noqa: BLE001  as above
            raise SettingsError(f"the rule {name} cannot be made without arguments", found=_told(error)) from None
    rule = getattr(found, "check", found)
    if not callable(rule):
        raise SettingsError(
            f"the rule {name} cannot be called", expected="a function or a check method", found=type(found).__name__
        )
    return rule  # type: ignore[no-any-return]  # what it returns is looked at when it runs


def _guarded(rule: Rule, name: str) -> Rule:
    @wraps(rule)
    def guarded(dataset: Mapping[str, Any]) -> RuleResult:
        try:
            result: Any = rule(dataset)
        except Sam2vlmError:
            raise
        except Exception as error:  # noqa: BLE001  as above
            raise SettingsError(f"the rule {name} failed", found=_told(error)) from None
        if not isinstance(result, RuleResult):
            raise SettingsError(
                f"the rule {name} returns something else", expected="a RuleResult", found=type(result).__name__
            )
        return result

    return guarded


def _told(error: Exception) -> str:
    """Return an error with the place in the user's own file where it came from."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "importlib" not in file:
            place = f", line {trace.tb_lineno} of {file.rpartition('/')[2]}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{place}"
