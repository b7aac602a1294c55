"""The dataset on the disk: its schema, its bytes, its memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

import datasets
import pytest

from sam2vlm.artifacts import digest_of_tree, files_below
from sam2vlm.data_converter import HuggingFaceConverter, SAM2Parser
from sam2vlm.data_converter.dataset_rows import dataset_features
from sam2vlm.data_converter.huggingface_converter import write_dataset_dict
from sam2vlm.data_converter.instructions import InstructionMix
from sam2vlm.errors import DataError, SettingsError

MIX = InstructionMix(per_frame=2)


@pytest.fixture
def archive(export, tmp_path):
    return export.zip(tmp_path / "export.zip")


@pytest.fixture
def frames(archive):
    return SAM2Parser().parse_zip(archive).frames


def test_the_quick_start(archive, tmp_path):
    result = HuggingFaceConverter().convert(input_path=str(archive), output_path=str(tmp_path / "out"))
    assert result.total_samples == result["total_samples"] == 3
    assert dict(result)["samples"] == {"train": 3}
    with pytest.raises(KeyError):
        result["convert"]
    found = datasets.load_from_disk(str(tmp_path / "out"))
    assert isinstance(found, datasets.Dataset)
    assert len(found) == 3


def test_rows_hold_what_the_frames_hold(export, frames, tmp_path):
    write_dataset_dict({"train": frames[:1], "val": frames[1:2], "test": frames[2:]}, tmp_path / "out", mix=MIX)
    found = datasets.load_from_disk(str(tmp_path / "out"))
    assert list(found) == ["train", "val", "test"]
    assert found["train"].features == dataset_features(["crab", "fish"])
    assert str(found["val"].split) == "val"
    raw = found["val"].cast_column("image", datasets.Image(decode=False))[0]
    assert raw.pop("image")["bytes"] == export.pictures["images/frame_000006.png"]
    crab, fish = sorted(frames[1].objects, key=lambda item: item.bbox[1])
    assert raw == {
        "sample_id": frames[1].sample_id,
        "split": "val",
        "video_id": frames[1].video_id,
        "frame_index": 6,
        "timestamp_sec": 0.2,
        "width": 96,
        "height": 64,
        "objects": [
            {
                "object_id": item.object_id,
                "track_id": f"{frames[1].video_id}/{item.object_id}",
                "label": item.label,
                "label_id": ["crab", "fish"].index(item.label),
                "bbox": list(item.bbox),
                "area": item.area,
                "segmentation": {"size": [256, 256], "counts": item.mask.counts},
                "confidence": 0.95,
            }
            for item in (crab, fish)
        ],
        "instructions": [item.row() for item in MIX.for_frame(frames[1])],
    }
    assert found["val"][0]["image"].size == (96, 64)


def test_negative_examples_and_missing_confidence(export, tmp_path):
    export.annotations["annotations"][0]["objects"] = []
    export.annotations["annotations"][1]["objects"][0]["confidence"] = None
    export.annotations["annotations"][1]["objects"][1].update(mask_rle="65536")
    HuggingFaceConverter().convert(export.zip(tmp_path / "export.zip"), tmp_path / "out")
    found = datasets.load_from_disk(str(tmp_path / "out"))
    assert [len(row["objects"]) for row in found] == [0, 1, 2]
    assert found[1]["objects"][0]["confidence"] is None


PROGRAM = """
import sys
from pathlib import Path
from sam2vlm.data_converter import SAM2Parser
from sam2vlm.data_converter.huggingface_converter import write_dataset_dict
from sam2vlm.data_converter.llava_converter import write_llava
from sam2vlm.data_converter.instructions import InstructionMix
source, output = map(Path, sys.argv[1:])
frames = SAM2Parser().parse_zip(source).frames
splits = {"train": frames[:1], "val": frames[1:2], "test": frames[2:]}
write_dataset_dict(splits, output / "dataset", mix=InstructionMix())
write_llava(splits, output / "llava", mix=InstructionMix())
heavy = {"torch", "transformers", "tensorflow", "jax"} & set(sys.modules)
assert not heavy, heavy
"""


def test_two_processes_write_the_same_bytes_and_leave_no_cache(archive, tmp_path):
    digests = []
    for number, seed in enumerate(("0", "4711")):
        # Another name, another folder, another home: nothing of it may show.
        source = shutil.copy(archive, tmp_path / f"copy{number}.zip")
        output, home = tmp_path / "somewhere" / str(number), tmp_path / f"home{number}"
        home.mkdir()
        environment = {"PYTHONHASHSEED": seed, "HOME": str(home), "TZ": f"UTC{number}", "PATH": os.environ["PATH"]}
        subprocess.run([sys.executable, "-c", PROGRAM, str(source), str(output)], env=environment, check=True)
        assert not any(home.iterdir())
        digests.append({name: digest_of_tree(output / name) for name in files_below(output)})
    assert digests[0] == digests[1]
    assert "dataset/dataset_dict.json" in digests[0]
    assert "llava/manifest.json" in digests[0]
    for name in digests[0]:
        assert str(tmp_path).encode() not in (tmp_path / "somewhere" / "0" / name).read_bytes()


def test_the_fingerprint_is_the_contents(frames, tmp_path):
    prints = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_dataset_dict({"train": frames}, tmp_path / name, mix=InstructionMix(seed=seed))
        prints.append(datasets.load_from_disk(str(tmp_path / name))["train"]._fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_the_library_itself_would_save_the_same_rows(frames, tmp_path):
    write_dataset_dict({"train": frames}, tmp_path / "ours", mix=MIX)
    found = datasets.load_from_disk(str(tmp_path / "ours"))
    found.save_to_disk(str(tmp_path / "theirs"))
    again = datasets.load_from_disk(str(tmp_path / "theirs"))
    assert again["train"].features == found["train"].features
    assert again["train"].data.table.equals(found["train"].data.table)
    assert list(files_below(tmp_path / "ours")) == list(files_below(tmp_path / "theirs"))


def test_shards_stay_below_their_size(frames, tmp_path, monkeypatch):
    monkeypatch.setattr("sam2vlm.data_converter.arrow_shards._BATCH_ROWS", 1)
    write_dataset_dict({"train": frames * 4}, tmp_path / "out", mix=MIX, shard_bytes=4000)
    names = sorted(path.name for path in (tmp_path / "out" / "train").glob("*.arrow"))
    assert len(names) > 2
    assert names[0] == f"data-00000-of-{len(names):05d}.arrow"
    assert list((tmp_path / "out").rglob("*.partial")) == []
    found = datasets.load_from_disk(str(tmp_path / "out"))["train"]
    assert [row["frame_index"] for row in found] == [0, 6, 12] * 4


def test_pictures_never_lie_in_memory_all_together(tmp_path):
    # 240 MB of pictures through a process that may grow by far less; noise, so that nothing packs.
    program = """
import os, resource, sys
from pathlib import Path
import datasets, pyarrow
from sam2vlm.annotations import Frame
from sam2vlm.data_converter.huggingface_converter import write_dataset_dict
from sam2vlm.data_converter.instructions import InstructionMix
read = lambda: b"\\x89PNG\\r\\n\\x1a\\n" + os.urandom(2_000_000)
frames = [Frame("v", n, 0.0, 8, 8, (), "x.png", read) for n in range(120)]
write_dataset_dict({"train": frames[:5]}, Path(sys.argv[1]) / "warm", mix=InstructionMix())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_dataset_dict({"train": frames}, Path(sys.argv[1]) / "out", mix=InstructionMix())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    grown_kib = int(done.stdout.splitlines()[-1])
    assert grown_kib < 110_000


def test_an_older_result_is_replaced_and_other_files_are_not(archive, tmp_path):
    converter = HuggingFaceConverter()
    (tmp_path / "out").mkdir()
    converter.convert(archive, tmp_path / "out")
    before = digest_of_tree(tmp_path / "out")
    converter.convert(archive, tmp_path / "out")
    assert digest_of_tree(tmp_path / "out") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(SettingsError, match="holds something else and is not overwritten"):
        converter.convert(archive, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    with pytest.raises(SettingsError, match="holds something else"):
        converter.convert(archive, tmp_path / "mine" / "thesis.txt")


def test_a_damaged_picture_leaves_nothing_behind(archive, tmp_path):
    with zipfile.ZipFile(archive) as opened:
        info = opened.getinfo("images/frame_000012.png")
    content = bytearray(archive.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + info.compress_size - 5] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged entry images/frame_000012\.png"):
        HuggingFaceConverter().convert(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["export.zip"]


def test_an_empty_split_and_a_missing_picture_are_refused(export, frames, tmp_path):
    with pytest.raises(DataError, match="the val split is empty"):
        write_dataset_dict({"train": frames, "val": [], "test": []}, tmp_path / "out", mix=MIX)
    assert not (tmp_path / "out").exists()
    del export.pictures["images/frame_000006.png"]
    parsed = SAM2Parser(pictures_required=False).parse_zip(export.zip(tmp_path / "export.zip"))
    with pytest.raises(DataError, match="has no picture"):
        write_dataset_dict({"train": parsed.frames}, tmp_path / "out", mix=MIX)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_told(archive, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(SettingsError, match="no permission"):
        HuggingFaceConverter().convert(archive, tmp_path / "closed" / "out")


def test_a_full_volume_is_told_and_nothing_stays(archive, tmp_path, monkeypatch):
    import errno

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "out"))

    monkeypatch.setattr("sam2vlm.data_converter.arrow_shards.write_json", full)
    with pytest.raises(Exception, match="no space left while writing the converted export") as told:
        HuggingFaceConverter().convert(archive, tmp_path / "out")
    assert told.value.exit_code == 75
    assert [path.name for path in tmp_path.iterdir()] == ["export.zip"]
