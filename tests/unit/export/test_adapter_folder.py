"""The exported adapter knows no path of this machine."""

from __future__ import annotations

import json
import stat

import pytest

from sam2vlm.artifacts import files_below
from sam2vlm.errors import DataError
from sam2vlm.export.adapter import export_adapter, make_readable, require_portable


def test_all_is_copied_and_only_the_base_is_named_anew(layout, tmp_path):
    export_adapter(layout.adapter, tmp_path / "adapter", base="hub/model")
    names = list(files_below(layout.adapter))
    assert list(files_below(tmp_path / "adapter")) == names
    assert {"adapter_model.safetensors", "chat_template.jinja", "processor_config.json", "tokenizer.json"} <= set(names)
    for name in names:
        if name != "adapter_config.json":
            assert (tmp_path / "adapter" / name).read_bytes() == (layout.adapter / name).read_bytes()
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    before = json.loads((layout.adapter / "adapter_config.json").read_text())
    assert config == before | {"base_model_name_or_path": "hub/model"}


def test_without_an_adapter_it_says_so(tmp_path):
    with pytest.raises(DataError, match=r"adapter_config\.json: is missing"):
        export_adapter(tmp_path / "nothing", tmp_path / "adapter", base="hub/model")


def test_a_broken_configuration_is_refused(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "adapter_config.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        export_adapter(tmp_path / "train", tmp_path / "adapter", base="hub/model")


def test_what_is_exported_is_portable(exported):
    require_portable(exported)


@pytest.mark.parametrize("path", ["/home/somebody/model", "C:\\models\\tiny"])
def test_a_path_of_this_machine_is_refused_wherever_it_hides(copied, path):
    name = copied / "merged" / "config.json"
    name.write_text(json.dumps({"text_config": {"sources": ["model", path]}}))
    with pytest.raises(DataError, match=r"merged/config\.json: text_config\.sources\[1\]: names a path"):
        require_portable(copied)


def test_everybody_may_read_it(copied):
    (copied / "merged" / "model.safetensors").chmod(0o600)
    make_readable(copied)
    for name in files_below(copied):
        assert stat.S_IMODE((copied / name).stat().st_mode) == 0o644
