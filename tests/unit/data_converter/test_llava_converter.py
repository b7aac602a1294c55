"""LLaVA's files: every line, every picture, the manifest's counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sam2vlm.artifacts import files_below
from sam2vlm.data_converter import LLaVAConverter, SAM2Parser
from sam2vlm.data_converter.instructions import InstructionMix, answer_text, parse_objects
from sam2vlm.data_converter.llava_converter import write_llava
from sam2vlm.errors import DataError, SettingsError


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_export_alone(export, tmp_path):
    result = LLaVAConverter().convert(input_path=export.zip(tmp_path / "export.zip"), output_path=tmp_path / "out")
    assert result.total_samples == 3
    assert result.conversations == {"train": {"count": 3, "describe": 3, "detect": 3}}
    lines = lines_of(tmp_path / "out" / "train.jsonl")
    assert len(lines) == 9
    video_id = lines[0]["image"].split("/")[1]
    first = next(line for line in lines if line["conversations"][0]["value"].startswith("<image>\nHow many"))
    assert first["conversations"][1] == {"from": "gpt", "value": "2"}
    assert list(files_below(tmp_path / "out" / "images")) == [f"{video_id}/{index:06d}.png" for index in (0, 6, 12)]
    assert (tmp_path / "out" / "images" / video_id / "000006.png").read_bytes() == export.pictures[
        "images/frame_000006.png"
    ]


def test_splits_lines_and_manifest_agree(export, tmp_path):
    frames = SAM2Parser().parse_zip(export.zip(tmp_path / "export.zip")).frames
    mix = InstructionMix(weights={"detect": 1, "count": 1}, per_frame=2, seed=5)
    splits = {"train": frames[:1], "val": frames[1:2], "test": frames[2:]}
    counts = write_llava(splits, tmp_path / "out", mix=mix, decimals=3)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["box_convention"] == {
        "name": "llava",
        "description": "[x1, y1, x2, y2], 0-1 of the picture padded to a square",
        "decimals": 3,
    }
    assert (manifest["seed"], manifest["tasks"]) == (5, {"detect": 1, "count": 1})
    for split, (frame,) in splits.items():
        lines = lines_of(tmp_path / "out" / f"{split}.jsonl")
        assert [line["id"] for line in lines] == [f"{frame.sample_id}/0", f"{frame.sample_id}/1"]
        for line, wanted in zip(lines, mix.for_frame(frame), strict=True):
            assert (tmp_path / "out" / line["image"]).read_bytes() == frame.read_image()
            assert line["conversations"] == [
                {"from": "human", "value": f"<image>\n{wanted.prompt}"},
                {"from": "gpt", "value": answer_text(wanted.task, frame.objects, 96, 64, 3)},
            ]
        assert manifest["splits"][split] == {
            "file": f"{split}.jsonl",
            "frames": 1,
            "conversations": 2,
            "tasks": counts[split],
        }


def test_any_label_stays_on_its_line_and_comes_back(export, tmp_path):
    label = "größe [1]; \u2028\x85\n図"
    frame = SAM2Parser().parse_zip(export.zip(tmp_path / "export.zip")).frames[0]
    # The reader tidies labels up; whoever brings frames of another kind may not have.
    frame = replace(frame, objects=(replace(frame.objects[0], label=label), frame.objects[1]))
    write_llava({"train": [frame]}, tmp_path / "out", mix=InstructionMix(weights={"detect": 1}, per_frame=1))
    (line,) = lines_of(tmp_path / "out" / "train.jsonl")
    parsed = parse_objects(line["conversations"][1]["value"], 96, 64)
    assert [item.label for item in parsed.objects] == ["crab", label]


def test_a_jpeg_that_is_called_png_gets_its_own_extension(export, tmp_path):
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (96, 64)).save(stream, "JPEG")
    export.pictures["images/frame_000000.png"] = stream.getvalue()
    LLaVAConverter().convert(export.zip(tmp_path / "export.zip"), tmp_path / "out")
    assert lines_of(tmp_path / "out" / "train.jsonl")[0]["image"].endswith("/000000.jpg")


def test_an_older_result_is_replaced_and_other_files_are_not(export, tmp_path):
    archive = export.zip(tmp_path / "export.zip")
    LLaVAConverter().convert(archive, tmp_path / "out")
    LLaVAConverter().convert(archive, tmp_path / "out")
    assert len(lines_of(tmp_path / "out" / "train.jsonl")) == 9
    with pytest.raises(SettingsError, match="holds something else"):
        LLaVAConverter().convert(archive, tmp_path)


def test_an_empty_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="the train split is empty"):
        write_llava({"train": []}, tmp_path / "out", mix=InstructionMix())
    assert not (tmp_path / "out").exists()


def test_llama_factory_is_told_what_the_columns_mean(export, tmp_path):
    LLaVAConverter().convert(export.zip(tmp_path / "export.zip"), tmp_path / "out")
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert list(info) == ["sam2vlm_train"]
    about = info["sam2vlm_train"]
    lines = lines_of(tmp_path / "out" / about["file_name"])
    for line in lines:
        # ShareGPT's own names of roles and texts, which LLaMA-Factory assumes where no tags are given.
        assert [turn["from"] for turn in line[about["columns"]["messages"]]] == ["human", "gpt"]
        said = "".join(turn["value"] for turn in line[about["columns"]["messages"]])
        assert said.count("<image>") == 1
        assert (tmp_path / "out" / line[about["columns"]["images"]]).is_file()
