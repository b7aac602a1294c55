"""Groups that change other groups: the same bounds, nothing set by default."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sam2vlm.config import LoRAConfig, TrainingHyperparameters
from sam2vlm.config.overrides import merged, overrides_of


def test_every_field_is_there_unset_and_with_its_description():
    changes = overrides_of(TrainingHyperparameters, without=("lora",))
    assert set(changes.model_fields) == set(TrainingHyperparameters.model_fields) - {"lora"}
    assert changes().model_dump(exclude_none=True) == {}
    for name, info in changes.model_fields.items():
        assert info.description == TrainingHyperparameters.model_fields[name].description


@pytest.mark.parametrize("values", [{"rank": 0}, {"rank": 1025}, {"alpha": float("inf")}, {"dropout": 1}, {"rnk": 1}])
def test_bounds_and_names_are_those_of_the_group(values):
    with pytest.raises(ValidationError):
        overrides_of(LoRAConfig)(**values)


def test_only_what_is_set_replaces():
    changes = overrides_of(LoRAConfig)(rank=4)
    assert merged({"rank": 8, "dropout": 0.1}, changes) == {"rank": 4, "dropout": 0.1}


def test_the_group_itself_keeps_its_defaults():
    overrides_of(LoRAConfig)
    assert LoRAConfig().rank == 64
