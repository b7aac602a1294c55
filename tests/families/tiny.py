"""What a tiny model of any family is made of: a tokenizer trained on the spot, a template, weights from a seed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from transformers import PretrainedConfig, PreTrainedModel, ProcessorMixin

TEXTS = (
    "Locate every object in the picture. How many objects are there? Describe what you see.",
    "crab fish seal [0.10, 0.20, 0.30, 0.99]; (12,345),(678,901) none There are 2 objects: 1 crab and 1 fish.",
)
#: The language model's shape, small enough for a second of training.
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}


#: The vision towers' sizes, where a family has the usual four.
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


@dataclass(frozen=True)
class Family:
    """One family's tiny model.

    Attributes:
        name: The registry's name of the family.
        class_name: The model's class in Transformers.
        processor: Makes the real processor with its real template.
        configuration: Makes the model's configuration for a processor.
        picture_tokens: Returns the tokens of a picture of (width, height) as its class counts them, by hand.
        picture_token: The token that stands for a part of the picture.
        end: The token that ends an answer.
    """

    name: str
    class_name: str
    processor: Callable[[], ProcessorMixin]
    configuration: Callable[[ProcessorMixin], PretrainedConfig]
    picture_tokens: Callable[[int, int], int]
    picture_token: str
    end: str

    def save(self, folder: Path) -> None:
        """Write model and processor in Transformers' layout; equal bytes at each call."""
        shutil.rmtree(folder, ignore_errors=True)
        processor = self.processor()
        self.model(processor).save_pretrained(folder)
        processor.save_pretrained(folder)

    def model(self, processor: ProcessorMixin) -> PreTrainedModel:
        """Make the model for a processor; equal weights at each call."""
        torch.manual_seed(0)
        model = getattr(transformers, self.class_name)(self.configuration(processor))
        # A frozen head of the usual small weights cannot tell tokens apart, so no adapter before it could learn.
        torch.nn.init.normal_(model.get_output_embeddings().weight, std=0.5)
        # Gemma 3's projector starts at zero and would show nothing.
        for weight in model.parameters():
            if weight.ndim > 1 and not weight.any():
                torch.nn.init.normal_(weight, std=0.2)
        return model


def tokenizer(
    special: Sequence[str], *, begin: str | None = None, end: str, padding: str, named: dict[str, str] | None = None
) -> PreTrainedTokenizerFast:
    """Train a byte-level tokenizer on a few sentences of ours.

    Args:
        special: The family's special tokens, which get the first ids.
        begin: The one that starts a text.
        end: The one that ends it.
        padding: The one that fills it up.
        named: Attributes by which the family's processor asks for special tokens.
    """
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    if begin is not None:
        made.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, made.token_to_id(begin))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=begin,
        eos_token=end,
        pad_token=padding,
        extra_special_tokens=named or {},
    )
