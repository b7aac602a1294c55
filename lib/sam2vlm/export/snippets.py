"""The model card's code, as people copy it. A test runs it."""

from __future__ import annotations

import json

__all__ = ["adapter_snippet", "boxes_snippet", "model_snippet"]

# A family that also knows videos has no processor without torchvision, and none at all whose pictures are Pillow's.
PROCESSOR = 'processor = AutoProcessor.from_pretrained({folder}, backend="pil")'
PICTURES_ONLY = """# Pictures alone, processed as in training; without the part for videos, which needs torchvision.
processor = load_processor(Path({folder}), name={folder})"""

MODEL = """
{imports}

{processor}
model = AutoModelForImageTextToText.from_pretrained({folder}, dtype="auto").eval()

picture = Image.open("picture.png").convert("RGB")
question = [{{"type": "image", "image": picture}}, {{"type": "text", "text": {prompt}}}]
inputs = processor.apply_chat_template(
    [{{"role": "user", "content": question}}],
    add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
).to(model.device, model.dtype)
tokens = model.generate(**inputs, do_sample=False, max_new_tokens={most_tokens})
answer = processor.decode(tokens[0, inputs["input_ids"].shape[1]:], {decoding}
print(answer)
"""
PLAIN = "skip_special_tokens=True).strip()"
# The signs around boxes are special tokens as well.
MARKED = "skip_special_tokens=False).removesuffix(processor.tokenizer.eos_token).strip()"

ADAPTER_OF_HUB_MODEL = """
from peft import PeftModel
{imports}

{processor}
base = AutoModelForImageTextToText.from_pretrained({base}, dtype="auto")
model = PeftModel.from_pretrained(base, "adapter").eval()
"""

ADAPTER_OF_PACKAGED_MODEL = """
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from sam2vlm.config import ModelRegistry
from sam2vlm.modeling.source import find_model

# This base is shipped inside of the sam2vlm package and is on no hub.
base = find_model({base}, checkpoint=ModelRegistry.resolve({base})).folder
processor = AutoProcessor.from_pretrained("adapter", backend="pil")
model = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base, dtype="float32"), "adapter").eval()
"""

BOXES = r"""
import re

side = max(picture.size)
left, top = (side - picture.width) // 2, (side - picture.height) // 2
for label, *corners in re.findall(r"([^;\[\]]+) \[([\d.]+), ([\d.]+), ([\d.]+), ([\d.]+)\]", answer):
    x1, y1, x2, y2 = (float(corner) * side for corner in corners)
    print(label.strip(), x1 - left, y1 - top, x2 - left, y2 - top)
"""


def model_snippet(folder: str, *, prompt: str, most_tokens: int, videos: bool = False, marked: bool = False) -> str:
    """Return the code that asks a model that needs no PEFT about ``picture.png``.

    Args:
        folder: The model's, seen from where the code is run.
        prompt: The question.
        most_tokens: Longest answer.
        videos: Whether the family's processor has a part for videos.
        marked: Whether special tokens are part of the answer.
    """
    return MODEL.format(
        **_processor(folder, videos=videos),
        folder=json.dumps(folder),
        prompt=json.dumps(prompt, ensure_ascii=False),
        most_tokens=most_tokens,
        decoding=MARKED if marked else PLAIN,
    )


def adapter_snippet(base: str, *, packaged: bool, videos: bool = False) -> str:
    """Return the code that puts the adapter onto its base.

    Args:
        base: Hub id or registry name.
        packaged: Whether the base is shipped inside of this package.
        videos: Whether the family's processor has a part for videos.
    """
    return (ADAPTER_OF_PACKAGED_MODEL if packaged else ADAPTER_OF_HUB_MODEL).format(
        **_processor("adapter", videos=videos), base=json.dumps(base)
    )


def boxes_snippet() -> str:
    """Return the code that turns an answer of LLaVA's convention into pixels of the picture."""
    return BOXES


def _processor(folder: str, *, videos: bool) -> dict[str, str]:
    """Return the lines that load a folder's processor, and what they and the model's import."""
    if not videos:
        imports = "from PIL import Image\nfrom transformers import AutoModelForImageTextToText, AutoProcessor"
        return {"imports": imports, "processor": PROCESSOR.format(folder=json.dumps(folder))}
    imports = (
        "from pathlib import Path\n\nfrom PIL import Image\nfrom transformers import AutoModelForImageTextToText\n\n"
        "from sam2vlm.modeling.loading import load_processor"
    )
    return {"imports": imports, "processor": PICTURES_ONLY.format(folder=json.dumps(folder))}
