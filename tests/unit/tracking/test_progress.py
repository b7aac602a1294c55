from __future__ import annotations

import sys

from structlog.testing import capture_logs

from sam2vlm.tracking import TrainingProgress


def test_without_a_terminal_a_logging_step_is_one_event_with_rate_and_time_left():
    with capture_logs() as events:
        progress = TrainingProgress(total_steps=10, done_steps=4, samples_per_step=8)
        progress.step(5, 1.0)
        progress.report(5, loss=1.0)
        progress.close()
    (event,) = events
    assert (event["event"], event["step"], event["of"], event["loss"]) == ("training_step", 5, 10, 1.0)
    assert event["samples_per_second"] > 0
    assert event["seconds_left"] >= 0


def test_on_a_terminal_the_bar_shows_steps_and_loss(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with capture_logs() as events:
        progress = TrainingProgress(total_steps=10, done_steps=0, samples_per_step=8)
        progress.step(10, 0.125)
        progress.report(10, loss=0.125)
        progress.close()
    assert events == []
    assert "loss 0.1250" in capsys.readouterr().out
