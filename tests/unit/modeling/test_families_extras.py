"""What some families have beside the suite: a bound on the area of pictures, a part for videos, turns with an end."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from sam2vlm.config import ModelRegistry
from sam2vlm.errors import DataError, SettingsError
from sam2vlm.modeling.boxes import boxes_of
from sam2vlm.modeling.encoding import Encoder
from sam2vlm.modeling.loading import load_processor
from sam2vlm.modeling.pictures import area_bounds, bound_area, picture_tensors
from tests.families import FAMILIES

QWEN2_5_VL = next(family for family in FAMILIES if family.name == "qwen2_5_vl")


@pytest.fixture
def folder(tmp_path):
    QWEN2_5_VL.processor().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_bound_on_the_area_holds_for_pictures_and_boxes_and_is_saved(folder, tmp_path):
    processor = load_processor(folder, name="x")
    assert area_bounds(processor) == (3136, 12_544)
    bound_area(processor, max_pixels=6272)
    entry = ModelRegistry.get("Qwen/Qwen2.5-VL-7B-Instruct")
    grid = picture_tensors(processor, Image.new("RGB", (400, 200)))["image_grid_thw"]
    _frames, down, across = grid[0].tolist()
    assert down * across * 14 * 14 <= 6272
    # The whole frame's box is the resized picture's own size: targets and pictures agree.
    assert boxes_of(entry, processor).format_region((0.0, 0.0, 400.0, 200.0), 400, 200) == (
        f"[0, 0, {across * 14}, {down * 14}]"
    )
    processor.save_pretrained(tmp_path / "adapter")
    assert area_bounds(load_processor(tmp_path / "adapter", name="x")) == (3136, 6272)


def test_a_bound_above_the_familys_own_changes_nothing(folder):
    processor = load_processor(folder, name="x")
    bound_area(processor, max_pixels=1_003_520)
    assert area_bounds(processor) == (3136, 12_544)


def test_a_bound_that_leaves_no_picture_is_refused(folder):
    with pytest.raises(SettingsError, match=r"leaves no picture that this model takes.*at least 3136"):
        bound_area(load_processor(folder, name="x"), max_pixels=3000)


def test_a_family_of_one_size_has_no_bound(processor):
    before = processor.image_processor.to_dict()
    bound_area(processor, max_pixels=3136)
    assert area_bounds(processor) is None
    assert processor.image_processor.to_dict() == before


def test_the_part_for_videos_is_kept_and_takes_none(folder, tmp_path):
    processor = load_processor(folder, name="x")
    with pytest.raises(DataError, match="where only pictures are taken"):
        processor.video_processor([])
    assert not hasattr(processor.video_processor, "nothing_of_this_name")
    processor.save_pretrained(tmp_path / "again")
    kept = json.loads((tmp_path / "again" / "processor_config.json").read_text())
    assert kept["video_processor"] == {"patch_size": 14, "video_processor_type": "Qwen2VLVideoProcessor"}
    assert kept["processor_class"] == "Qwen2_5_VLProcessor"


def test_a_checkpoint_in_the_files_of_earlier_versions_loads(folder):
    """As the models' repositories have them: one file for pictures, one for videos, none for the processor."""
    both = json.loads((folder / "processor_config.json").read_text())
    (folder / "processor_config.json").unlink()
    pictures = {**both["image_processor"], "processor_class": "Qwen2_5_VLProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    (folder / "video_preprocessor_config.json").write_text(json.dumps(both["video_processor"]))
    processor = load_processor(folder, name="x")
    assert type(processor).__name__ == "Qwen2_5_VLProcessor"
    assert area_bounds(processor) == (3136, 12_544)
    assert processor.video_processor.to_dict() == both["video_processor"]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_end_is_what_the_template_writes_behind_an_answer(family, tmp_path):
    family.processor().save_pretrained(tmp_path)
    assert Encoder(load_processor(tmp_path, name="x")).end_token == family.end
