"""The card: the Hub's library reads its metadata, and with it datasets loads the folder as it would from the Hub."""

from __future__ import annotations

import datasets
from huggingface_hub import DatasetCard

from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.dataset_card import CardFacts, write_dataset_card
from sam2vlm.data_converter.huggingface_converter import write_dataset_dict
from sam2vlm.data_converter.instructions import InstructionMix

FACTS = CardFacts(
    name="clip|1.mp4\n# no heading",
    labels=["crab", "fish_2"],
    splits={
        name: {"frames": frames, "negatives": 1, "objects": 5, "instructions": {"count": 2, "detect": 3}}
        for name, frames in (("train", 900), ("val", 80), ("test", 70))
    },
    strategy="temporal",
    notes=["20 samples are in no split (split_gap)."],
    validation="PASSED",
    languages=["en"],
)


def test_the_hubs_library_reads_the_metadata(tmp_path):
    write_dataset_card(tmp_path, FACTS)
    card = DatasetCard.load(tmp_path / "README.md")
    assert card.data.language == ["en"]
    assert card.data.size_categories == ["1K<n<10K"]
    assert card.data.task_categories == ["image-text-to-text", "object-detection", "image-segmentation"]
    assert card.data.pretty_name == FACTS.name
    assert [item["split"] for item in card.data.configs[0]["data_files"]] == ["train", "val", "test"]
    assert "| train | 900 | 1 | 5 | 5 |" in card.text
    assert "fish\\_2" in card.text
    assert [line for line in card.text.splitlines() if line.startswith("# ")] == ["# clip\\|1.mp4 \\# no heading"]


def test_with_the_card_the_folder_loads_as_from_the_hub(export, tmp_path):
    frames = SAM2Parser().parse_zip(export.zip(tmp_path / "export.zip")).frames
    splits = {"train": frames[:1], "val": frames[1:2], "test": frames[2:]}
    write_dataset_dict(splits, tmp_path / "dataset", mix=InstructionMix())
    write_dataset_card(tmp_path / "dataset", FACTS)
    saved = datasets.load_from_disk(str(tmp_path / "dataset"))
    hub = datasets.load_dataset(str(tmp_path / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert list(hub) == list(saved) == ["train", "val", "test"]
    for split in splits:
        assert hub[split].features == saved[split].features
        assert hub[split]["sample_id"][:] == saved[split]["sample_id"][:]
        assert hub[split][0]["image"].size == (96, 64)
    assert hub["train"].features["objects"].feature["label_id"].names == ["crab", "fish"]
