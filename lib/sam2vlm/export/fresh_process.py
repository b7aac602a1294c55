"""Run the verification in an interpreter of its own, which knows nothing of the models that were merged here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2vlm.errors import DataError, InterruptedRunError, Sam2vlmError, SettingsError

if TYPE_CHECKING:
    from sam2vlm.export.verify import VerificationPlan

__all__ = ["verify_in_fresh_process"]


def verify_in_fresh_process(plan: VerificationPlan) -> dict[str, Any]:
    """Run ``python -m sam2vlm.export.verify``; its events go where this process's go.

    Returns:
        What :func:`sam2vlm.export.verify.verify` returned there.

    Raises:
        DataError: The reloaded models are not the trained one.
        InterruptedRunError: The process was killed, most likely for its memory.
        Sam2vlmError: It ended otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        plan_path, result_path = Path(folder, "plan.json"), Path(folder, "result.json")
        plan.save(plan_path)
        command = [sys.executable, "-m", "sam2vlm.export.verify", str(plan_path), str(result_path)]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        result = json.loads(result_path.read_text(encoding="utf-8")) if result_path.is_file() else {}
    if ended.returncode == 0:
        return dict(result)
    raise _as_error(ended.returncode, str(result.get("error", "")), ended.stderr)


def _as_error(code: int, sentence: str, complaint: str) -> Sam2vlmError:
    for kind in (DataError, SettingsError, InterruptedRunError):
        if sentence and code == kind.exit_code:
            return kind(sentence)
    if code == -signal.SIGKILL:
        return InterruptedRunError("the verification's process was killed, most likely out of memory; give it more")
    last = (complaint.strip().splitlines() or ["nothing"])[-1]
    return Sam2vlmError("the verification's process failed", found=f"exit code {code}: {sentence or last}")
