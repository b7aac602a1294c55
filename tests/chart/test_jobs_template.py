"""templates/jobs.yaml and what it is made of."""

import copy

import pytest

PHASES = ("prepare", "train", "evaluate", "export")
ON_VOLUME = {"export": {"path": "exports/reef.zip"}, "volume": {"existingClaim": "shared"}}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
PLACES = [
    {"name": "HOME", "value": "/tmp"},
    {"name": "TMPDIR", "value": "/tmp"},
    {"name": "USER", "value": "sam2vlm"},
    {"name": "XDG_CACHE_HOME", "value": "/cache"},
    {"name": "HF_HOME", "value": "/cache/huggingface"},
    {"name": "MPLCONFIGDIR", "value": "/cache/matplotlib"},
    {"name": "TORCHINDUCTOR_CACHE_DIR", "value": "/cache/torchinductor"},
    {"name": "TORCH_EXTENSIONS_DIR", "value": "/cache/torch_extensions"},
    {"name": "TRITON_CACHE_DIR", "value": "/cache/triton"},
    {"name": "SAM2VLM_TERMINATION_LOG", "value": "/dev/termination-log"},
]


def env_of(container):
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def test_a_job_as_a_whole(defaults):
    job = copy.deepcopy(defaults("Job", "reef-train"))
    plan = job["metadata"]["annotations"].pop("sam2vlm/plan")
    assert len(plan) == 64
    assert job == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "reef-train",
            "namespace": "lab",
            "labels": {
                "app.kubernetes.io/name": "sam2vlm",
                "app.kubernetes.io/instance": "reef",
                "app.kubernetes.io/part-of": "sam2vlm",
                "app.kubernetes.io/version": "0.1.0",
                "app.kubernetes.io/managed-by": "Helm",
                "app.kubernetes.io/component": "train",
                "helm.sh/chart": "sam2vlm-0.1.0",
                "sam2vlm/experiment": "reef",
                "sam2vlm/phase": "train",
            },
            "annotations": {},
        },
        "spec": {
            "suspend": True,
            "backoffLimit": 8,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [65, 78]}},
                    {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [65, 78]}},
                ]
            },
            "template": {
                "metadata": {
                    "labels": {
                        "app.kubernetes.io/name": "sam2vlm",
                        "app.kubernetes.io/instance": "reef",
                        "app.kubernetes.io/component": "train",
                        "sam2vlm/experiment": "reef",
                        "sam2vlm/phase": "train",
                    }
                },
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 300,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 10001,
                        "runAsGroup": 10001,
                        "fsGroup": 10001,
                        "fsGroupChangePolicy": "OnRootMismatch",
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "train",
                            "image": "sam2vlm-cpu:0.1.0",
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["python", "-m", "jobs.train"],
                            "envFrom": [{"configMapRef": {"name": "reef-settings"}}],
                            "env": [
                                *PLACES,
                                {"name": "HF_HUB_CACHE", "value": "/data/huggingface/hub"},
                                {"name": "HF_HUB_OFFLINE", "value": "1"},
                            ],
                            "terminationMessagePath": "/dev/termination-log",
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "8Gi"}},
                            "securityContext": CONTAINER_SECURITY,
                            "volumeMounts": [
                                {"name": "run", "mountPath": "/data"},
                                {"name": "scratch", "mountPath": "/tmp"},
                                {"name": "cache", "mountPath": "/cache"},
                                {"name": "shm", "mountPath": "/dev/shm"},
                            ],
                        }
                    ],
                    "volumes": [
                        {"name": "run", "persistentVolumeClaim": {"claimName": "reef"}},
                        {"name": "scratch", "emptyDir": {"sizeLimit": "20Gi"}},
                        {"name": "cache", "emptyDir": {"sizeLimit": "20Gi"}},
                        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
                    ],
                },
            },
        },
    }


def test_the_whole_plan_is_there_and_only_the_first_phase_may_start(defaults):
    jobs = {phase: defaults("Job", f"reef-{phase}") for phase in PHASES}
    assert {phase: job["spec"]["suspend"] for phase, job in jobs.items()} == {
        "prepare": False,
        "train": True,
        "evaluate": True,
        "export": True,
    }
    assert [phase for phase, job in jobs.items() if "sam2vlm/released" in job["metadata"]["annotations"]] == ["prepare"]


def test_the_waiting_container_is_prepares_alone_and_only_with_an_upload(defaults, render):
    (receive,) = defaults("Job", "reef-prepare")["spec"]["template"]["spec"]["initContainers"]
    assert receive == {
        "name": "receive",
        "image": "sam2vlm-cpu:0.1.0",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "jobs.receive", "wait"],
        "args": [f"--target=/data/exports/{'ab' * 8}/export.zip", f"--sha256={'ab' * 32}", "--timeout=900"],
        "env": PLACES,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "run", "mountPath": "/data"}, {"name": "scratch", "mountPath": "/tmp"}],
    }
    for phase in PHASES[1:]:
        assert "initContainers" not in defaults("Job", f"reef-{phase}")["spec"]["template"]["spec"]
    assert "initContainers" not in render(ON_VOLUME)("Job", "reef-prepare")["spec"]["template"]["spec"]


def test_an_existing_claim_is_mounted(render):
    volumes = render(ON_VOLUME)("Job", "reef-evaluate")["spec"]["template"]["spec"]["volumes"]
    assert volumes[0] == {"name": "run", "persistentVolumeClaim": {"claimName": "shared"}}


def test_a_phase_adds_to_what_all_pods_share(everything):
    spec = everything("Job", "reef-train")["spec"]
    template, pod = spec["template"], spec["template"]["spec"]
    assert template["metadata"]["labels"]["team"] == "reef-gpu"
    assert template["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false", "note": "long"}
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "accelerator": "h200"}
    assert [toleration["key"] for toleration in pod["tolerations"]] == ["batch", "gpu"]
    assert pod["affinity"] == {"podAntiAffinity": {}}
    assert (pod["priorityClassName"], pod["runtimeClassName"]) == ("urgent", "nvidia")
    assert pod["serviceAccountName"] == "reef"
    assert pod["automountServiceAccountToken"] is False
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["activeDeadlineSeconds"] == 86400
    assert spec["ttlSecondsAfterFinished"] == 86400
    (container,) = pod["containers"]
    assert {"OMP_NUM_THREADS": "4", "NCCL_DEBUG": "WARN"}.items() <= env_of(container).items()
    assert [mount["name"] for mount in container["volumeMounts"]][-2:] == ["certificates", "local"]
    assert [volume["name"] for volume in pod["volumes"]][-2:] == ["certificates", "local"]


def test_the_others_have_only_what_all_pods_share(everything):
    pod = everything("Job", "reef-export")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert [toleration["key"] for toleration in pod["tolerations"]] == ["batch"]
    assert "nodeAffinity" in pod["affinity"]
    assert (pod["priorityClassName"], pod["runtimeClassName"]) == ("batch", "runc")
    assert "NCCL_DEBUG" not in env_of(pod["containers"][0])


def test_gpus_take_the_gpu_image_and_are_limits(everything):
    (train,) = everything("Job", "reef-train")["spec"]["template"]["spec"]["containers"]
    assert train["image"] == "images.test/sam2vlm-gpu@sha256:" + "0123456789abcdef" * 4
    assert train["resources"] == {
        "requests": {"cpu": "8", "memory": "64Gi"},
        "limits": {"memory": "96Gi", "example.com/gpu": 2},
    }
    (evaluate,) = everything("Job", "reef-evaluate")["spec"]["template"]["spec"]["containers"]
    assert evaluate["image"] == "images.test/sam2vlm-cpu:1.2"
    assert evaluate["imagePullPolicy"] == "Always"


def test_gpus_without_any_other_resource(render):
    values = {**ON_VOLUME, "phases": {"train": {"resources": {"requests": None, "limits": None}, "gpu": {"count": 1}}}}
    (train,) = render(values)("Job", "reef-train")["spec"]["template"]["spec"]["containers"]
    assert train["resources"] == {"limits": {"nvidia.com/gpu": 1}}


def test_a_queue_holds_all_and_gates_what_is_not_due(everything):
    for phase in PHASES:
        job = everything("Job", f"reef-{phase}")
        assert job["spec"]["suspend"] is True
        assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-reef"
        assert job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "high"
        gate = job["metadata"]["annotations"].get("kueue.x-k8s.io/admission-gated-by")
        assert gate == (None if phase == "prepare" else "sam2vlm/phase")


def test_only_prepare_may_ask_the_hub_and_only_it_gets_the_token(everything, render):
    variables = {
        phase: env_of(everything("Job", f"reef-{phase}")["spec"]["template"]["spec"]["containers"][0])
        for phase in PHASES
    }
    assert {phase: found["HF_HUB_OFFLINE"] for phase, found in variables.items()} == {
        "prepare": "0",
        "train": "1",
        "evaluate": "1",
        "export": "1",
    }
    assert variables["prepare"]["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert [phase for phase in PHASES if "HF_TOKEN" in variables[phase]] == ["prepare"]
    values = {**ON_VOLUME, "huggingface": {"tokenSecret": {"name": "hub"}}}
    (offline,) = render(values)("Job", "reef-prepare")["spec"]["template"]["spec"]["containers"]
    assert "HF_TOKEN" not in env_of(offline)


def test_addresses_and_keys_of_trackers_come_from_secrets_and_to_train_alone(everything, defaults):
    variables = {
        phase: env_of(everything("Job", f"reef-{phase}")["spec"]["template"]["spec"]["containers"][0])
        for phase in PHASES
    }
    names = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_URI", "WANDB_API_KEY")
    assert {name: variables["train"][name] for name in names} == {
        "MLFLOW_TRACKING_TOKEN": {"secretKeyRef": {"name": "tracking", "key": "MLFLOW_TRACKING_TOKEN"}},
        "MLFLOW_TRACKING_URI": {"secretKeyRef": {"name": "tracking", "key": "MLFLOW_TRACKING_URI"}},
        "WANDB_API_KEY": {"secretKeyRef": {"name": "tracking", "key": "wandb"}},
    }
    assert not {name for phase in PHASES if phase != "train" for name in names if name in variables[phase]}
    (plain,) = defaults("Job", "reef-train")["spec"]["template"]["spec"]["containers"]
    assert not set(names) & set(env_of(plain))


def test_the_cluster_may_choose_the_user(render):
    values = {**ON_VOLUME, "pod": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}
    security = render(values)("Job", "reef-train")["spec"]["template"]["spec"]["securityContext"]
    assert security == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_names_are_cut_and_stay_apart(render):
    long = [f"{'a' * 52}{end}" for end in "bc"]
    names = [render(ON_VOLUME, release=release).names("Job") for release in long]
    assert not names[0] & names[1]
    assert all(len(name) <= 63 for found in names for name in found)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"seed": 1}},
        {"preset": "other"},
        {"phases": {"export": {"backoffLimit": 5}}},
        {"coordinator": {"resyncSeconds": 5}},
        {"queue": {"name": "team"}},
        {"images": {"cpu": {"tag": "9"}}},
    ],
)
def test_the_plan_changes_with_whatever_would_change_a_job(render, change):
    def plan(values):
        rendered = render(values)
        plans = {rendered("Job", name)["metadata"]["annotations"]["sam2vlm/plan"] for name in rendered.names("Job")}
        assert len(plans) == 1
        return plans

    assert plan(ON_VOLUME) == plan({**ON_VOLUME, "networkPolicy": {"enabled": True}})
    assert plan(ON_VOLUME) != plan({**ON_VOLUME, **change})
