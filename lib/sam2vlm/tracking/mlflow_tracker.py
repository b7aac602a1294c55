"""A training as a run of MLflow's tracking server, or of a folder where ``MLFLOW_TRACKING_URI`` names one."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts.differences import leaves
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sam2vlm.tracking.predictions import SamplePrediction

__all__ = ["MlflowTracker", "open_run", "refuse_environment"]

#: MLflow waits up to two minutes for an answer and asks eight times, and training would wait with it. And it tells its
#: makers about its use. Folders are an explicit wish here: the address names one.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
}
OUTCOMES = {"done": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
UNKNOWN_RUN = "RESOURCE_DOES_NOT_EXIST"
#: Parameters that one request of MLflow's may hold.
BATCH = 100


class MlflowTracker:
    """One run.

    Args:
        client: An ``MlflowClient``.
        run_id: The run's.
    """

    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self.run_id = run_id

    def write(self, figures: Mapping[str, float], *, step: int) -> None:
        """Log metrics of a step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self.run_id, metrics=[Metric(tag, value, now, step) for tag, value in figures.items()])

    def show(self, predictions: Sequence[SamplePrediction], *, step: int) -> None:
        """Log pictures and texts as artifacts, ``predictions/<frame>/step-000010.{png,md}``."""
        import io

        from PIL import Image

        for prediction in predictions:
            place = f"predictions/{prediction.name}/step-{step:06d}"
            with Image.open(io.BytesIO(prediction.picture)) as picture:
                self._client.log_image(self.run_id, picture, artifact_file=f"{place}.png")
            self._client.log_text(self.run_id, prediction.text, f"{place}.md")

    def keep(self, files: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
        """Log files as artifacts and facts as tags."""
        for name, path in files.items():
            self._client.log_artifact(self.run_id, str(path), name.rpartition("/")[0] or None)
        for name, value in facts.items():
            self._client.set_tag(self.run_id, f"sam2vlm.{name}", str(value))

    def finish(self, *, outcome: str) -> None:
        """Set the run's status."""
        self._client.set_terminated(self.run_id, OUTCOMES[outcome])


def refuse_environment(environment: Mapping[str, str]) -> None:
    """Refuse to guess where runs go.

    Raises:
        SettingsError: No address.
    """
    if not environment.get("MLFLOW_TRACKING_URI"):
        raise SettingsError(
            "report_to names MLflow, and nothing says where it is",
            source="MLFLOW_TRACKING_URI",
            expected="a server's address, or file:/a/folder",
            found="nothing",
        )


def open_run(
    run_id: str | None, *, folder: Path, experiment: str, run_name: str, settings: Mapping[str, Any]
) -> MlflowTracker:
    """Begin a run, or continue one.

    Args:
        run_id: The one to continue; a new one is begun where there is none of that id any more.
        folder: Not needed here.
        experiment: The experiment's name; ``MLFLOW_EXPERIMENT_NAME`` wins.
        run_name: The run's.
        settings: Nested; logged as parameters by dotted names when a run begins.
    """
    del folder
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow.entities import Param
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    if run_id is not None and _there(client, run_id):
        client.update_run(run_id, status="RUNNING")
        return MlflowTracker(client, run_id)
    named = os.environ.get("MLFLOW_EXPERIMENT_NAME") or experiment
    found = client.get_experiment_by_name(named)
    experiment_id = client.create_experiment(named) if found is None else found.experiment_id
    begun = client.create_run(experiment_id, run_name=run_name).info.run_id
    parameters = [Param(name, str(value)) for name, value in leaves(settings)]
    for start in range(0, len(parameters), BATCH):
        client.log_batch(begun, params=parameters[start : start + BATCH])
    return MlflowTracker(client, begun)


def _there(client: Any, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code != UNKNOWN_RUN:
            raise
        return False
