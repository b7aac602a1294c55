from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys

import pytest
from huggingface_hub import constants

from sam2vlm.errors import InterruptedRunError, SettingsError
from sam2vlm.modeling.source import find_model

NAME = "llava-hf/llava-1.5-7b-hf"


def test_the_packaged_model_is_found_with_all_it_needs(tiny_source):
    assert tiny_source.name == "tiny-llava"
    names = {path.name for path in tiny_source.folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names


def test_a_local_folder_with_the_same_files_has_the_same_digest(tiny_source, tmp_path):
    copy = shutil.copytree(tiny_source.folder, tmp_path / "copy")
    assert find_model("tiny-llava", checkpoint=str(copy)).digest == tiny_source.digest


def test_one_other_byte_is_another_digest_and_a_note_beside_is_not(tiny_source, tmp_path):
    copy = shutil.copytree(tiny_source.folder, tmp_path / "copy")
    (copy / "README.md").write_text("a note")
    assert find_model("tiny-llava", checkpoint=str(copy)).digest == tiny_source.digest
    (copy / "chat_template.jinja").write_text("another")
    assert find_model("tiny-llava", checkpoint=str(copy)).digest != tiny_source.digest


@pytest.mark.parametrize("checkpoint", ["/nowhere/at/all", "package:modeling/nothing", "not a hub id"])
def test_a_folder_that_is_not_there_is_a_setting_to_correct(checkpoint):
    with pytest.raises(SettingsError, match="no such model folder"):
        find_model("mine", checkpoint=checkpoint)


def test_a_folder_without_weights_is_no_model(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"mine: model: is not a model.*safetensors"):
        find_model("mine", checkpoint=str(tmp_path))


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """The hub's cache as its own library lays it out, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def fill(cache, files):
    root = cache / f"models--{NAME.replace('/', '--')}"
    snapshot = root / "snapshots" / ("a" * 40)
    (root / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("a" * 40)
    for name, content in files.items():
        blob = root / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).symlink_to(blob)


def test_a_cached_hub_model_is_used_without_network_and_without_reading_its_weights(hub_cache):
    fill(hub_cache, {"config.json": b"{}", "model.safetensors": b"many gigabytes"})
    found = find_model(NAME, checkpoint=NAME)
    assert found.folder.is_relative_to(hub_cache)
    blob = (found.folder / "model.safetensors").resolve()
    blob.write_bytes(b"the digest is the blob's name, so this is not read")
    assert find_model(NAME, checkpoint=NAME).digest == found.digest


def test_offline_without_a_cached_model_says_so(hub_cache):
    with pytest.raises(SettingsError, match=r"llava-1\.5-7b-hf: model: .*HF_HUB_OFFLINE"):
        find_model(NAME, checkpoint=NAME)


def test_a_hub_that_does_not_answer_can_be_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InterruptedRunError, match="hub"):
        find_model(NAME, checkpoint=NAME)


def test_finding_a_model_needs_no_torch():
    code = (
        "import sys; from sam2vlm.modeling.source import find_model; import sam2vlm.checkpoints;"
        "find_model('tiny-llava', checkpoint='package:modeling/tiny_llava'); print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
