"""A release through the API server, from inside of a pod: the one module that imports ``kubernetes``."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from sam2vlm.cluster.coordinator import ClusterDeniedError, ClusterUnavailableError, Observation
from sam2vlm.cluster.observe import (
    GATE_ANNOTATION,
    QUEUE_LABEL,
    RELEASED_ANNOTATION,
    phase_states,
    selector,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KubernetesRelease", "connect"]

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
FORBIDDEN = 403
# The object changed or went in the meantime, or the watch's version is too old: looking again settles all of them.
STALE = (404, 409, 410, 422)


def connect() -> client.ApiClient:
    """Return a client of the cluster that this pod runs in, or else of the kubeconfig's current context."""
    try:
        config.load_incluster_config()  # type: ignore[no-untyped-call]  # the client ships no types here
    except config.ConfigException:
        config.load_kube_config()  # type: ignore[no-untyped-call]  # as above
    return client.ApiClient()


class KubernetesRelease:
    """One release's Jobs and pods.

    Args:
        api: The client.
        release: The release's name.
        namespace: Its namespace.
    """

    def __init__(self, api: client.ApiClient, *, release: str, namespace: str) -> None:
        self._batch = client.BatchV1Api(api)
        self._core = client.CoreV1Api(api)
        self._authorization = client.AuthorizationV1Api(api)
        self.release_name = release
        self.namespace = namespace

    def observe(self) -> Observation:
        """List the release's Jobs and pods.

        Raises:
            ClusterUnavailableError: The API server does not answer.
            ClusterDeniedError: It forbids the listing.
        """
        with _told("list the release's Jobs and pods"):
            jobs = self._list(self._batch.list_namespaced_job)
            pods = self._list(self._core.list_namespaced_pod)
        states = phase_states(self.release_name, jobs["items"], pods["items"])
        return Observation(tuple(states), str(jobs["metadata"]["resourceVersion"]))

    def release(self, job: str) -> None:
        """Let a Job start: lift the queue's gate where it has one, else unsuspend it.

        Raises:
            ClusterUnavailableError: The API server does not answer.
            ClusterDeniedError: It forbids the change.
        """
        with _told(f"release the Job {job}"), _stale_is_fine():
            found = self._read(job)
            self._batch.patch_namespaced_job(
                job, self.namespace, release_patch(found), _request_timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
            )

    def wait_for_change(self, version: str, timeout_s: float) -> None:
        """Return when a Job of the release changed after ``version``, or when the time is over.

        Raises:
            ClusterUnavailableError: The API server went away.
            ClusterDeniedError: It forbids the watch.
        """
        with _told("watch the release's Jobs"), _stale_is_fine():
            events = watch.Watch().stream(  # type: ignore[no-untyped-call]  # as above
                self._batch.list_namespaced_job,
                self.namespace,
                label_selector=selector(self.release_name),
                resource_version=version,
                timeout_seconds=max(1, round(timeout_s)),
                # A connection that died silently must not look like a quiet cluster for ever.
                _request_timeout=(CONNECT_TIMEOUT_S, timeout_s + READ_TIMEOUT_S),
            )
            next(iter(events), None)

    def permission(self, verb: str, group: str, resource: str, name: str = "") -> bool:
        """Ask whether this account may do something in its namespace."""
        question = client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(
                resource_attributes=client.V1ResourceAttributes(
                    namespace=self.namespace, verb=verb, group=group, resource=resource, name=name
                )
            )
        )
        with _told("ask for its permissions"):
            answer = self._authorization.create_self_subject_access_review(
                question, _request_timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
            )
        return answer.status is not None and bool(answer.status.allowed)

    def _list(self, method: Any) -> dict[str, Any]:
        response = method(
            self.namespace,
            label_selector=selector(self.release_name),
            _preload_content=False,
            _request_timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        )
        return _json(response)

    def _read(self, job: str) -> dict[str, Any]:
        return _json(
            self._batch.read_namespaced_job(
                job,
                self.namespace,
                _preload_content=False,
                _request_timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            )
        )


def release_patch(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the JSON patch that lets a Job start.

    With a queue label the Job is Kueue's to unsuspend: only its gate goes. The annotation tells later
    coordinators, and ``helm upgrade``, that the Job's turn has come.
    """
    metadata = job["metadata"]
    annotations = metadata.get("annotations") or {}
    patch: list[dict[str, Any]] = []
    if not annotations:
        patch.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    patch.append({"op": "add", "path": _pointer(RELEASED_ANNOTATION), "value": "true"})
    if GATE_ANNOTATION in annotations:
        patch.append({"op": "remove", "path": _pointer(GATE_ANNOTATION)})
    if QUEUE_LABEL not in (metadata.get("labels") or {}):
        patch.append({"op": "add", "path": "/spec/suspend", "value": False})
    return patch


def _pointer(annotation: str) -> str:
    return "/metadata/annotations/" + annotation.replace("~", "~0").replace("/", "~1")


def _json(response: Any) -> dict[str, Any]:
    if response.status >= 400:  # noqa: PLR2004  the raw response was asked for, so nothing has looked at its status
        raise ApiException(http_resp=response)
    return dict(json.loads(response.data))


@contextlib.contextmanager
def _told(doing: str) -> Iterator[None]:
    """Turn the client's faults into ours."""
    try:
        yield
    except ApiException as error:
        kind = ClusterDeniedError if error.status == FORBIDDEN else ClusterUnavailableError
        raise kind(f"could not {doing}: {error.status} {error.reason}") from error
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise ClusterUnavailableError(f"could not {doing}: {type(error).__name__}") from error


@contextlib.contextmanager
def _stale_is_fine() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        if error.status not in STALE:
            raise
