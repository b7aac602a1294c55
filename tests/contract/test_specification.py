"""The quick start of the specification, with the names that people's code uses, on a small sample of ours."""

from __future__ import annotations

import json

import pytest

from sam2vlm.config import (
    ConfigPresets,
    DataConfig,
    LoRAConfig,
    ModelConfig,
    ModelRegistry,
    TrainingConfig,
    TrainingHyperparameters,
    TrainingMethod,
)
from sam2vlm.data_converter import HuggingFaceConverter, LLaVAConverter, SAM2Parser
from sam2vlm.data_splitter import (
    RandomSplitter,
    SplitConfig,
    SplitStrategy,
    StratifiedSplitter,
    TemporalSplitter,
)
from sam2vlm.sample import write_sample
from sam2vlm.validation import BalanceAnalyzer, BasicChecks, QualityMetrics, ReportGenerator, Validator

FRAMES = 60


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "export.zip"
    write_sample(path, frames=FRAMES, objects=4, width=128, height=96, dialect="sam2-demo-1.0.0", seed=3)
    return path


@pytest.fixture(scope="module")
def parser(export):
    parser = SAM2Parser()
    parser.parse_zip(export)
    return parser


def test_parser(export, parser):
    frames = parser.get_frames()
    assert len(frames) == FRAMES
    assert [frame.frame_index for frame in frames] == sorted(frame.frame_index for frame in frames)
    assert (parser.metadata.width, parser.metadata.height) == (128, 96)
    assert parser.metadata.dialect == "sam2-demo-1.0.0"
    assert any(frame.visible_objects for frame in frames)
    assert all(frame.read_image()[:2] in (b"\xff\xd8", b"\x89P") for frame in frames[:3])


def test_validation_and_report(parser, tmp_path):
    validator = Validator()
    for rule in BasicChecks.get_all_checks():
        validator.add_rule(rule)
    validator.add_rule(BalanceAnalyzer(imbalance_threshold=10.0))
    validator.add_rule(QualityMetrics(min_object_area_percent=0.1))

    results = validator.validate({"frames": parser.get_frames(), "metadata": parser.metadata})
    assert results.is_valid
    assert len({rule.rule_id for rule in results.rules}) == 6

    report = ReportGenerator.generate_report(results, dataset_name="contract")
    assert "contract" in report
    path = tmp_path / "report.md"
    ReportGenerator.save_report(report, path)
    assert path.read_text(encoding="utf-8") == report


def test_hugging_face_converter(export, tmp_path):
    from datasets import DatasetDict, load_from_disk

    result = HuggingFaceConverter().convert(input_path=export, output_path=tmp_path / "dataset")
    assert result.total_samples == FRAMES
    assert result["total_samples"] == FRAMES
    dataset = load_from_disk(str(tmp_path / "dataset"))
    rows = sum(map(len, dataset.values())) if isinstance(dataset, DatasetDict) else len(dataset)
    assert rows == FRAMES


def test_llava_converter(export, tmp_path):
    result = LLaVAConverter().convert(input_path=export, output_path=tmp_path / "llava")
    assert result.total_samples == FRAMES
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / "llava").glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert lines
    for line in lines:
        assert (tmp_path / "llava" / line["image"]).is_file()
        assert [turn["from"] for turn in line["conversations"][:2]] == ["human", "gpt"]
        assert "<image>" in line["conversations"][0]["value"]


@pytest.mark.parametrize(
    ("splitter", "strategy"),
    [
        (StratifiedSplitter, SplitStrategy.STRATIFIED),
        (TemporalSplitter, SplitStrategy.TEMPORAL),
        (RandomSplitter, SplitStrategy.RANDOM),
    ],
)
def test_splitters(parser, splitter, strategy):
    config = SplitConfig(strategy=strategy, train_ratio=0.8, val_ratio=0.1, test_ratio=0.1, seed=42)
    made = splitter(config)
    samples = parser.get_frames()
    train, val, test = made.split(samples)
    assert min(map(len, (train, val, test))) > 0
    used = [sample.sample_id for part in (train, val, test) for sample in part]
    assert len(used) == len(set(used))
    assert set(used) <= {sample.sample_id for sample in samples}
    if strategy is not SplitStrategy.TEMPORAL:
        # A temporal split leaves out a gap at its borders, the other two leave out nothing.
        assert len(used) == FRAMES
        assert made.validate_split(train, val, test, tolerance=0.05)["is_valid"]


def test_presets_and_training_config(tmp_path):
    preset = ConfigPresets.production(data_path="data/train", val_path="data/val")
    preset.save_json(tmp_path / "production.json")
    assert TrainingConfig.load_json(tmp_path / "production.json") == preset

    config = TrainingConfig(
        model=ModelConfig(name="liuhaotian/llava-v1.5-7b", type="llava"),
        data=DataConfig(train_path="data/train", val_path="data/val", max_length=2048),
        training=TrainingHyperparameters(
            method=TrainingMethod.LORA,
            learning_rate=2e-4,
            batch_size=4,
            gradient_accumulation_steps=4,
            num_epochs=3,
            lora=LoRAConfig(rank=64, alpha=128),
        ),
        experiment_name="my_experiment",
    )
    config.save_json(tmp_path / "config.json")
    assert json.loads((tmp_path / "config.json").read_text())["training"]["lora"]["rank"] == 64


@pytest.mark.parametrize(
    "name",
    [
        "liuhaotian/llava-v1.5-7b",
        "liuhaotian/llava-v1.5-13b",
        "Qwen/Qwen-VL-Chat",
        "Salesforce/instructblip-vicuna-7b",
    ],
)
def test_memory_of_the_specifications_models(name):
    needed = ModelRegistry.estimate_vram_requirements(name, use_lora=True, batch_size=4)
    assert 10 < needed["total_vram_gb"] < 80
    assert "GB" in needed["recommended_gpu"]
