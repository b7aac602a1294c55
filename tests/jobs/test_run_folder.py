"""The run's folder is opened once, its log follows, and a finished phase is named by its manifest."""

import errno
import json

import pytest

from jobs.entrypoint import last_words, open_run
from sam2vlm.artifacts import Counts, RunLayout, digest_of_file, open_phase
from sam2vlm.errors import InterruptedRunError, SettingsError


def test_the_folder_is_made_and_logged_into(tmp_path, prepare_here):
    run = tmp_path / "deep" / "run"
    ended = prepare_here(EXPORT=tmp_path / "none.zip", RUN=run)
    kept = [json.loads(line) for line in (run / "logs" / "prepare-0.jsonl").read_text().splitlines()]
    assert kept == ended.events
    assert [event["event"] for event in kept] == ["failed"]


def test_a_log_that_cannot_be_kept_hides_nothing(tmp_path, export, prepare_here):
    (tmp_path / "run" / "logs").mkdir(parents=True)
    (tmp_path / "run" / "logs" / "prepare-0.jsonl").symlink_to("/dev/full")
    ended = prepare_here(EXPORT=export, RUN=tmp_path / "run")
    assert ended.code == 0
    assert ended.named("prepared")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, InterruptedRunError),
        (errno.EDQUOT, InterruptedRunError),
        (errno.ESTALE, InterruptedRunError),
        (errno.EACCES, SettingsError),
        (errno.EROFS, SettingsError),
        (errno.ENOTDIR, SettingsError),
        (errno.EEXIST, SettingsError),
        (errno.ENAMETOOLONG, SettingsError),
    ],
)
def test_a_passing_fault_of_the_volume_is_retried_and_a_lasting_one_is_not(number, kind, tmp_path, monkeypatch):
    def refuse(*_arguments, **_more):
        raise OSError(number, "refused", str(tmp_path))

    monkeypatch.setattr("jobs.entrypoint.configure_logging", refuse)
    with pytest.raises(kind, match=str(tmp_path)):
        open_run(tmp_path / "run", "prepare")


@pytest.mark.parametrize("name", ["a\0b", "a\ud800"])
def test_a_name_that_no_folder_can_have_is_refused(tmp_path, name):
    with pytest.raises(SettingsError, match="SAM2VLM_RUN: is no name of a folder"):
        open_run(tmp_path / name, "prepare")


def test_the_last_words_are_one_line_of_json(tmp_path):
    layout = RunLayout(tmp_path)
    with open_phase(layout, "train", inputs={}, settings={}, seed=0) as phase:
        phase.finish(counts=Counts(seen=0, kept=0), facts={})
    words = last_words(layout, "train", already=False)
    assert "\n" not in words
    assert json.loads(words) == {
        "phase": "train",
        "status": "done",
        "manifest": digest_of_file(tmp_path / "train" / "manifest.json"),
    }
    assert json.loads(last_words(layout, "train", already=True))["status"] == "already done"
