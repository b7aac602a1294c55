"""Every knob of prepare is documented, bounded and of one spelling with the library that it turns."""

import inspect

import pytest
from pydantic import BaseModel, ValidationError

from jobs.prepare.phase import instruction_mix
from jobs.prepare.settings import (
    ArchiveSettings,
    InstructionSettings,
    OutputSettings,
    PrepareSettings,
    SourceSettings,
    SplitSettings,
    ValidationSettings,
    deciding_settings,
)
from jobs.prepare.splitting import frame_splitter
from sam2vlm.data_converter.archive import ArchiveLimits
from sam2vlm.data_converter.dialects import DIALECTS
from sam2vlm.data_converter.instructions import InstructionMix
from sam2vlm.data_splitter import SplitConfig, SplitStrategy
from sam2vlm.validation import BalanceAnalyzer, BasicChecks, QualityMetrics

GROUPS = (ArchiveSettings, SourceSettings, ValidationSettings, SplitSettings, InstructionSettings, OutputSettings)


def knobs():
    return [(group, name, field) for group in GROUPS for name, field in group.model_fields.items()]


@pytest.mark.parametrize(("group", "name", "field"), knobs(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_knob_has_a_meaning_and_every_number_a_unit_and_bounds(group, name, field):
    assert field.description
    assert field.description.endswith(".")
    if field.annotation in (int, float):
        shown = group.model_json_schema()["properties"][name]
        assert shown["unit"]
        assert {"minimum", "exclusiveMinimum"} & set(shown), shown
        assert {"maximum", "exclusiveMaximum"} & set(shown), shown


@pytest.mark.parametrize("group", [*GROUPS, PrepareSettings])
def test_groups_are_frozen_and_closed(group):
    assert issubclass(group, BaseModel)
    assert group.model_config["frozen"]
    assert group.model_config["extra"] == "forbid"
    with pytest.raises(ValidationError):
        group(unknown=1)


def test_the_dialects_are_the_readers():
    assert ArchiveSettings.model_json_schema()["properties"]["dialect"]["enum"] == list(DIALECTS)


def defaults(of):
    return {name: parameter.default for name, parameter in inspect.signature(of).parameters.items()}


def test_the_defaults_are_the_librarys_own():
    archive, checks, limits = ArchiveSettings(), ValidationSettings(), ArchiveLimits()
    assert (archive.max_entries, archive.max_unpacked_bytes, archive.max_ratio) == (
        limits.entries,
        limits.unpacked_bytes,
        limits.ratio,
    )
    basic = defaults(BasicChecks.get_all_checks)
    assert {name: getattr(checks, name) for name in basic} == basic
    quality = defaults(QualityMetrics)
    assert {name: getattr(checks, name) for name in quality} == quality
    balance = defaults(BalanceAnalyzer)
    assert balance == {
        "imbalance_threshold": checks.severe_imbalance,
        "moderate_threshold": checks.moderate_imbalance,
    }
    assert frame_splitter(SplitSettings(), 42).config == SplitConfig(strategy=SplitStrategy.AUTO)
    assert instruction_mix(InstructionSettings(), 42) == InstructionMix()


def test_what_decides_the_result_is_in_the_manifest_and_nothing_else():
    first, second = (PrepareSettings(run=run, export=f"{run}.zip", experiment=run, replace=True) for run in ("a", "b"))
    assert deciding_settings(first) == deciding_settings(second)
    assert deciding_settings(first) != deciding_settings(PrepareSettings(split={"gap_sec": 2}))
    # The report's page is an output like any other.
    assert deciding_settings(first) != deciding_settings(PrepareSettings(report={"pictures_per_rule": 0}))
    assert deciding_settings(first)["split"]["strategy"] == "auto"


def test_the_questions_are_mixed_as_the_library_mixes_them():
    # The settings cannot ask the library: it would load datasets before a wrong setting is told.
    from sam2vlm.data_converter.instructions import DEFAULT_WEIGHTS

    assert PrepareSettings().instructions.weights == DEFAULT_WEIGHTS


def test_the_families_of_the_messages_are_all_that_have_a_way_to_write_boxes():
    from sam2vlm.data_converter.instructions import CONVENTIONS

    schema = OutputSettings.model_json_schema()["properties"]["messages_family"]
    assert schema["enum"] == list(CONVENTIONS)


def test_the_dataset_itself_cannot_be_left_out():
    with pytest.raises(ValidationError, match="formats lacks dataset, which the later phases read"):
        OutputSettings(formats=("coco",))
    assert OutputSettings(formats=("dataset",)).formats == ("dataset",)
