"""Jobs and pods as the API server lists them, cut to the fields that are read."""

from __future__ import annotations

import json

DIGEST = "ab" * 32


def job(phase, *, condition=None, message="", released=True, annotations=None, labels=None, uid=None, suspended=False):
    conditions = [{"type": condition, "status": "True", "message": message}] if condition else []
    if suspended:
        conditions.append({"type": "Suspended", "status": "True"})
    return {
        "kind": "Job",
        "metadata": {
            "name": f"reef-{phase}",
            "uid": uid or f"job-{phase}",
            "labels": {"sam2vlm/phase": phase, **(labels or {})},
            "annotations": {**({"sam2vlm/released": "true"} if released else {}), **(annotations or {})},
        },
        "spec": {"suspend": not released},
        "status": {"conditions": conditions, "startTime": "2031-01-01T00:00:00Z"},
    }


def pod(phase, *, status="Running", exit_code=None, message=None, finished="2031-01-01T00:01:00Z", **more):
    state = {"running": {}}
    if exit_code is not None:
        state = {"terminated": {"exitCode": exit_code, "finishedAt": finished, "message": message, "reason": "Error"}}
    return {
        "kind": "Pod",
        "metadata": {
            "name": more.get("name", f"reef-{phase}-x"),
            "labels": {"sam2vlm/phase": phase},
            "ownerReferences": [{"controller": True, "uid": more.get("owner", f"job-{phase}")}],
            "creationTimestamp": more.get("created", "2031-01-01T00:00:00Z"),
            "annotations": {"batch.kubernetes.io/job-completion-index": str(more["node"])} if "node" in more else {},
        },
        "spec": {"containers": [{"name": phase}]},
        "status": {
            "phase": status,
            "containerStatuses": [{"name": phase, "state": state}],
            **more.get("extra_status", {}),
        },
    }


def done_pod(phase, manifest=DIGEST, **more):
    words = json.dumps({"phase": phase, "status": "done", "manifest": manifest})
    return pod(phase, status="Succeeded", exit_code=0, message=words, **more)
