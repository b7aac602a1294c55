from __future__ import annotations

import xml.etree.ElementTree as ET

from PIL import Image

from sam2vlm.tracking import OPTIMIZATION, SPEED, plot_losses, plot_panels
from sam2vlm.tracking.plots import draw_overlay

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


def test_a_panel_is_drawn_for_each_figure_that_is_there(tmp_path):
    lines = [{"step": step, "grad_norm": 1 / step, "learning_rate": 0.1} for step in (1, 2, 3)]
    plot_panels(lines, tmp_path, "two", OPTIMIZATION)
    plot_panels([{**line, "useful_token_share": 0.9} for line in lines], tmp_path, "three", OPTIMIZATION)
    plot_panels(lines, tmp_path, "none", SPEED)
    sizes = {}
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            sizes[path.stem] = picture.size
    assert sizes == {"two": (800, 500), "three": (800, 700)}


def test_runs_are_drawn_over_each_other_whatever_their_names_are():
    other = [{**line, **({"loss": 1.0} if "loss" in line else {})} for line in LINES]
    pictures = draw_overlay({"a $x_1$": LINES, "_b": other, "empty": []})
    assert pictures == draw_overlay({"a $x_1$": LINES, "_b": other, "empty": []})
    assert set(pictures) == {"png", "svg"}
    assert legend_entries(pictures) == 4
    assert legend_entries(draw_overlay({"a": LINES})) == 2


def legend_entries(pictures):
    """How many lines the legend explains."""
    root = ET.fromstring(pictures["svg"])
    (legend,) = (item for item in root.iter() if item.get("id") == "legend_1")
    return sum(item.get("id", "").startswith("text_") for item in legend.iter())
