"""``python -m jobs.receive wait|accept --target PATH --sha256 DIGEST``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from jobs.entrypoint import run_job
from sam2vlm.cluster.upload import accept, wait_for
from sam2vlm.logs import get_logger

__all__ = ["main"]


def main() -> None:
    """Wait for an export, or take one from standard input."""
    parser = argparse.ArgumentParser(prog="python -m jobs.receive", description=__doc__)
    parser.add_argument("side", choices=["wait", "accept"])
    parser.add_argument("--target", type=Path, required=True, help="the export's path on the volume")
    parser.add_argument("--sha256", required=True, help="the digest that it must have")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds to wait")
    options = parser.parse_args()
    if options.side == "accept":
        # It runs beside the waiting process, whose last words these are not.
        os.environ.pop("SAM2VLM_TERMINATION_LOG", None)
    run_job("receive", lambda: _work(options))


def _work(options: argparse.Namespace) -> str:
    log = get_logger("receive")
    if options.side == "wait":
        wait_for(options.target, options.sha256, timeout_s=options.timeout)
        log.info("the export is there", export=options.target.name, sha256=options.sha256)
    else:
        size = accept(sys.stdin.buffer, options.target, options.sha256)
        log.info("accepted", export=options.target.name, written_bytes=size)
    return json.dumps({"phase": "receive", "status": "done", "sha256": options.sha256})


if __name__ == "__main__":
    main()
