"""MLflow and W&B beside TensorBoard: asked for by setting, looked for before training, never in its way.

What they need to be reached, secrets among it, is read from the environment by their own libraries and by nobody else.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
from typing import TYPE_CHECKING, Any, Protocol

from sam2vlm.artifacts import write_json
from sam2vlm.errors import SettingsError
from sam2vlm.logs import SECRET_KEYS, get_logger
from sam2vlm.tracking.tensorboard import tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sam2vlm.tracking.predictions import SamplePrediction

__all__ = ["TRACKERS", "Tracker", "Trackers", "open_trackers", "require_trackers"]

#: The module that speaks to each service; its ``open_run`` begins or continues a run, its ``refuse_environment`` says
#: what is missing. The package and the extra that brings it have the service's name.
TRACKERS = {"mlflow": "sam2vlm.tracking.mlflow_tracker", "wandb": "sam2vlm.tracking.wandb_tracker"}
RUNS = "trackers.json"

_CREDENTIALS = re.compile(r"//[^/@\s]+@")
# Addresses may hold a password before their host.
_ADDRESSES = frozenset({"MLFLOW_TRACKING_URI", "WANDB_BASE_URL"})
_ADDRESS_SEPARATORS = re.compile("[/?#@:]")
_SHORTEST_SECRET = 4


class Tracker(Protocol):
    """One service's run. Whatever a method raises is told once and ends the tracking there, never the training.

    Attributes:
        run_id: By which a resumed training continues it.
    """

    run_id: str

    def write(self, figures: Mapping[str, float], *, step: int) -> None:
        """Take figures by their tags."""

    def show(self, predictions: Sequence[SamplePrediction], *, step: int) -> None:
        """Take pictures."""

    def keep(self, files: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
        """Take files by the names that they are to have there, and facts about the result."""

    def finish(self, *, outcome: str) -> None:
        """End the run here: ``done``, ``interrupted`` or ``failed``."""


class Trackers:
    """All services of a run.

    Args:
        trackers: By name; none on ranks that do not speak and where none was asked for.
    """

    def __init__(self, trackers: Mapping[str, Tracker] | None = None) -> None:
        self._trackers = dict(trackers or {})

    def write(self, *, step: int, **figures: float) -> None:
        """Pass figures on, named as in TensorBoard."""
        tagged = {tag_of(name): value for name, value in figures.items()}
        self._each("writing figures", lambda tracker: tracker.write(tagged, step=step))

    def show(self, predictions: Sequence[SamplePrediction], *, step: int) -> None:
        """Pass pictures on."""
        self._each("showing predictions", lambda tracker: tracker.show(predictions, step=step))

    def keep(self, files: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
        """Pass files and facts on; files that are not there are left out."""
        found = {name: path for name, path in files.items() if path.is_file()}
        self._each("keeping files", lambda tracker: tracker.keep(found, facts))

    def finish(self, *, outcome: str) -> None:
        """End all runs: ``done``, ``interrupted`` or ``failed``."""
        self._each("ending the run", lambda tracker: tracker.finish(outcome=outcome))
        self._trackers.clear()

    def _each(self, doing: str, call: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                call(tracker)
            except Exception as error:  # noqa: BLE001  a service that is away must not cost the training
                del self._trackers[name]
                _warn(name, doing, error)


def require_trackers(names: Iterable[str]) -> None:
    """Refuse services that cannot be used, before anything is loaded. Nothing is asked over the network.

    Raises:
        SettingsError: A package is not installed, or the environment lacks what it cannot do without.
    """
    for name in names:
        found = importlib.util.find_spec(name)
        # A mere folder is a package to Python, too, and W&B leaves one of its name wherever it has been used.
        if found is None or found.origin is None:
            raise SettingsError(
                f"its package is not installed: pip install 'sam2vlm[{name}]', or leave it out",
                field="report_to",
                found=name,
            )
        importlib.import_module(TRACKERS[name]).refuse_environment(os.environ)


def open_trackers(
    names: Iterable[str], *, folder: Path, fingerprint: str, experiment: str, run_name: str, settings: Mapping[str, Any]
) -> Trackers:
    """Begin a run at every service, or continue the one that an earlier start of the same training began.

    A service that does not answer is told and left out: an outage must not keep a training from its GPU.

    Args:
        names: Of :data:`TRACKERS`.
        folder: ``RUN/logs``; ``trackers.json`` there keeps the runs' ids, and services their own files.
        fingerprint: Of the training; ids of another one are not continued.
        experiment: Under which runs stand together.
        run_name: Of this one.
        settings: Nested; none of them is a secret.
    """
    known = _known_runs(folder / RUNS, fingerprint)
    opened: dict[str, Tracker] = {}
    for name in names:
        try:
            opened[name] = importlib.import_module(TRACKERS[name]).open_run(
                known.get(name), folder=folder, experiment=experiment, run_name=run_name, settings=settings
            )
        except Exception as error:  # noqa: BLE001  as above
            _warn(name, "opening the run", error)
    if opened:
        runs = {**known, **{name: tracker.run_id for name, tracker in opened.items()}}
        write_json(folder / RUNS, {"fingerprint": fingerprint, "runs": runs})
        get_logger("tracking").info(
            "tracking", continued=sorted(set(known) & set(opened)), **{name: runs[name] for name in opened}
        )
    return Trackers(opened)


def _known_runs(path: Path, fingerprint: str) -> dict[str, str]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return dict(values["runs"]) if values["fingerprint"] == fingerprint else {}
    except (OSError, ValueError, KeyError, TypeError):
        # There is none yet, or a kill has torn it: then a new run is begun.
        return {}


def _warn(name: str, doing: str, error: Exception) -> None:
    reason = _without_secrets(f"{type(error).__name__}: {error}")
    get_logger("tracking").warning("tracker_failed", tracker=name, doing=doing, reason=" ".join(reason.split())[:300])


def _without_secrets(text: str) -> str:
    """Blot out what the environment holds as a secret, and passwords in addresses."""
    secrets: set[str] = set()
    for variable, value in os.environ.items():
        if SECRET_KEYS.search(variable):
            secrets.add(value)
        elif variable in _ADDRESSES:
            # A password with a slash in it takes the address apart, and libraries tell the pieces.
            secrets |= {value, *_ADDRESS_SEPARATORS.split(value.rpartition("@")[0].partition("//")[2])[1:]}
    # The longest first: a shorter one may be a part of it.
    for secret in sorted(secrets, key=lambda secret: (-len(secret), secret)):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return _CREDENTIALS.sub("//***@", text)
