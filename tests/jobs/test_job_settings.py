"""Environment over file over defaults, and one sentence for everything that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from jobs.catalog import PHASE_SETTINGS, known_names
from jobs.evaluate.settings import EvaluateSettings
from jobs.export.settings import ExportSettings
from jobs.job_settings import JobSettings, load_settings
from jobs.prepare.settings import PrepareSettings
from jobs.train.settings import TrainSettings
from sam2vlm.errors import SettingsError


class Store(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    retries: int = Field(default=3, ge=0, le=9)
    hub_token: str = Field(default="", pattern=r"^hf_\w*$")
    names: tuple[str, ...] = ()


class Probe(JobSettings):
    store: Store = Store()
    threads: int = 1
    names: list[str] = Field(default=[])


KNOWN = frozenset({*Probe.model_fields, "lora"})


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    import os

    for name in list(os.environ):
        if name.upper().startswith("SAM2VLM_"):
            monkeypatch.delenv(name)


@pytest.fixture
def give(monkeypatch, tmp_path):
    def given(file=None, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"SAM2VLM_{name}", value)
        if file is not None:
            path = tmp_path / "settings.json"
            path.write_text(file if isinstance(file, str) else json.dumps(file))
            monkeypatch.setenv("SAM2VLM_SETTINGS_FILE", str(path))

    return given


def read(model=Probe, known=KNOWN):
    return load_settings(model, known=known)


def refusal(model=Probe, known=KNOWN):
    with pytest.raises(SettingsError) as caught:
        load_settings(model, known=known)
    assert caught.value.exit_code == 78
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_stand_where_nothing_is_said():
    settings = read()
    assert (settings.run, settings.preset, settings.seed) == (Path("runs/default"), "demo", 42)
    assert settings.store.retries == 3


def test_the_environment_goes_over_the_file_and_the_file_over_the_defaults(give):
    give({"seed": 1, "threads": 2, "store": {"retries": 4, "names": ["file"]}}, SEED="7", STORE__RETRIES="5")
    settings = read()
    assert settings.seed == 7
    assert settings.threads == 2
    assert settings.store == Store(retries=5, names=("file",))


def test_one_value_of_a_group_goes_over_the_groups_json(give):
    give(STORE='{"retries": 1, "names": ["json"]}', STORE__RETRIES="2")
    assert read().store == Store(retries=2, names=("json",))


def test_lists_are_json_and_empty_variables_are_unset(give):
    give(NAMES='["a", "b"]', SEED="")
    assert read().names == ["a", "b"]
    assert read().seed == 42


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        read().seed = 1


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"SED": "1"}, "SAM2VLM_SED: no phase has this setting; did you mean seed?"),
        ({"QQQQ": "1"}, "SAM2VLM_QQQQ: no phase has this setting; `sam2vlm settings` lists them"),
        ({"STORE__RETRY": "1"}, "SAM2VLM_STORE__RETRY: store.retry: this group has no such setting"),
        ({"SEED__X": "1"}, "SAM2VLM_SEED__X: is a single value, not a group of settings (expected SAM2VLM_SEED)"),
        ({"SEED": "-1"}, "SAM2VLM_SEED: seed: Input should be greater than or equal to 0 (found -1)"),
        ({"SEED": "many"}, "SAM2VLM_SEED: seed: Input should be a valid integer"),
        ({"STORE__RETRIES": "10"}, "SAM2VLM_STORE__RETRIES: store.retries: Input should be less than or equal to 9"),
        ({"STORE": '{"retries": 10}'}, "SAM2VLM_STORE: store.retries: Input should be less than or equal to 9"),
        ({"STORE": "5"}, "SAM2VLM_STORE: store: is a group of settings, not a single value"),
        ({"STORE": '{"retries": '}, "SAM2VLM_STORE: is not JSON"),
        ({"NAMES": "a,b"}, "SAM2VLM_NAMES: is not JSON (expected JSON for a list or a group of settings)"),
        ({"STORE__NAMES": "a,b"}, "SAM2VLM_STORE"),
        ({"REPLACE": "maybe"}, "SAM2VLM_REPLACE: replace: Input should be a valid boolean"),
        ({"EXPERIMENT": "a/b"}, "SAM2VLM_EXPERIMENT: experiment: String should match pattern"),
        ({"seed": "1"}, "SAM2VLM_seed: settings are written in capitals (expected SAM2VLM_SEED; found SAM2VLM_seed)"),
        ({"store__RETRIES": "1"}, "(expected SAM2VLM_STORE__RETRIES"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(give, variables, says):
    give(**variables)
    assert says in refusal()


def test_a_prefix_in_small_letters_is_no_way_around(monkeypatch):
    monkeypatch.setenv("sam2vlm_seed", "1")
    assert "expected SAM2VLM_SEED" in refusal()


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("{", "is not JSON"),
        ("[1]", "wrong shape (expected a JSON object; found list)"),
        ({"sed": 1}, "settings.json: sed: no phase has this setting; did you mean seed?"),
        ({"store": {"retry": 1}}, "settings.json: store.retry: this group has no such setting"),
        (
            {"store": {"retries": 99}},
            "settings.json: store.retries: Input should be less than or equal to 9 (found 99)",
        ),
        ({"store": 4}, "settings.json: store: is a group of settings"),
        ("\x00\x01", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"seed": 1, "seed": 2}', "settings.json: seed: stands there twice"),
        ('{"store": {"retries": 1, "retries": 2}}', "settings.json: retries: stands there twice"),
    ],
)
def test_a_wrong_file_is_told_by_its_name(give, file, says):
    give(file)
    assert says in refusal()


def test_a_name_with_a_dot_sets_nothing_and_so_is_refused(give):
    give({"lora.rank": 4})
    assert "settings.json: lora.rank: no phase has this setting" in refusal(TrainSettings, known_names())


def test_a_file_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("SAM2VLM_SETTINGS_FILE", str(tmp_path / "absent.json"))
    assert "absent.json: cannot be read" in refusal()


def test_other_phases_settings_are_no_mistake_in_the_file_nor_in_the_environment(give):
    give({"lora": {"rank": 8}, "seed": 3}, LORA__ALPHA="4")
    assert read().seed == 3


@pytest.mark.parametrize(
    ("variables", "file"),
    [
        ({"STORE__HUB_TOKEN": "hunter2"}, None),
        ({"STORE": '{"hub_token": "hunter2"}'}, None),
        ({"STORE": '"hunter2"'}, None),
        ({"STORE": '{"hub_token": "hunter2"'}, None),
        ({}, {"store": {"hub_token": "hunter2"}}),
        ({}, {"store": ["hunter2"]}),
        ({"STORE": '{"retries": {"hub_token": "hunter2"}}'}, None),
    ],
)
def test_a_secret_is_never_printed(give, variables, file):
    give(file, **variables)
    assert "hunter2" not in refusal()


@pytest.mark.parametrize("model", [PrepareSettings, TrainSettings, EvaluateSettings, ExportSettings])
def test_every_phase_reads_the_environment_of_a_whole_release(give, model):
    give(
        RUN="/volume/run",
        EXPORT="/volume/export.zip",
        PRESET="demo",
        EXPERIMENT="first",
        LORA__RANK="8",
        SPLIT__STRATEGY="temporal",
        EVALUATION__BATCH_SIZE="4",
        TERMINATION_LOG="/dev/termination-log",
    )
    settings = read(model, known_names())
    assert settings.run == Path("/volume/run")
    assert settings.experiment == "first"
    assert getattr(settings, "export", "/volume/export.zip") == "/volume/export.zip"


@pytest.mark.parametrize("model", [PrepareSettings, TrainSettings, EvaluateSettings, ExportSettings])
@pytest.mark.parametrize(
    ("variables", "file", "says"),
    [
        ({"LORA__RNK": "8"}, None, "SAM2VLM_LORA__RNK: this group has no such setting; did you mean rank?"),
        ({"SPLIT__STRATEGIES": "x"}, None, "SAM2VLM_SPLIT__STRATEGIES: this group has no such setting"),
        (
            {},
            {"packaging": {"licence": "mit"}},
            "packaging.licence: this group has no such setting; did you mean license?",
        ),
    ],
)
def test_a_typo_in_a_later_phases_group_is_told_by_the_first(give, model, variables, file, says):
    give(file, **variables)
    assert says in refusal(model, known_names())


def test_a_value_that_is_an_object_can_be_set_by_its_keys(give):
    give(INSTRUCTIONS__WEIGHTS__DETECT="2.5")
    assert read(PrepareSettings, known_names()).instructions.weights["detect"] == 2.5


def test_phases_that_share_a_name_agree_on_what_it_is():
    # One environment serves all of them, so a name with two meanings could not be set.
    seen = {}
    for model in PHASE_SETTINGS.values():
        for name, info in model.model_fields.items():
            kind, default = seen.setdefault(name, (info.annotation, info.default))
            assert (info.annotation, info.default) == (kind, default), name


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("REPORT_TO", ["mlflow", "wandb", "mlflow"], "names mlflow twice"),
        ("SAMPLES__TASKS", ["detect", "count", "detect"], "names detect twice"),
    ],
)
def test_what_stands_in_a_list_twice_is_refused(give, variable, value, told):
    """A service that was opened twice kept a run that never ended."""
    give(**{variable: json.dumps(value)})
    with pytest.raises(SettingsError, match=f"^SAM2VLM_{variable}: .*{told}"):
        read(TrainSettings, known_names())
