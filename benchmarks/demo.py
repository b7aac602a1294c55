"""The newcomer's ten minutes: `make demo` in a fresh clone with an empty pip cache.

python benchmarks/demo.py            # a table
python benchmarks/demo.py --json     # the figures
python benchmarks/demo.py --strict   # exit 1 where the model misses its goal (the time never fails it)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, arguments, report

ROOT = Path(__file__).resolve().parents[1]
GOAL_SECONDS = 600
GOAL_MAP50 = 0.6
BASE_SHARE = 0.1  # the base model may reach at most a tenth of the tuned one


def main() -> int:
    """Clone, run the demo, report."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--strict", action="store_true", help="exit 1 where mAP50 misses its goal")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sam2vlm-demo-") as folder:
        clone = Path(folder) / "sam2vlm"
        seconds = _demo(clone)
        metrics = json.loads((clone / "runs/demo/evaluate/metrics.json").read_text(encoding="utf-8"))
    figures = _figures(seconds, metrics)
    report(figures, as_json=options.json, title="make demo, fresh clone, empty pip cache")
    return int(options.strict and not all(figure.holds for figure in figures if figure.unit == "mAP50"))


def _demo(clone: Path) -> float:
    # A clone of the last commit: what is not committed, a newcomer would not get.
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SAM2VLM_", "MAKE")) and name not in {"VIRTUAL_ENV", "MFLAGS"}
    }
    began = time.monotonic()
    # Its words go to standard error: standard output belongs to the figures.
    subprocess.run(
        ["make", "demo"], cwd=clone, env={**environment, "PIP_NO_CACHE_DIR": "1"}, stdout=sys.stderr, check=True
    )
    return time.monotonic() - began


def _figures(seconds: float, metrics: dict[str, dict[str, float]]) -> list[Figure]:
    base, tuned = metrics["base"]["mAP50"], metrics["tuned"]["mAP50"]
    allowed = BASE_SHARE * GOAL_MAP50
    return [
        Figure("from clone to packaged model", seconds, f"<= {GOAL_SECONDS}", "s", seconds <= GOAL_SECONDS),
        Figure("tuned model on the test split", tuned, f">= {GOAL_MAP50}", "mAP50", tuned >= GOAL_MAP50),
        Figure("base model on the test split", base, f"<= {allowed:.2f}", "mAP50", base <= allowed),
    ]


if __name__ == "__main__":
    sys.exit(main())
