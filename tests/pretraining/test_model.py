import json

import numpy as np
import torch
from PIL import Image

from pretraining.answers import read_prompts
from pretraining.auxiliary import PatchHeads, SceneHeads
from pretraining.batches import Batches, Conversations, normalise
from pretraining.evaluate import evaluate
from pretraining.losses import language_logits, see
from pretraining.model import IMAGE_TOKENS
from pretraining.pictures import SIDE, draw_picture
from pretraining.scenes import draw_scene


def test_it_loads_with_every_weight_in_its_place(loaded):
    model, info = loaded
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert type(model).__name__ == "LlavaForConditionalGeneration"
    assert model.dtype == torch.float32


def test_it_is_small(loaded, folder):
    assert sum(parameter.numel() for parameter in loaded[0].parameters()) < 3e6
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6


def test_it_finds_most_of_the_objects_that_it_never_saw(loaded, processor):
    for draw in (draw_scene, draw_picture):
        scores = evaluate(loaded[0], processor.tokenizer, 20, draw)
        assert scores.recall > 0.6
        assert scores.precision > 0.6


def test_the_scores_say_how_they_came_about(folder):
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    for pictures in ("scenes", "shapes"):
        assert {"pictures", "recall", "precision", "mean_iou", "count_accuracy"} <= scores[pictures].keys()
    assert {"seed", "steps", "scene_steps", "pictures_seen", "wall_seconds", "command"} <= scores.keys()
    assert {"torch", "transformers"} <= scores.keys()


def test_training_sees_pictures_and_prompts_as_the_processor_makes_them(processor):
    picture = draw_picture(0, 1)
    prompt = read_prompts()["detect"][0]
    asked = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
    text = processor.apply_chat_template(asked, add_generation_prompt=True)
    made = processor(text=text, images=[Image.fromarray(picture.pixels)], return_tensors="pt")
    torch.testing.assert_close(made["pixel_values"], normalise(torch.from_numpy(picture.pixels[None])))
    assert made["input_ids"][0].tolist() == Conversations(processor.tokenizer).prompt(prompt)
    assert int((made["input_ids"] == processor.image_token_id).sum()) == IMAGE_TOKENS


def test_a_box_of_a_wide_frame_lies_where_the_processor_puts_it(processor):
    frame = np.zeros((480, 854, 3), np.uint8)
    frame[100:300, 200:500] = 255
    values = processor(text="<image>", images=[Image.fromarray(frame)], return_tensors="pt")["pixel_values"][0]
    rows, columns = np.nonzero((values > 1).all(dim=0).numpy())
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / SIDE
    # The padded square is 854 pixels a side, and the frame begins 187 pixels below its upper edge.
    assert np.abs(box - np.array([200, 287, 500, 487]) / 854).max() <= 1 / SIDE


def test_the_training_pass_is_the_models_own(loaded, processor):
    model = loaded[0].eval()
    batch = Batches(Conversations(processor.tokenizer), seed=1, first=0, size=4, steps=1)[0]
    wanted = batch.labels[:, 1:] >= 0
    with torch.inference_mode():
        taken_apart = language_logits(model, see(model, batch), batch.tokens, wanted)
        own = model(input_ids=batch.tokens, pixel_values=normalise(batch.pixels)).logits[:, :-1][wanted]
    torch.testing.assert_close(taken_apart, own, atol=1e-4, rtol=1e-4)


def test_the_heads_expect_one_target_for_each_patch():
    batch = Batches(Conversations(_tokenizer()), seed=1, first=0, size=3, steps=1)[0]
    heads = PatchHeads(8)
    assert heads(torch.zeros(3, IMAGE_TOKENS, 8), batch.targets).isfinite()
    scenes = Batches(Conversations(_tokenizer()), seed=1, first=0, size=3, steps=1, draw=draw_scene)[0]
    assert SceneHeads(8, heads)(torch.zeros(3, IMAGE_TOKENS, 8), scenes.targets).isfinite()


def _tokenizer():
    from pretraining.tokenizer import train_tokenizer

    return train_tokenizer(0)
