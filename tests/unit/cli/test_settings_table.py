"""The settings table: complete, with units, and the same in docs/settings.md."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from jobs.catalog import PHASE_SETTINGS
from jobs.job_settings import JobSettings, load_settings
from sam2vlm.cli.settings import settings_markdown
from sam2vlm.cli.settings_table import EVERY_PHASE, all_settings
from sam2vlm.config import ConfigPresets

DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    colour: Colour = Field(default=Colour.RED, description="Which.")
    share: float = Field(default=0.5, gt=0, le=1, description="How much.", json_schema_extra={"unit": "share"})


class Probe(JobSettings):
    inner: Inner = Inner()
    count: int | None = Field(default=None, ge=1, le=5000, description="How many.", json_schema_extra={"unset": "all"})
    where: Path | None = Field(default=None, description="Where.")
    on: bool = Field(default=True, description="Whether.")
    kinds: tuple[Literal["a", "b"], ...] = Field(default=("a",), description="Kinds.")
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default={"a": 1.0}, description="Weights.")


def test_every_kind_of_field_in_words():
    rows = {row.name: row for row in all_settings({"probe": Probe}, JobSettings)}
    assert rows["seed"].phase == EVERY_PHASE
    words = {name: (row.type, row.unit, row.default) for name, row in rows.items() if row.phase == "probe"}
    assert words == {
        "inner.colour": ("one of red, blue", "", "red"),
        "inner.share": ("number, more than 0, at most 1", "share", "0.5"),
        "count": ("integer, 1 to 5,000", "", "all"),
        "where": ("path", "", "not set"),
        "on": ("yes or no", "", "yes"),
        "kinds": ("JSON list of one of a, b", "", '["a"]'),
        "weights": ("JSON object of number", "", '{"a": 1.0}'),
    }
    assert rows["inner.share"].variable == "SAM2VLM_INNER__SHARE"


@pytest.fixture(scope="module")
def rows():
    return all_settings(PHASE_SETTINGS, JobSettings)


def test_every_setting_says_what_it_means_and_every_number_its_unit(rows):
    assert [row.variable for row in rows if not row.meaning.strip()] == []
    numbers = [row for row in rows if row.type.startswith(("integer", "number"))]
    assert len(numbers) > 40
    assert [row.variable for row in numbers if not row.unit] == []


def test_every_variable_of_the_table_is_one_that_its_phase_reads(rows, monkeypatch):
    # Each is given a value that is wrong for it: read, it is refused by its own name; not read, nothing would happen.
    checked = 0
    for row in rows:
        if row.type.startswith(("integer", "number")):
            with monkeypatch.context() as only:
                only.setenv(row.variable, "wrong")
                model = PHASE_SETTINGS.get(row.phase, PHASE_SETTINGS["prepare"])
                with pytest.raises(Exception, match=f"^{row.variable}: "):
                    load_settings(model, known=frozenset(model.model_fields))
                checked += 1
    assert checked > 40


def test_the_table_has_every_field_of_every_model(rows):
    def count(model):
        kinds = [info.annotation for info in model.model_fields.values()]
        groups = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        return len(kinds) - len(groups) + sum(map(count, groups))

    common = len(JobSettings.model_fields)
    expected = common + sum(count(model) - common for model in PHASE_SETTINGS.values())
    assert len(rows) == expected


def test_the_document_is_what_the_models_say():
    assert DOCUMENT.read_text(encoding="utf-8") == settings_markdown(), (
        "run `sam2vlm settings --markdown > docs/settings.md`"
    )


def test_the_presets_table_shows_every_value_of_a_preset():
    from sam2vlm.cli.presets import SHOWN

    def leaves(values, above=""):
        for name, value in values.items():
            if isinstance(value, dict):
                yield from leaves(value, f"{above}{name}.")
            else:
                yield f"{above}{name}"

    in_presets = {path for name in ConfigPresets.names() for path in leaves(ConfigPresets.values(name))}
    assert in_presets <= set(SHOWN)


def test_json_rows_are_plain(rows):
    first = json.loads(json.dumps([row.as_json() for row in rows]))[0]
    assert list(first) == ["phase", "name", "variable", "type", "unit", "default", "meaning"]
