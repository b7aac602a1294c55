"""OpenAI-style messages: the form that chat templates, TRL and ms-swift take, and that datasets infers types from."""

from __future__ import annotations

import json
from importlib.resources import files

import datasets
import pytest

from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.instructions import InstructionMix, box_convention, written
from sam2vlm.data_converter.messages_writer import MessagesWriter
from sam2vlm.data_converter.output_writer import write_outputs
from sam2vlm.data_converter.picture_folder import PictureFolder

MIX = InstructionMix(per_frame=3)


@pytest.fixture
def frames(export, tmp_path):
    return SAM2Parser().parse_zip(export.zip(tmp_path / "export.zip")).frames


def made(frames, folder, *, family="llava"):
    writers = {
        "pictures": PictureFolder(folder / "images"),
        "messages": MessagesWriter(folder / "messages", pictures="../images", boxes=box_convention(family)),
    }
    _asked, facts = write_outputs({"train": frames}, writers, ask=MIX.for_frame)
    lines = (folder / "messages" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines], facts["messages"]


@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl", "paligemma"])
def test_a_line_is_one_question_with_its_picture_in_the_familys_words(frames, tmp_path, family):
    lines, facts = made(frames, tmp_path, family=family)
    expected = [(frame, asked) for frame in frames for asked in MIX.for_frame(frame)]
    assert facts["conversations"] == {"train": len(expected)} == {"train": len(lines)}
    boxes = box_convention(family)
    assert facts["box_convention"] == {"name": boxes.name, "description": boxes.description}
    for line, (frame, asked) in zip(lines, expected, strict=True):
        question, answer = written(asked, frame.objects, frame.width, frame.height, boxes)
        assert line["messages"] == [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ]
        assert (tmp_path / "messages" / line["images"][0]).read_bytes() == frame.read_image()


def test_the_json_loader_of_datasets_finds_one_type_for_all_contents(frames, tmp_path):
    lines, _facts = made(frames, tmp_path)
    found = datasets.load_dataset(
        "json", data_files=str(tmp_path / "messages" / "train.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert found.column_names == ["id", "messages", "images"]
    user, assistant = found[0]["messages"]
    # What TRL counts: one part of type image, without a picture of its own, for one entry of images.
    assert [part["type"] for part in user["content"]] == ["image", "text"]
    assert user["content"][1]["text"] == lines[0]["messages"][0]["content"][1]["text"]
    assert [part["type"] for part in assistant["content"]] == ["text"]
    assert "image" not in user["content"][0]


def test_the_demo_models_chat_template_takes_them(frames, tmp_path):
    jinja2 = pytest.importorskip("jinja2")
    source = (files("sam2vlm.modeling") / "tiny_llava" / "chat_template.jinja").read_text()
    # Transformers' own tag, around what the assistant says.
    template = jinja2.Template(source.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", ""))
    line = made(frames, tmp_path)[0][0]
    text = template.render(messages=line["messages"])
    assert text.count("<image>") == 1
    assert line["messages"][0]["content"][1]["text"] in text
    assert line["messages"][1]["content"][0]["text"] in text
