"""What prepare makes of the settings of its questions: in the dataset, in the manifest, in the report."""

import json

import pytest
from datasets import load_from_disk
from PIL import Image

from jobs.train.settings import TASKS
from sam2vlm.artifacts import digest_of_file, read_manifest
from sam2vlm.data_converter.instructions import FRAME_TASKS, GENERAL, LlavaBoxes, box_convention
from sam2vlm.modeling.targets import targets_of
from sam2vlm.sample import write_sample

ALL = dict.fromkeys(FRAME_TASKS, 1)


@pytest.fixture(scope="module")
def general(tmp_path_factory):
    """Forty conversations about one picture, and one that training cannot take."""
    folder = tmp_path_factory.mktemp("general")
    Image.new("RGB", (20, 10)).save(folder / "a.png")
    rows = [
        {
            "messages": [
                {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": f"What is {number}?"}]},
                {"role": "assistant", "content": f"{{{number}}}"},
            ],
            "images": ["a.png"],
        }
        for number in range(40)
    ]
    rows.append({"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello"}]})
    path = folder / "general.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_all_tasks_and_general_data_reach_the_dataset_and_the_manifest(export, tmp_path, prepare_here, general):
    ended = prepare_here(
        EXPORT=export,
        RUN=tmp_path / "run",
        INSTRUCTIONS__WEIGHTS=json.dumps({**ALL, "first_last": 1}),
        INSTRUCTIONS__PER_FRAME=8,
        INSTRUCTIONS__GENERAL_DATA=general,
        INSTRUCTIONS__GENERAL_SHARE=0.1,
    )
    assert ended.code == 0, ended.printed
    folder = tmp_path / "run" / "prepare"
    manifest = read_manifest(folder / "manifest.json")
    facts = manifest.facts["instructions"]
    asked = {split: manifest.facts["splits"][split]["instructions"] for split in ("train", "val", "test")}
    assert manifest.inputs["general_data"] == digest_of_file(general)
    assert str(tmp_path) not in (folder / "manifest.json").read_text()
    assert str(general.parent) not in (folder / "manifest.json").read_text()

    assert set(asked["train"]) == {*FRAME_TASKS, "general"}
    assert "general" not in {*asked["val"], *asked["test"]}
    assert facts["general"]["used"] == asked["train"]["general"]
    assert facts["general"]["rows"] == 41
    assert facts["general"]["left_out"]["no_picture"] == 1
    assert facts["general"]["share"] == pytest.approx(0.1, abs=0.01)
    polygons = facts["polygons"]
    assert 0.8 <= polygons["min_iou"] <= polygons["mean_iou"] <= 1
    assert polygons["most_points"] <= 24
    assert sum(facts["video_questions"].values()) == sum(
        len((folder / "videos" / f"{split}.jsonl").read_text().splitlines()) for split in ("train", "val", "test")
    )
    report = (folder / "report.md").read_text()
    assert f"{facts['general']['used']} of 41 conversations of the general data are in train" in report
    assert f"{polygons['count']} polygons of at most {polygons['most_points']} points" in report

    # One dataset serves every family.
    train = load_from_disk(str(folder / "dataset"))["train"]
    for family in ("llava", "qwen2_5_vl", "paligemma"):
        targets = targets_of(train, boxes=box_convention(family))
        assert len(targets) == sum(asked["train"].values())
        assert {item.answer for item in targets if item.task == "general"} <= {f"{{{n}}}" for n in range(40)}
    # Nobody has looked for objects in what comes from elsewhere, so it is no picture without objects.
    coco = json.loads((folder / "coco" / "train.json").read_text())
    assert len(coco["images"]) == manifest.facts["splits"]["train"]["frames"] == len(train) - asked["train"]["general"]
    lines = [json.loads(line) for line in (folder / "llava" / "train.jsonl").read_text().splitlines()]
    assert len(lines) == sum(asked["train"].values())
    assert all((folder / "llava" / line["image"]).is_file() for line in lines)


def test_training_takes_every_task_that_prepare_can_write():
    assert (*FRAME_TASKS, GENERAL) == TASKS


def test_a_users_words_are_used_and_named_by_their_content(export, tmp_path, prepare_here):
    words = tmp_path / "words.json"
    words.write_text(json.dumps({"en": {"count": ["How many, {{please}}?"], "phrases": {"nothing": "Nothing."}}}))
    settings = {"EXPORT": export, "INSTRUCTIONS__WEIGHTS": '{"count": 1}', "INSTRUCTIONS__PER_FRAME": 1}
    ended = prepare_here(RUN=tmp_path / "run", INSTRUCTIONS__TEMPLATES=words, **settings)
    assert ended.code == 0, ended.printed
    manifest = read_manifest(tmp_path / "run" / "prepare" / "manifest.json")
    assert manifest.inputs["templates"] == digest_of_file(words)
    train = load_from_disk(str(tmp_path / "run" / "prepare" / "dataset"))["train"]
    targets = targets_of(train, boxes=LlavaBoxes())
    assert {item.prompt for item in targets} == {"How many, {please}?"}
    # Half of the questions at most have one answer, and the manifest says how many had to go.
    left_out = manifest.facts["instructions"]["left_out"].get("same_answer", 0)
    kept = sum(sum(facts["instructions"].values()) for facts in manifest.facts["splits"].values())
    assert kept + left_out == manifest.counts.kept


def test_a_new_version_does_not_take_general_data_for_frames(export, tmp_path, prepare_here, general, monkeypatch):
    assert prepare_here(EXPORT=export, RUN=tmp_path / "one", INSTRUCTIONS__GENERAL_DATA=general).code == 0
    monkeypatch.delenv("SAM2VLM_INSTRUCTIONS__GENERAL_DATA")
    write_sample(tmp_path / "more.zip", frames=60, objects=4, width=96, height=64, seed=6)
    ended = prepare_here(EXPORT=tmp_path / "more.zip", RUN=tmp_path / "two", EXTEND=tmp_path / "one")
    assert ended.code == 0, ended.printed
    one, two = (read_manifest(tmp_path / run / "prepare" / "manifest.json") for run in ("one", "two"))
    assert one.facts["splits"]["train"]["instructions"]["general"] > 0
    assert "general" not in two.facts["splits"]["train"]["instructions"]
    left = one.facts["instructions"]["general"]["used"]
    assert two.facts["version"]["general_left"] == left > 0
    assert any(f"general data, {left} of them, are not carried over" in note for note in two.facts["notes"])
    assert two.counts.kept == one.counts.kept + 40
    train = load_from_disk(str(tmp_path / "two" / "prepare" / "dataset"))["train"]
    assert not any(name.startswith("general-") for name in train["video_id"])


WRONG = [
    ({"TEMPLATES": "none.json"}, 78, "SAM2VLM_INSTRUCTIONS__TEMPLATES: cannot be read (expected a file"),
    ({"GENERAL_DATA": "none.jsonl"}, 78, "SAM2VLM_INSTRUCTIONS__GENERAL_DATA: cannot be read (expected a file"),
    ({"TEMPLATES": "bad.json"}, 78, "bad.json: en.count: are no wordings (expected a list of texts; found str)"),
    ({"GENERAL_DATA": "bad.json"}, 65, "bad.json: line 1: messages: are no messages"),
    ({"LANGUAGE": "fr"}, 78, "no wordings in this language (expected en or zh; found fr)"),
    ({"MAX_SAME_ANSWER": "0"}, 78, "SAM2VLM_INSTRUCTIONS__MAX_SAME_ANSWER"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=[next(iter(settings)) for settings, _code, _sentence in WRONG])
def test_wrong_files_and_settings_are_told_and_leave_nothing(export, tmp_path, prepare_here, monkeypatch, wrong):
    settings, code, sentence = wrong
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text('{"en": {"count": "How many?"}}')
    ended = prepare_here(
        EXPORT=export, RUN=tmp_path / "run", **{f"INSTRUCTIONS__{name}": value for name, value in settings.items()}
    )
    assert ended.code == code
    assert sentence in ended.failures[0]["error"]
    assert not (tmp_path / "run" / "prepare").exists()
