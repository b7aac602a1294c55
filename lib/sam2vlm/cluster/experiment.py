"""What a person asks for, and the commands that it comes to: pure functions, so that a dry run can print them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sam2vlm.cluster.observe import selector
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Experiment", "Export", "get_command", "helm_install", "helm_uninstall", "push_command"]

RELEASE = re.compile(r"[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?")
ON_VOLUME = "volume:"


@dataclass(frozen=True, slots=True)
class Experiment:
    """One release in one namespace.

    Attributes:
        name: The release's name, and the experiment's.
        namespace: Where it is; None takes the current context's.
    """

    name: str
    namespace: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name that Helm would refuse, before anything is asked of a cluster."""
        if not RELEASE.fullmatch(self.name):
            raise SettingsError(
                "cannot name a release",
                source="EXPERIMENT",
                expected="lower-case letters, digits and hyphens, at most 53",
                found=self.name,
            )

    @property
    def where(self) -> list[str]:
        """The arguments that choose the namespace."""
        return ["--namespace", self.namespace] if self.namespace else []


@dataclass(frozen=True, slots=True)
class Export:
    """What goes in: a local archive with its digest, or a path on the volume.

    Attributes:
        volume_path: Path on the volume; then nothing is uploaded.
        local: The archive on this machine.
        sha256: Its digest.
    """

    volume_path: str | None = None
    local: Path | None = None
    sha256: str = ""

    def values(self) -> dict[str, str]:
        """Return the chart's values that say so."""
        if self.local is None:
            return {"export.path": str(self.volume_path)}
        return {
            "export.upload.enabled": "true",
            "export.upload.sha256": self.sha256,
            "export.upload.name": re.sub(r"[^A-Za-z0-9._-]", "_", self.local.name).lstrip(".") or "export.zip",
        }


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a person changes of the chart's values.

    Attributes:
        preset: The training preset; None leaves the chart's.
        files: Values files.
        values: Single values, ``name=value``.
    """

    preset: str | None = None
    files: tuple[Path, ...] = ()
    values: tuple[str, ...] = field(default=())


def helm_install(chart: Path, experiment: Experiment, export: Export, overrides: Overrides) -> list[str]:
    """Return the command that installs a release, or finds that it is there as it should be."""
    command = ["helm", "upgrade", "--install", experiment.name, str(chart), *experiment.where]
    if experiment.namespace:
        command.append("--create-namespace")
    for file in overrides.files:
        command += ["--values", str(file)]
    for name, value in export.values().items():
        # A digest of digits alone must stay a string.
        command += ["--set" if value == "true" else "--set-string", f"{name}={value}"]
    if overrides.preset:
        command += ["--set-string", f"preset={overrides.preset}"]
    for value in overrides.values:
        command += ["--set", value]
    return command


def helm_uninstall(experiment: Experiment) -> list[str]:
    """Return the command that removes a release and waits until its pods are gone."""
    return ["helm", "uninstall", experiment.name, *experiment.where, "--wait", "--cascade", "foreground"]


def get_command(experiment: Experiment, kinds: str = "jobs,pods") -> list[str]:
    """Return the command that lists a release's phases as JSON."""
    return ["kubectl", "get", kinds, *experiment.where, "--selector", selector(experiment.name), "--output", "json"]


def push_command(experiment: Experiment, pod: str, receive_arguments: list[str]) -> list[str]:
    """Return the command that streams an export into prepare's waiting pod.

    Args:
        experiment: The release.
        pod: The pod's name.
        receive_arguments: Those of the waiting container, from the pod's own specification.
    """
    accept = ["python", "-m", "jobs.receive", "accept", *receive_arguments]
    return ["kubectl", "exec", "--stdin", *experiment.where, pod, "--container", "receive", "--", *accept]
