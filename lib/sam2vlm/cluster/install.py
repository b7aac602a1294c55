"""Put an experiment on the cluster: digest the export, install the release, stream the export in."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2vlm.artifacts import digest_of_file
from sam2vlm.cluster.experiment import ON_VOLUME, Export, get_command, push_command
from sam2vlm.cluster.observe import job_condition, phase_states, pods_of
from sam2vlm.cluster.order import Status
from sam2vlm.cluster.programs import CommandError, json_of, run
from sam2vlm.errors import DataError, InterruptedRunError, Sam2vlmError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sam2vlm.cluster.experiment import Experiment

__all__ = ["find_export", "push_export", "receiving_pod"]

POLL_S = 1.0
TRIES = 5


def find_export(text: str) -> Export:
    """Read what a person gave as the export.

    Args:
        text: A local archive, or ``volume:path`` for what lies on the volume already.

    Raises:
        DataError: There is no such file, or it is a folder.
    """
    if text.startswith(ON_VOLUME):
        return Export(volume_path=text.removeprefix(ON_VOLUME).lstrip("/"))
    path = Path(text)
    if not path.exists():
        raise DataError("there is no such export", source=path, expected="a ZIP archive, or volume:path")
    if path.is_dir():
        raise DataError(
            "a folder cannot be streamed; pack it (zip -r export.zip folder), or put it on the volume and say "
            "volume:path",
            source=path,
            expected="a ZIP archive",
            found="a folder",
        )
    return Export(local=path, sha256=digest_of_file(path))


def push_export(
    experiment: Experiment, local: Path, *, timeout_s: float, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Stream an export into prepare's pod as soon as that waits for it; return when the volume has it.

    Args:
        experiment: The release.
        local: The archive.
        timeout_s: How long the pod may take to be there, in seconds.
        tell: Told what is being waited for, each time it changes.

    Raises:
        InterruptedRunError: The pod did not come in time; what it waits for is in the sentence.
        Sam2vlmError: prepare failed before the export was there.
    """
    until = time.monotonic() + timeout_s
    told = ""
    broken = 0
    while True:
        items = json_of(get_command(experiment))["items"]
        pod, waits_for = receiving_pod(experiment.name, items)
        if pod is not None:
            try:
                _send(experiment, pod, local)
            except CommandError as error:
                # The container may have ended, or begun, between the listing and the upload: look again.
                broken += 1
                if broken == TRIES:
                    raise InterruptedRunError(
                        "the upload broke; the same command goes on with it", source=local, found=error.message
                    ) from None
            else:
                return
        elif waits_for is None:
            return
        elif waits_for != told:
            tell(waits_for)
            told = waits_for
        if time.monotonic() > until:
            raise InterruptedRunError(f"prepare's pod did not start within {timeout_s:g} s: {told}")
        time.sleep(POLL_S)


def receiving_pod(release: str, items: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, str | None]:
    """Find the pod that waits for an export: a pure function of the listing.

    Args:
        release: The release's name.
        items: Its Jobs and pods.

    Returns:
        The pod and what is still missing: ``(pod, None)`` where it can be sent, ``(None, None)`` where it need
        not be, ``(None, reason)`` where one has to wait.

    Raises:
        Sam2vlmError: prepare has failed.
    """
    jobs = [item for item in items if item["kind"] == "Job"]
    prepare = phase_states(release, jobs, [item for item in items if item["kind"] == "Pod"])[0]
    if prepare.status is Status.COMPLETE:
        return None, None
    if prepare.status is Status.FAILED:
        error = Sam2vlmError(f"prepare failed: {prepare.cause}")
        error.exit_code = prepare.exit_code or error.exit_code
        raise error
    job = next((job for job in jobs if job["metadata"]["name"] == prepare.job), None)
    if job is not None and job_condition(job, "Suspended"):
        return None, "prepare is suspended (a queue has not admitted it, or somebody has paused it)"
    pods = pods_of("prepare", job, (item for item in items if item["kind"] == "Pod"))
    if not pods:
        return None, "prepare's pod is not there yet"
    return _readiness(pods[-1])


def _readiness(pod: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    status = pod.get("status", {})
    for container in status.get("initContainerStatuses") or ():
        state = container.get("state", {})
        if "running" in state:
            return pod, None
        if "terminated" in state:
            return (None, None) if state["terminated"]["exitCode"] == 0 else (None, "prepare's pod starts again")
        waiting = state.get("waiting", {})
        return None, " ".join(filter(None, ["prepare's pod:", waiting.get("reason"), waiting.get("message")]))
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return None, f"prepare's pod cannot be placed: {condition.get('message', '')}"
    return None, "prepare's pod is being placed"


def _send(experiment: Experiment, pod: dict[str, Any], local: Path) -> None:
    container = next(entry for entry in pod["spec"]["initContainers"] if entry["name"] == "receive")
    arguments = [argument for argument in container["args"] if not argument.startswith("--timeout")]
    with local.open("rb") as stream:
        run(push_command(experiment, pod["metadata"]["name"], arguments), stdin=stream)
