from __future__ import annotations

import xml.etree.ElementTree as ET

from PIL import Image

from sam2vlm.tracking import plot_losses

LINES = [
    {"step": 0, "eval_loss": 6.0},
    {"step": 5, "loss": 4.0},
    {"step": 10, "loss": 2.0},
    {"step": 10, "eval_loss": 2.5},
]


def test_equal_figures_give_equal_bytes(tmp_path):
    plot_losses(LINES, tmp_path / "a", best_step=10)
    plot_losses(LINES, tmp_path / "b", best_step=10)
    for name in ("loss.png", "loss.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_other_figures_give_other_pictures(tmp_path):
    plot_losses(LINES, tmp_path / "a", best_step=10)
    plot_losses([*LINES, {"step": 15, "loss": 9.0}], tmp_path / "b", best_step=10)
    assert (tmp_path / "a" / "loss.png").read_bytes() != (tmp_path / "b" / "loss.png").read_bytes()


def test_both_files_can_be_read_and_hold_no_date(tmp_path):
    plot_losses(LINES, tmp_path, best_step=None)
    with Image.open(tmp_path / "loss.png") as picture:
        assert picture.size == (800, 450)
        assert picture.getextrema() != ((255, 255),) * 4
    root = ET.parse(tmp_path / "loss.svg").getroot()
    assert root.tag.endswith("svg")
    assert "dc:date" not in (tmp_path / "loss.svg").read_text()
