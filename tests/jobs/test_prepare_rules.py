"""From the settings to the rules: thresholds arrive, rules can be switched off, and what is wrong ends with 78."""

import inspect
import json
from functools import partial
from pathlib import Path

import pytest

from jobs.catalog import known_names
from jobs.job_settings import load_settings
from jobs.prepare.checking import check_export, check_splits
from jobs.prepare.rules import chosen_rules, decodes_pictures
from jobs.prepare.settings import PrepareSettings
from jobs.prepare.validation_settings import ValidationSettings
from sam2vlm.annotations.types import Frame, ObjectAnnotation
from sam2vlm.errors import SettingsError
from sam2vlm.validation import AFTER_SPLIT, RULE_IDS, RULES, Finding, RuleResult, Severity, Status

BEFORE_SPLIT = [name for name in RULE_IDS if name != AFTER_SPLIT]
DOCUMENT = Path(__file__).parents[2] / "docs" / "rules.md"
# These are set through classes and lists with names of their own; test_prepare_settings.py compares them.
ELSEWHERE = {
    "missing_annotations_check": ["max_missing_percent"],
    "mask_integrity_check": ["max_area_difference_percent"],
    "bounding_box_check": ["warning_box_iou", "error_box_iou"],
    "class_balance_analysis": ["moderate_imbalance", "severe_imbalance"],
    "quality_metrics": ["min_object_area_percent", "max_small_objects_percent", "min_objects_per_frame"],
    "leakage_check": ["max_distance"],
}


def dataset(label="crab"):
    frame = Frame("v", 0, 0.0, 40, 30, (ObjectAnnotation(1, label, None, None, 0.0),))
    return {"frames": [frame]}


def thresholds():
    """Each rule's settings."""
    found = dict(ELSEWHERE)
    for info, rule in zip(
        (r for r in RULES if r.rule_id != AFTER_SPLIT), chosen_rules(ValidationSettings()), strict=True
    ):
        found.setdefault(info.rule_id, sorted(rule.keywords) if isinstance(rule, partial) else [])
    return found


def test_all_rules_are_run_in_the_order_of_the_catalogue():
    results = check_export(dataset(), ValidationSettings())
    assert [result.rule_id for result in results.rules] == BEFORE_SPLIT
    assert {result.rule_id: result.severity for result in results.rules} == {
        info.rule_id: info.severity for info in RULES if info.rule_id != AFTER_SPLIT
    }


def test_every_threshold_of_a_rule_is_a_setting_with_the_librarys_default():
    settings = ValidationSettings()
    for rule in chosen_rules(settings):
        if not isinstance(rule, partial) or rule.func.__name__ in ELSEWHERE:
            continue
        told = inspect.signature(rule.func).parameters
        assert set(rule.keywords) == set(told) - {"dataset"}, rule.func
        for name, value in rule.keywords.items():
            assert value == told[name].default == getattr(settings, name), name


def test_every_setting_belongs_to_a_rule():
    used = {name for names in thresholds().values() for name in names}
    assert used == set(ValidationSettings.model_fields) - {"level", "rules", "severities"}


def test_the_document_has_a_row_for_each_rule_with_its_settings_and_their_defaults():
    rows = [line.split("|")[1:-1] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    told = {row[0].strip().strip("`"): row for row in rows}
    assert list(told) == list(RULE_IDS)
    settings = ValidationSettings()
    for info in RULES:
        row = told[info.rule_id]
        assert row[1].strip() == info.severity.value, info.rule_id
        for name in thresholds()[info.rule_id]:
            value = getattr(settings, name)
            shown = f"`{name}`" if isinstance(value, str) else f"`{name}` {value:g}"
            assert shown in row[2], (info.rule_id, shown)
        assert all(cell.strip() for cell in row)


@pytest.mark.parametrize("name", RULE_IDS)
def test_each_rule_can_be_switched_off_alone(name):
    settings = ValidationSettings(severities={name: "off"})
    results = check_splits(check_export(dataset(), settings), dataset(), {}, settings)
    assert [result.rule_id for result in results.rules] == [rule for rule in RULE_IDS if rule != name]


def test_pictures_are_decoded_only_for_rules_that_need_them():
    assert decodes_pictures(ValidationSettings())
    off = {info.rule_id: "off" for info in RULES if info.decodes}
    assert not decodes_pictures(ValidationSettings(severities=off))


@pytest.mark.parametrize(("severity", "status"), [("warning", Status.PASSED_WITH_WARNINGS), ("error", Status.FAILED)])
def test_severities_are_lowered_and_raised(severity, status):
    # A label of nothing but digits is a warning of its own accord, no visible object an error.
    for name in ("missing_annotations_check", "class_balance_analysis"):
        results = check_export(dataset(), ValidationSettings(severities={name: severity}))
        assert results.rule(name).status is status
        assert {finding.severity.value for finding in results.rule(name).findings} == {severity}


def _refusal(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(f"SAM2VLM_VALIDATION__{name}", value)
    with pytest.raises(SettingsError) as error:
        load_settings(PrepareSettings, known=known_names())
    assert error.value.exit_code == 78
    return str(error.value)


def test_a_rule_that_there_is_not_is_refused_with_the_name_that_was_meant(monkeypatch):
    refusal = _refusal(monkeypatch, SEVERITIES='{"blurr_check": "off"}')
    assert refusal.startswith("SAM2VLM_VALIDATION__SEVERITIES: ")
    assert "there is no rule blurr_check; did you mean blur_check?" in refusal
    assert "Input should be 'off', 'warning' or 'error'" in _refusal(monkeypatch, SEVERITIES='{"blur_check": "loud"}')
    assert "is not JSON" in _refusal(monkeypatch, SEVERITIES="blur_check=off")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ('["my_rules"]', "my_rules is no name of a rule, as module:rule"),
        ('["my_rules:blur_check"]', "there is another rule called blur_check"),
        ('["one:same", "other:same"]', "there is another rule called same"),
        ('"my_rules:x"', "valid tuple"),
    ],
)
def test_rules_that_cannot_be_named_so_are_refused(monkeypatch, rules, words):
    assert words in _refusal(monkeypatch, RULES=rules)


def test_thresholds_that_cannot_be_are_refused(monkeypatch):
    assert "is no regular expression" in _refusal(monkeypatch, DEFAULT_NAMES="(")


@pytest.fixture
def my_rules(tmp_path, monkeypatch):
    (tmp_path / "my_rules_of_prepare.py").write_text(
        "from sam2vlm.validation import Finding, RuleResult, Severity\n"
        "def no_crabs(dataset):\n"
        "    found = [Finding.of_frame(f, 'has crabs', Severity.WARNING) for f in dataset['frames']]\n"
        "    return RuleResult('no_crabs', Severity.WARNING, 1, 'frames', tuple(found), 'crabs', 'Go away.')\n"
        "def masked(dataset):\n"
        "    return RuleResult('blur_check', Severity.WARNING, 1, 'frames', (), 'crabs', 'Go away.')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "my_rules_of_prepare"


def test_a_rule_of_ones_own_is_run_last_and_can_be_raised_and_switched_off(monkeypatch, my_rules):
    monkeypatch.setenv("SAM2VLM_VALIDATION__RULES", json.dumps([f"{my_rules}:no_crabs"]))
    settings = load_settings(PrepareSettings, known=known_names()).validation
    results = check_export(dataset(), settings)
    assert [result.rule_id for result in results.rules] == [*BEFORE_SPLIT, "no_crabs"]
    assert results.rule("no_crabs").findings[0].severity is Severity.WARNING
    monkeypatch.setenv("SAM2VLM_VALIDATION__SEVERITIES", '{"no_crabs": "error"}')
    settings = load_settings(PrepareSettings, known=known_names()).validation
    assert check_export(dataset(), settings).rule("no_crabs").status is Status.FAILED
    off = settings.model_copy(update={"severities": {"no_crabs": "off"}})
    assert [result.rule_id for result in check_export(dataset(), off).rules] == BEFORE_SPLIT


def test_a_rule_of_ones_own_that_cannot_be_had_or_hides_another_is_refused(my_rules):
    for rule, words in (("none", "has no such rule"), ("masked", "two rules have one name")):
        with pytest.raises(SettingsError, match=words) as error:
            check_export(dataset(), ValidationSettings(rules=(f"{my_rules}:{rule}",)))
        assert error.value.source.startswith("SAM2VLM_VALIDATION")


def test_a_result_is_added_once():
    results = check_export(dataset(), ValidationSettings())
    result = RuleResult("more", Severity.WARNING, 1, "things", (Finding("x", Severity.WARNING),), "s", "r")
    assert results.with_rule(result).rules[-1] is result
    with pytest.raises(ValueError, match="one name"):
        results.with_rule(result).with_rule(result)


def test_with_every_rule_off_the_setting_is_named_and_not_the_library():
    settings = ValidationSettings(severities=dict.fromkeys(BEFORE_SPLIT, "off"))
    with pytest.raises(SettingsError, match=r"SAM2VLM_VALIDATION__SEVERITIES: .*report-only; found 26 rules, all off"):
        chosen_rules(settings)
