from __future__ import annotations

import math

from sam2vlm.tracking import MetricsLog, read_metrics


def test_lines_come_back_as_written(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl", after_step=None)
    log.write(step=5, epoch=0.5, loss=1.25, grad_norm=0.5)
    log.write(step=5, epoch=0.5, eval_loss=1.5)
    log.close()
    assert read_metrics(tmp_path / "metrics.jsonl") == [
        {"step": 5, "epoch": 0.5, "loss": 1.25, "grad_norm": 0.5},
        {"step": 5, "epoch": 0.5, "eval_loss": 1.5},
    ]


def test_a_resume_drops_what_comes_again_and_a_torn_last_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, after_step=None)
    for step in (0, 2, 4, 6):
        log.write(step=step, epoch=step / 10, loss=1.0)
    log.close()
    path.write_text(path.read_text() + '{"epoch": 0.8, "lo')
    MetricsLog(path, after_step=4).close()
    assert [line["step"] for line in read_metrics(path)] == [0, 2, 4]


def test_a_fresh_start_forgets_everything(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 2, "epoch": 0.1, "loss": 1.0}\n')
    MetricsLog(path, after_step=None).close()
    assert path.read_text() == ""


def test_the_bytes_do_not_depend_on_the_order_of_figures_and_hold_no_nan(tmp_path):
    texts = []
    for number, figures in enumerate(({"b": 1.0, "a": math.nan}, {"a": math.nan, "b": 1.0})):
        path = tmp_path / f"{number}.jsonl"
        log = MetricsLog(path, after_step=None)
        log.write(step=1, epoch=0.1, **figures)
        log.close()
        texts.append(path.read_text())
    assert texts == ['{"b": 1.0, "epoch": 0.1, "step": 1}\n'] * 2


def test_no_file_means_no_lines(tmp_path):
    assert read_metrics(tmp_path / "none.jsonl") == []
