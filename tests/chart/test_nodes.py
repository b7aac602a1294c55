"""Training on several nodes: the Job, the Service that gives its pods names, and what is refused."""

import pytest

UPLOAD = {"export": {"upload": {"enabled": True, "sha256": "ab" * 32}}}
SHARED = {"accessModes": ["ReadWriteMany"]}


def with_nodes(count, **values):
    return {**UPLOAD, "volume": SHARED, "phases": {"train": {"nodes": count}}, **values}


def env_of(job):
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value") for entry in container["env"]}


def test_the_train_job_is_indexed_and_the_others_are_as_they_were(render, defaults):
    several, alone = render(with_nodes(2)), defaults
    job, before = several("Job", "reef-train")["spec"], alone("Job", "reef-train")["spec"]
    assert {key: job[key] for key in job.keys() - before.keys()} == {
        "completionMode": "Indexed",
        "completions": 2,
        "parallelism": 2,
    }
    assert job["podFailurePolicy"]["rules"] == [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [65, 78]}},
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [68]}},
        {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [65, 78]}},
    ]
    pod, pod_before = job["template"]["spec"], before["template"]["spec"]
    assert {key: pod[key] for key in pod.keys() - pod_before.keys()} == {"subdomain": "reef-train"}
    # Every pod has what one pod had.
    assert pod["containers"][0]["resources"] == pod_before["containers"][0]["resources"]
    for phase in ("prepare", "evaluate", "export"):
        assert several("Job", f"reef-{phase}")["spec"] == alone("Job", f"reef-{phase}")["spec"]


def test_the_pods_are_told_how_many_they_are_and_where_the_first_one_is(render, defaults):
    several, alone = env_of(render(with_nodes(4))("Job", "reef-train")), env_of(defaults("Job", "reef-train"))
    assert dict(several.items() - alone.items()) == {
        "SAM2VLM_DEVICES__NODES": "4",
        "SAM2VLM_RENDEZVOUS__HOST": "reef-train-0.reef-train",
    }


def test_the_service_gives_names_to_pods_that_are_not_ready(render, defaults):
    rendered = render(with_nodes(2, settings={"rendezvous": {"port": 30000}}))
    service = rendered("Service", "reef-train")
    assert service["spec"] == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {
            "app.kubernetes.io/name": "sam2vlm",
            "app.kubernetes.io/instance": "reef",
            "app.kubernetes.io/component": "train",
        },
        "ports": [{"name": "rendezvous", "port": 30000}],
    }
    labels = rendered("Job", "reef-train")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert rendered("ConfigMap", "reef-settings")["data"]["SAM2VLM_RENDEZVOUS__PORT"] == "30000"
    assert defaults.names("Service") == set()


def test_the_names_stay_below_63_characters(render):
    rendered = render(with_nodes(64), release="a" * 53)
    (service,) = rendered.names("Service")
    (host,) = (value for name, value in env_of(rendered("Job", service)).items() if name.endswith("HOST"))
    assert host == f"{service}-0.{service}"
    assert len(f"{service}-63") <= 63


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"volume": {}}, "2 pods write to one volume at the same time, which needs ReadWriteMany; set volume.access"),
        ({"volume": {"accessModes": ["ReadWriteOnce"]}}, "which needs ReadWriteMany"),
        ({"settings": {"devices": {"nodes": 2}}}, "settings.devices.nodes: the chart sets it; set phases.train.nodes"),
        ({"settings": {"rendezvous": {"host": "x"}}}, "settings.rendezvous.host: the chart sets it"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(refusal, changed, sentence):
    assert sentence in refusal(with_nodes(2, **changed))


def test_a_release_whose_name_is_no_host_name_is_refused(refusal):
    assert "begin with a letter" in refusal(with_nodes(2), release="1reef")


def test_a_claim_of_ones_own_is_taken_at_its_word_where_no_cluster_is_asked(render):
    assert render(with_nodes(2, volume={"existingClaim": "shared"}))("Service", "reef-train")


@pytest.mark.parametrize("phase", ["prepare", "evaluate", "export"])
def test_only_training_runs_on_several_nodes(refusal, phase):
    assert f"/phases/{phase}/nodes" in refusal({**UPLOAD, "phases": {phase: {"nodes": 2}}})
