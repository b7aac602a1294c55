"""The model card: metadata that the hub's library reads, and code that does what it says."""

from __future__ import annotations

import contextlib
import io
import json
import re

import pytest
import torch
from datasets import load_from_disk
from huggingface_hub import ModelCard

from sam2vlm.artifacts import read_manifest
from sam2vlm.config import ModelRegistry
from sam2vlm.data_converter.instructions import LlavaBoxes
from sam2vlm.evaluation.parsing import read_objects
from sam2vlm.export.model_card import render_model_card
from sam2vlm.export.snippets import adapter_snippet, boxes_snippet, model_snippet
from tests.finished_runs import EXPERIMENT, MODEL

EXPORTED = {
    "base_model": MODEL,
    "dtype": "float32",
    "processor_of_videos": False,
    "verification": {
        "frames": 4,
        "answers": 8,
        "adapter_text_share": 1.0,
        "merged_text_share": 1.0,
        "max_logits_difference": 1.2e-6,
    },
}


def card_of(layout, **changes):
    manifests = {phase: read_manifest(layout.manifest(phase)) for phase in ("prepare", "train", "evaluate")}
    base = ModelRegistry.get(MODEL)
    return render_model_card(
        experiment=EXPERIMENT, base=base, license="apache-2.0", **(manifests | {"exported": EXPORTED} | changes)
    )


@pytest.fixture(scope="module")
def card(layout):
    return card_of(layout)


def snippets(card):
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


def test_the_hub_s_library_reads_its_metadata(card, layout):
    data = ModelCard(card).data
    assert (data.base_model, data.library_name, data.license) == (MODEL, "transformers", "apache-2.0")
    assert data.pipeline_tag == "image-text-to-text"
    assert "sam2vlm" in data.tags
    tuned = read_manifest(layout.manifest("evaluate")).facts["metrics"]["tuned"]
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    assert found == {name: tuned[name] for name in data.metrics if tuned[name] is not None}


def test_figures_settings_and_data_are_those_of_the_manifests(card, layout):
    metrics = read_manifest(layout.manifest("evaluate")).facts["metrics"]
    row = [f"{metrics[model]['mAP50']:.3f}" for model in ("base", "tuned", "ceiling")]
    assert f"| `mAP50` | {' | '.join(row)} |" in card
    assert "| rank, alpha, dropout | 4, 8.0, 0.0 |" in card
    assert "- frames in the export: 13; used: 12 (left out: 1 no picture)" in card
    assert "| test | 6 |" in card
    assert "100% with the adapter, 100% merged (float32; largest difference of a logit 1.2e-06)" in card
    assert "(temporal split)" in card


def test_no_table_is_broken(card):
    for block in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(columns) == 1, block


@pytest.fixture(scope="module")
def asked(card, layout, exported):
    """Runs the card's code where ``merged`` lies, on a picture of the test split; the names it leaves behind."""
    row = load_from_disk(str(layout.dataset))["test"][1]
    row["image"].save(exported / "picture.png")
    torch.set_num_threads(1)

    def run(code):
        names, said = {}, io.StringIO()
        with contextlib.chdir(exported), contextlib.redirect_stdout(said):
            exec(compile(code, "README.md", "exec"), names)
        return names, said.getvalue()

    yield run
    (exported / "picture.png").unlink()


def recorded_answer(layout):
    path = layout.phase("evaluate") / "predictions" / "tuned.jsonl"
    return json.loads(path.read_text().splitlines()[1])["answer"]


def test_the_merged_model_s_code_says_what_the_trained_model_said(card, asked, layout):
    merged, _, _ = snippets(card)
    _, said = asked(merged)
    assert said.strip() == recorded_answer(layout)


def test_the_adapter_s_code_says_so_too(card, asked, layout):
    merged, adapter, _ = snippets(card)
    _, said = asked(adapter + merged[merged.index("picture = ") :])
    assert said.strip() == recorded_answer(layout)


def test_the_boxes_code_reads_what_our_parser_reads():
    answer = "fish [0.10, 0.25, 0.60, 0.75]; sea weed [0.50, 0.30, 0.99, 0.60]"
    said = io.StringIO()
    picture = type("Picture", (), {"size": (200, 100), "width": 200, "height": 100})()
    with contextlib.redirect_stdout(said):
        exec(boxes_snippet(), {"picture": picture, "answer": answer})
    found = re.findall(r"(.+?) (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) (-?[\d.]+)\n", said.getvalue())
    expected = [
        (item.label, item.bbox[0], item.bbox[1], item.bbox[0] + item.bbox[2], item.bbox[1] + item.bbox[3])
        for item in read_objects(answer, 200, 100, LlavaBoxes()).objects
    ]
    assert [name for name, *_ in found] == [name for name, *_ in expected] == ["fish", "sea weed"]
    for (_, *corners), (_, *right) in zip(found, expected, strict=True):
        assert [float(corner) for corner in corners] == pytest.approx(right)


def test_a_hub_model_is_loaded_from_the_hub():
    code = adapter_snippet("llava-hf/llava-1.5-7b-hf", packaged=False)
    compile(code, "README.md", "exec")
    assert 'from_pretrained("llava-hf/llava-1.5-7b-hf", dtype="auto")' in code
    assert "sam2vlm" not in code


def test_a_processor_that_knows_videos_is_loaded_without_that_part():
    merged, adapter = (
        model_snippet("merged", prompt="What?", most_tokens=8, videos=True, marked=True),
        adapter_snippet("Qwen/Qwen2-VL-2B-Instruct", packaged=False, videos=True),
    )
    for code, folder in ((merged, "merged"), (adapter, "adapter")):
        compile(code, "README.md", "exec")
        assert f'load_processor(Path("{folder}"), name="{folder}")' in code
        assert "AutoProcessor" not in code


def test_names_of_users_do_not_become_markup(layout):
    prepare = read_manifest(layout.manifest("prepare"))
    facts = {**prepare.facts, "video": {**prepare.facts["video"], "filename": "my_<b>*video*|1.mp4"}}
    card = card_of(layout, prepare=prepare.model_copy(update={"facts": facts}))
    assert r"- video: my\_\<b\>\*video\*\|1.mp4, 96 x 64 pixels" in card


def test_variants_of_lora_are_told_where_there_are_any(card, layout):
    assert "rsLoRA" not in card
    assert "| projector |" not in card
    train = read_manifest(layout.manifest("train"))
    lora = {**train.settings["training"]["lora"], "rslora": True, "dora": True, "projector": "trained"}
    settings = {**train.settings, "training": {**train.settings["training"], "lora": lora}}
    told = card_of(layout, train=train.model_copy(update={"settings": settings}))
    assert "| variants of LoRA | rsLoRA (alpha over the rank's square root), DoRA |" in told
    assert "| projector | trained whole, saved with the adapter |" in told


def test_a_whole_model_is_told_as_one(layout):
    train, evaluate = (read_manifest(layout.manifest(phase)) for phase in ("train", "evaluate"))
    training = {**train.settings["training"], "method": "full", "lora": None}
    learned = {"language_model": 900, "projector": 100, "vision_tower": 0}
    told = card_of(
        layout,
        train=train.model_copy(
            update={
                "settings": {**train.settings, "training": training},
                "facts": {**train.facts, "full": {"parameters": 1000, "parts": learned}},
            }
        ),
        evaluate=evaluate,
        exported={**EXPORTED, "verification": {"frames": 4, "answers": 8, "model_text_share": 1.0}},
    )
    for row in (
        "| method | full: the weights themselves, without an adapter |",
        "| parts that learn | language model, projector |",
        "| frozen parts | vision tower |",
        "| trained parameters | 1000 |",
    ):
        assert row in told
    assert "Equal letter by letter to the trained model: 100% (float32)." in told
    assert {"lora", "peft"}.isdisjoint(ModelCard(told).data.tags)
    assert "PEFT" not in told
    (code, _boxes) = snippets(told)
    assert 'from_pretrained("model", dtype="auto")' in code
