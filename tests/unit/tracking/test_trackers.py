from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from sam2vlm.errors import SettingsError
from sam2vlm.tracking import SamplePrediction, Trackers, require_trackers
from sam2vlm.tracking.trackers import TRACKERS, open_trackers


class Notes:
    """A service in memory, whose methods raise what they are told to."""

    def __init__(self, run_id="1", *, failing=None):
        self.run_id, self.failing, self.taken = run_id, failing, []

    def _take(self, name, *values):
        self.taken.append((name, *values))
        if name == self.failing:
            raise ConnectionError("https://reef:swordfish@host/api said no to key-of-mine")

    def write(self, figures, *, step):
        self._take("write", step, dict(figures))

    def show(self, predictions, *, step):
        self._take("show", step, [item.name for item in predictions])

    def keep(self, files, facts):
        self._take("keep", sorted(files), dict(facts))

    def finish(self, *, outcome):
        self._take("finish", outcome)


def follow(trackers, folder):
    trackers.write(step=1, loss=0.5, eval_loss=0.25, predictions_mAP50=0.125)
    trackers.show([SamplePrediction("video/1", b"", "text")], step=1)
    (folder / "there").write_text("x")
    trackers.keep({"a": folder / "there", "b": folder / "gone"}, {"steps": 1})
    trackers.finish(outcome="done")


def test_every_service_is_told_everything_by_tensorboards_names(tmp_path):
    services = {"one": Notes(), "two": Notes()}
    follow(Trackers(services), tmp_path)
    wanted = [
        ("write", 1, {"train/loss": 0.5, "val/loss": 0.25, "predictions/mAP50": 0.125}),
        ("show", 1, ["video/1"]),
        ("keep", ["a"], {"steps": 1}),
        ("finish", "done"),
    ]
    assert [service.taken for service in services.values()] == [wanted, wanted]


@pytest.mark.parametrize("failing", ["write", "show", "keep", "finish"])
def test_a_service_that_fails_is_told_once_without_secrets_and_asked_no_more(tmp_path, monkeypatch, failing):
    monkeypatch.setenv("WANDB_API_KEY", "key-of-mine")
    bad, good = Notes(failing=failing), Notes()
    with capture_logs() as events:
        follow(Trackers({"bad": bad, "good": good}), tmp_path)
    (event,) = events
    assert (event["event"], event["log_level"], event["tracker"]) == ("tracker_failed", "warning", "bad")
    assert event["reason"] == "ConnectionError: https://***@host/api said no to ***"
    assert bad.taken[-1][0] == failing
    assert len(good.taken) == 4


@pytest.mark.parametrize(
    "password", ["sword/fish", "sword@fish", "sword?fish#sharks", "sword:fish"], ids=["slash", "at", "query", "colon"]
)
def test_a_password_that_takes_its_address_apart_is_not_told_in_pieces(monkeypatch, password):
    """Libraries take the host from what stands behind the first slash, and name both parts."""
    address = f"http://reef:{password}@mlflow:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)

    class Lost(Notes):
        def _take(self, *_values):
            parts = urlsplit(address)
            raise ConnectionError(f"host='{parts.netloc}', url: {parts.path}?{parts.query}#{parts.fragment}")

    with capture_logs() as events:
        Trackers({"bad": Lost()}).write(step=1, loss=0.5)
    assert events[0]["reason"].startswith("ConnectionError: host=")
    assert [word for word in ("sword", "fish", "shark") if word in events[0]["reason"]] == []


def test_a_stop_from_the_keyboard_is_no_failure_of_a_service():
    class Stopped:
        run_id = "1"

        def write(self, figures, *, step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trackers({"one": Stopped()}).write(step=1, loss=0.5)


@pytest.mark.parametrize("name", sorted(TRACKERS))
@pytest.mark.parametrize("folder", [False, True], ids=["nothing", "a folder of its name"])
def test_a_missing_package_names_its_extra(monkeypatch, tmp_path, name, folder):
    # Only what is found on this path: the packages are installed here.
    if folder:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda wanted: importlib.machinery.PathFinder.find_spec(wanted, [str(tmp_path)])
    )
    with pytest.raises(SettingsError, match=rf"report_to: .*pip install 'sam2vlm\[{name}\]'"):
        require_trackers([name])


@pytest.mark.parametrize(
    ("name", "told", "enough"),
    [
        ("mlflow", "MLFLOW_TRACKING_URI", {"MLFLOW_TRACKING_URI": "http://host"}),
        ("wandb", "WANDB_API_KEY", {"WANDB_API_KEY": "key-of-mine"}),
        ("wandb", "WANDB_API_KEY: .*WANDB_MODE=offline", {"WANDB_MODE": "offline"}),
    ],
)
def test_what_the_environment_has_to_say_is_asked_for_before_training(monkeypatch, name, told, enough):
    for variable in [variable for variable in os.environ if variable.startswith(("MLFLOW_", "WANDB_"))]:
        monkeypatch.delenv(variable)
    installed = importlib.machinery.ModuleSpec("any", None, origin="any/__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: installed)
    with pytest.raises(SettingsError, match=told):
        require_trackers([name])
    for variable, value in enough.items():
        monkeypatch.setenv(variable, value)
    require_trackers([name])


@pytest.fixture
def service(monkeypatch):
    """A service whose module is this object."""

    class Service:
        begun = 0
        fault: Exception | None = None

        def open_run(self, run_id, **_):
            if self.fault is not None:
                raise self.fault
            self.begun += run_id is None
            return Notes(run_id or f"run-{self.begun}")

    made = Service()
    monkeypatch.setattr("sam2vlm.tracking.trackers.importlib.import_module", lambda _name: made)
    return made


def open_in(folder, fingerprint="f"):
    with capture_logs() as events:
        options = {"experiment": "reef", "run_name": "run", "settings": {}}
        open_trackers(["mlflow"], folder=folder, fingerprint=fingerprint, **options)
    return events[-1]


def test_the_same_training_goes_on_in_the_same_run_and_another_begins_one(tmp_path, service):
    assert (open_in(tmp_path)["mlflow"], open_in(tmp_path)["mlflow"]) == ("run-1", "run-1")
    assert open_in(tmp_path, "another")["mlflow"] == "run-2"
    (tmp_path / "trackers.json").write_text('{"finger')
    assert open_in(tmp_path)["continued"] == []


def test_an_outage_at_the_start_keeps_the_ids_for_the_next_one(tmp_path, service):
    open_in(tmp_path)
    service.fault = ConnectionError("no route")
    assert open_in(tmp_path)["event"] == "tracker_failed"
    service.fault = None
    assert open_in(tmp_path)["mlflow"] == "run-1"
    assert json.loads((tmp_path / "trackers.json").read_text())["runs"] == {"mlflow": "run-1"}
