"""What ``helm test`` looks at: the coordinator's permissions and the volume."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Protocol

from sam2vlm.artifacts import PHASES
from sam2vlm.cluster.observe import job_name
from sam2vlm.errors import SettingsError, from_os_error
from sam2vlm.logs import get_logger

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_installation"]


class Permissions(Protocol):
    """Whom to ask what the account may do."""

    release_name: str

    def permission(self, verb: str, group: str, resource: str, name: str = "") -> bool:
        """Tell whether the account may do something."""


def check_installation(account: Permissions, volume: Path) -> None:
    """Check that the coordinator may do its work and that the phases can write.

    Args:
        account: Asked for each permission.
        volume: Where the run's volume is mounted.

    Raises:
        SettingsError: The first permission that is missing, or that is there and should not be; or the volume
            cannot be written.
    """
    log = get_logger("installation")
    for verb in ("get", "list", "watch"):
        for group, resource in (("batch", "jobs"), ("", "pods")):
            _require(account.permission(verb, group, resource), f"{verb} {resource}")
    for phase in PHASES:
        name = job_name(account.release_name, phase)
        _require(account.permission("patch", "batch", "jobs", name), f"patch the Job {name}")
    if account.permission("patch", "batch", "jobs"):
        raise SettingsError("the coordinator may patch every Job of its namespace", expected="this release's alone")
    log.info("the coordinator's permissions are right")
    probe = volume / f".sam2vlm-test-{uuid.uuid4().hex}"
    try:
        probe.write_bytes(b"sam2vlm")
        probe.unlink()
    except OSError as error:
        raise from_os_error(error, doing="writing to the run's volume") from None
    log.info("the volume is writable", volume=str(volume))


def _require(allowed: bool, what: str) -> None:  # noqa: FBT001  the answer itself, not a switch
    if not allowed:
        raise SettingsError(f"the coordinator may not {what}; its Role or RoleBinding is missing or differs")
