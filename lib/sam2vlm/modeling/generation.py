"""What a model answers to questions about pictures: greedy, in fixed batches, the same at every run.

Evaluation and the check of an export both ask here, with the same batches, so that their answers can be compared
letter by letter.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig

from sam2vlm.modeling.encoding import Encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from peft import PeftModel
    from PIL import Image
    from torch import Tensor
    from transformers import PreTrainedModel, ProcessorMixin

    Model = PreTrainedModel | PeftModel

__all__ = ["Answer", "Question", "answers_by_default", "ask", "encode_questions", "end_tokens"]


#: What Transformers' GenerationConfig says of sampling.
SAMPLING = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one picture.

    Attributes:
        prompt: The text, without any template.
        read_picture: Returns the picture; called when its batch's turn comes.
    """

    prompt: str
    read_picture: Callable[[], Image.Image]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said.

    Attributes:
        text: Without the end token and without surrounding blanks.
        finished: Whether the end token came; otherwise the answer was cut off at the longest length.
    """

    text: str
    finished: bool


def ask(
    model: Model,
    processor: ProcessorMixin,
    questions: Sequence[Question],
    *,
    batch_size: int,
    max_new_tokens: int,
    device: torch.device | None = None,
) -> Iterator[Answer]:
    """Answer questions greedily, in their order.

    Args:
        model: In evaluation mode, on the device where it is to run; may be wrapped by PEFT.
        processor: Of the model's family, with the chat template that was trained with.
        questions: Taken from the front in batches.
        batch_size: Questions in a batch.
        max_new_tokens: Longest answer in tokens.
        device: Where the questions go; the model's own where left out, which DeepSpeed's offloading hides.

    Yields:
        One answer a question.
    """
    ends = end_tokens(model, processor)
    settings = GenerationConfig(  # type: ignore[no-untyped-call]  # its __init__ has no annotations
        do_sample=False,
        num_beams=1,
        # Unset values are taken from the model's own configuration, and some families' punish repetition.
        repetition_penalty=1.0,
        max_new_tokens=max_new_tokens,
        eos_token_id=ends,
        pad_token_id=_pad_token(processor),
        use_cache=True,
    )
    for start in range(0, len(questions), batch_size):
        inputs = encode_questions(processor, questions[start : start + batch_size], model, device=device)
        # Not inference_mode: a model that is asked in the middle of its training keeps buffers, and at stage 3
        # weights, from here, and autograd takes no tensors that were made in that mode.
        with torch.no_grad():
            tokens: Tensor = model.generate(  # type: ignore[operator]  # of a mixin that mypy takes for a weight
                **inputs, generation_config=settings
            )
        prompt_length = inputs["input_ids"].shape[1]
        for row in tokens[:, prompt_length:].tolist():
            yield _answer(processor, row, ends)


def encode_questions(
    processor: ProcessorMixin, questions: Sequence[Question], model: Model, *, device: torch.device | None = None
) -> dict[str, Tensor]:
    """Return a batch, padded on the left so that every answer begins where its question ends.

    Args:
        processor: Of the model's family.
        questions: One batch.
        model: Whose device and number type the batch takes.
        device: In place of the model's, where given.

    Returns:
        ``input_ids`` and ``attention_mask`` (batch, length), the family's picture tensors beside them.
    """
    encoder = Encoder(processor)
    texts = [encoder.prompt_text(question.prompt) for question in questions]
    begin = processor.tokenizer.bos_token
    batch = processor(
        text=texts,
        # By question: some families take a flat list for the pictures of one.
        images=[[question.read_picture()] for question in questions],
        padding=True,
        padding_side="left",
        # As in training: the start token is added where the template has none.
        add_special_tokens=not (begin is not None and texts[0].startswith(begin)),
        return_tensors="pt",
    )
    # PaliGemma's processor gives labels even where there is nothing to learn.
    return {name: _placed(tensor, model, device) for name, tensor in batch.items() if name != "labels"}


def end_tokens(model: Model, processor: ProcessorMixin) -> list[int]:
    """Return the tokens that end an answer: the one with which training ends it, the tokenizer's, the model's own."""
    own: Any = getattr(model.generation_config, "eos_token_id", None)
    tokenizer = processor.tokenizer
    trained = tokenizer.convert_tokens_to_ids(Encoder(processor).end_token)
    listed = [*(own if isinstance(own, list) else [own]), trained, tokenizer.eos_token_id]
    return sorted({int(token) for token in listed if token is not None})


@contextlib.contextmanager
def answers_by_default(model: PreTrainedModel, processor: ProcessorMixin) -> Iterator[None]:
    """Have a model's configurations, while they are saved, be those of a model that answers.

    It ends where it was taught to end and uses its cache, which is switched off for training. Options of sampling
    beside greedy answers, which have no effect and which older checkpoints came with, are left out: Transformers 5
    loads them and refuses to save them.

    Args:
        model: The model.
        processor: What it was trained with.
    """
    before = model.config.use_cache
    _leave_sampling_out(model.generation_config)
    model.generation_config.eos_token_id = end_tokens(model, processor)
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.config.use_cache = True
    try:
        yield
    finally:
        model.config.use_cache = before


def _leave_sampling_out(config: GenerationConfig) -> None:
    if config.do_sample:
        return
    try:
        config.validate(strict=True)
    except ValueError:
        for name in SAMPLING:
            setattr(config, name, None)


def _placed(tensor: Tensor, model: Model, device: torch.device | None) -> Tensor:
    return tensor.to(device or model.device, model.dtype if tensor.is_floating_point() else None)


def _pad_token(processor: ProcessorMixin) -> int:
    tokenizer = processor.tokenizer
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def _answer(processor: ProcessorMixin, tokens: list[int], ends: list[int]) -> Answer:
    length = next((place for place, token in enumerate(tokens) if token in ends), None)
    # Special tokens before the end stay: some families write their boxes with them, and elsewhere they are noise
    # that the report has to show.
    text = processor.tokenizer.decode(tokens[:length], skip_special_tokens=False)
    return Answer(text.strip(), finished=length is not None)
