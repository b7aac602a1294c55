"""What the coordinator changes of a Job, and only that."""

from sam2vlm.cluster.api import release_patch
from tests.unit.cluster.listings import job

ANNOTATE = {"op": "add", "path": "/metadata/annotations/sam2vlm~1released", "value": "true"}
UNSUSPEND = {"op": "add", "path": "/spec/suspend", "value": False}


def test_without_a_queue_it_unsuspends():
    held = job("train", released=False, annotations={"sam2vlm/plan": "x"})
    assert release_patch(held) == [ANNOTATE, UNSUSPEND]


def test_without_annotations_it_makes_the_place_for_one():
    held = job("train", released=False)
    del held["metadata"]["annotations"]
    assert release_patch(held) == [{"op": "add", "path": "/metadata/annotations", "value": {}}, ANNOTATE, UNSUSPEND]


def test_with_a_queue_it_lifts_the_gate_and_leaves_the_rest_to_the_queue():
    held = job(
        "train",
        released=False,
        annotations={"kueue.x-k8s.io/admission-gated-by": "sam2vlm/phase"},
        labels={"kueue.x-k8s.io/queue-name": "team"},
    )
    lift = {"op": "remove", "path": "/metadata/annotations/kueue.x-k8s.io~1admission-gated-by"}
    assert release_patch(held) == [ANNOTATE, lift]
    # A second coordinator finds the gate gone.
    del held["metadata"]["annotations"]["kueue.x-k8s.io/admission-gated-by"]
    held["metadata"]["annotations"]["sam2vlm/released"] = "true"
    assert release_patch(held) == [ANNOTATE]
