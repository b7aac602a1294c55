"""What the model finds in pictures that it was not trained on, by greedy generation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pretraining.answers import read_prompts
from pretraining.batches import Conversations, normalise
from pretraining.pictures import Object, Picture
from pretraining.scenes import draw_scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

#: Seed of the held-out pictures; training uses the run's own seed, which must differ.
HELD_OUT_SEED = 1_000_003
# An object is ten tokens, fourteen with the longest name, and no picture has more than five.
_ANSWER_TOKENS = 80
_BATCH = 50
_NUMBER = r"\d\.\d+"
_OBJECT = re.compile(rf"(?P<label>[^;\[\]]+) \[(?P<box>{_NUMBER}, {_NUMBER}, {_NUMBER}, {_NUMBER})\]")

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Scores:
    """Shares 0-1. A box is found where one of the answer's has IoU >= 0.5 with it, whatever the label."""

    pictures: int
    objects: int
    recall: float
    precision: float
    mean_iou: float
    label_accuracy: float
    count_accuracy: float


def parse_answer(text: str) -> list[Object]:
    """The objects of a detect answer, in its order; what does not parse is left out."""
    found = []
    for match in _OBJECT.finditer(text):
        x1, y1, x2, y2 = (float(value) for value in match["box"].split(", "))
        found.append(Object(match["label"].strip(), (x1, y1, x2, y2)))
    return found


def overlap(first: Box, second: Box) -> float:
    """IoU of two boxes (x1, y1, x2, y2)."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (areas - width * height)


def match_boxes(found: list[Object], wanted: tuple[Object, ...], least: float = 0.5) -> list[tuple[int, int, float]]:
    """Pairs (index found, index wanted, IoU), each of either side once, the best first."""
    pairs = sorted(
        (
            (overlap(item.box, other.box), left, right)
            for left, item in enumerate(found)
            for right, other in enumerate(wanted)
        ),
        reverse=True,
    )
    matched: list[tuple[int, int, float]] = []
    for iou, left, right in pairs:
        free = all(left != taken[0] and right != taken[1] for taken in matched)
        if iou >= least and free:
            matched.append((left, right, iou))
    return matched


def ask(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    pictures: list[Picture],
    prompt: list[int],
) -> list[str]:
    """The greedy answer to the same prompt (token ids) for each picture."""
    answers: list[str] = []
    for start in range(0, len(pictures), _BATCH):
        some = pictures[start : start + _BATCH]
        tokens = torch.tensor([prompt] * len(some))
        with torch.inference_mode():
            generated = model.generate(  # type: ignore[misc]
                input_ids=tokens,
                attention_mask=torch.ones_like(tokens),
                pixel_values=normalise(torch.from_numpy(np.stack([picture.pixels for picture in some]))),
                max_new_tokens=_ANSWER_TOKENS,
                do_sample=False,
            )
        answers += tokenizer.batch_decode(generated[:, len(prompt) :], skip_special_tokens=True)
    return answers


def evaluate(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    pictures: int,
    draw: Callable[[int, int], Picture] = draw_scene,
) -> Scores:
    """Scores over the first ``pictures`` held-out scenes, or what else ``draw`` draws of a seed and a number.

    The first wording of each prompt is asked.
    """
    shown = [draw(HELD_OUT_SEED, index) for index in range(pictures)]
    conversations, prompts = Conversations(tokenizer), read_prompts()
    model.train(mode=False)
    answers = ask(model, tokenizer, shown, conversations.prompt(prompts["detect"][0]))
    counts = ask(model, tokenizer, shown, conversations.prompt(prompts["count"][0]))
    model.train()
    found = [parse_answer(answer) for answer in answers]
    matches = [match_boxes(some, picture.objects) for some, picture in zip(found, shown, strict=True)]
    matched = sum(map(len, matches))
    named = sum(
        some[left].label == picture.objects[right].label
        for some, picture, pairs in zip(found, shown, matches, strict=True)
        for left, right, _ in pairs
    )
    objects = sum(len(picture.objects) for picture in shown)
    return Scores(
        pictures=pictures,
        objects=objects,
        recall=round(matched / max(objects, 1), 4),
        precision=round(matched / max(sum(map(len, found)), 1), 4),
        mean_iou=round(sum(iou for pairs in matches for _, _, iou in pairs) / max(matched, 1), 4),
        label_accuracy=round(named / max(matched, 1), 4),
        count_accuracy=round(
            sum(text.strip() == str(len(picture.objects)) for text, picture in zip(counts, shown, strict=True))
            / pictures,
            4,
        ),
    )
