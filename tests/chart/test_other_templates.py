"""Every template beside the phases' Jobs, and the notes."""

import json
import subprocess

import pytest

PHASES = ("prepare", "train", "evaluate", "export")
ON_VOLUME = {"export": {"path": "exports/reef.zip"}, "volume": {"existingClaim": "shared"}}
OWN = {"app.kubernetes.io/name": "sam2vlm", "app.kubernetes.io/instance": "reef"}


def test_everything_that_a_release_is_made_of(defaults):
    kinds = sorted((thing["kind"], thing["metadata"]["name"]) for thing in defaults.objects)
    assert kinds == [
        ("ConfigMap", "reef-fetch"),
        ("ConfigMap", "reef-settings"),
        ("Job", "reef-coordinator"),
        ("Job", "reef-evaluate"),
        ("Job", "reef-export"),
        ("Job", "reef-prepare"),
        ("Job", "reef-train"),
        ("PersistentVolumeClaim", "reef"),
        ("Pod", "reef-test"),
        ("Role", "reef-coordinator"),
        ("RoleBinding", "reef-coordinator"),
        ("ServiceAccount", "reef-coordinator"),
    ]
    assert {thing["metadata"]["namespace"] for thing in defaults.objects} == {"lab"}


def test_settings_become_variables(everything):
    settings = everything("ConfigMap", "reef-settings")
    assert settings["immutable"] is True
    assert settings["data"] == {
        "SAM2VLM_EXPERIMENT": "Coral.Reef_1",
        "SAM2VLM_EXPORT": "/volume/exports/0123456789012345/reef.zip",
        "SAM2VLM_PRESET": "demo",
        "SAM2VLM_RUN": "/volume/teams/reef/run-1",
        "SAM2VLM_SEED": "7",
        "SAM2VLM_TRAINING__NUM_EPOCHS": "3",
        "SAM2VLM_TRAINING__LEARNING_RATE": "0.0001",
        "SAM2VLM_TRAINING__MAX_STEPS": "1000000",
        "SAM2VLM_VALIDATION__RULES": '["boxes","masks"]',
        "SAM2VLM_REPLACE": "true",
    }


def test_settings_by_default(render):
    assert render(ON_VOLUME)("ConfigMap", "reef-settings")["data"] == {
        "SAM2VLM_EXPERIMENT": "reef",
        "SAM2VLM_EXPORT": "/data/exports/reef.zip",
        "SAM2VLM_PRESET": "demo",
        "SAM2VLM_RUN": "/data/runs/reef",
    }


def test_settings_on_the_command_line(render):
    rendered = render(ON_VOLUME, arguments=("--set", "settings.training.num_epochs=1500000", "--set", "settings.a=x"))
    data = rendered("ConfigMap", "reef-settings")["data"]
    assert (data["SAM2VLM_TRAINING__NUM_EPOCHS"], data["SAM2VLM_A"]) == ("1500000", "x")


def test_the_claim(defaults, everything, render):
    claim = defaults("PersistentVolumeClaim", "reef")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}
    claim = everything("PersistentVolumeClaim", "reef")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep", "backup": "nightly"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "100Gi"}},
    }
    assert not render(ON_VOLUME).names("PersistentVolumeClaim")
    unkept = render({"export": {"upload": {"enabled": True, "sha256": "ab" * 32}}, "volume": {"keep": False}})
    assert "annotations" not in unkept("PersistentVolumeClaim", "reef")["metadata"]


def test_the_role_changes_this_releases_jobs_and_nothing_else(defaults):
    assert defaults("Role", "reef-coordinator")["rules"] == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": ["batch"],
            "resources": ["jobs"],
            "verbs": ["patch"],
            "resourceNames": [f"reef-{phase}" for phase in PHASES],
        },
    ]
    binding = defaults("RoleBinding", "reef-coordinator")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": "reef-coordinator",
    }
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "reef-coordinator", "namespace": "lab"}]


def test_the_account(defaults, everything):
    assert defaults("ServiceAccount", "reef-coordinator")["automountServiceAccountToken"] is False
    assert everything("ServiceAccount", "reef-coordinator")["metadata"]["annotations"] == {"owner": "reef"}


def test_the_coordinator_is_small_and_alone_has_a_token(defaults):
    job = defaults("Job", "reef-coordinator")
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "reef-coordinator"
    assert pod["automountServiceAccountToken"] is True
    (container,) = pod["containers"]
    assert container["command"] == ["python", "-m", "jobs.coordinate"]
    assert container["env"][:3] == [
        {"name": "SAM2VLM_COORDINATE_RELEASE", "value": "reef"},
        {"name": "SAM2VLM_COORDINATE_NAMESPACE", "value": "lab"},
        {"name": "SAM2VLM_COORDINATE_RESYNC_SECONDS", "value": "60"},
    ]
    assert container["resources"]["limits"] == {"memory": "256Mi"}
    # The run's volume is not its business: a claim of one node would tie it to that node.
    assert [volume["name"] for volume in pod["volumes"]] == ["scratch"]
    assert job["spec"]["podFailurePolicy"]["rules"][1] == {
        "action": "FailJob",
        "onExitCodes": {"operator": "NotIn", "values": [75, 137, 143]},
    }


def test_every_pod_is_restricted(everything):
    pods = [thing["spec"]["template"]["spec"] for thing in everything.objects if thing["kind"] == "Job"]
    pods.append(everything("Pod", "reef-test")["spec"])
    pods.append(json.loads(everything("ConfigMap", "reef-fetch")["data"]["pod.json"])["spec"])
    assert len(pods) == 7
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
    assert [pod["automountServiceAccountToken"] for pod in pods].count(True) == 2


def test_the_fetch_pod(defaults):
    data = defaults("ConfigMap", "reef-fetch")["data"]
    pod = json.loads(data["pod.json"])
    assert data["run"] == "runs/reef"
    assert pod["metadata"] == {
        "generateName": "reef-fetch-",
        "namespace": "lab",
        "labels": {**OWN, "app.kubernetes.io/component": "fetch"},
    }
    (container,) = pod["spec"]["containers"]
    assert container["volumeMounts"] == [{"name": "run", "mountPath": "/data", "readOnly": True}]
    assert pod["spec"]["activeDeadlineSeconds"] == 3600


def test_the_installation_test(defaults):
    pod = defaults("Pod", "reef-test")
    assert pod["metadata"]["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    assert pod["spec"]["serviceAccountName"] == "reef-coordinator"
    assert pod["spec"]["containers"][0]["command"] == ["python", "-m", "jobs.coordinate", "--check", "/data"]


def test_network_policies_are_opt_in(defaults, everything, render):
    assert not defaults.names("NetworkPolicy")
    assert everything.names("NetworkPolicy") == {"reef-own", "reef-coordinator", "reef-download", "reef-trackers"}
    offline = render({**ON_VOLUME, "networkPolicy": {"enabled": True}})
    assert offline.names("NetworkPolicy") == {"reef-own", "reef-coordinator"}


def test_network_policies(everything):
    own = everything("NetworkPolicy", "reef-own")["spec"]
    assert own == {
        "podSelector": {"matchLabels": OWN},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": OWN}}]}],
        "egress": [
            {"to": [{"podSelector": {"matchLabels": OWN}}]},
            {
                "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            },
        ],
    }
    assert everything("NetworkPolicy", "reef-coordinator")["spec"] == {
        "podSelector": {"matchLabels": {**OWN, "app.kubernetes.io/component": "coordinator"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}]}],
    }
    assert everything("NetworkPolicy", "reef-download")["spec"] == {
        "podSelector": {"matchLabels": {**OWN, "app.kubernetes.io/component": "prepare"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"protocol": "TCP", "port": 443}]}],
    }
    assert everything("NetworkPolicy", "reef-trackers")["spec"] == {
        "podSelector": {"matchLabels": {**OWN, "app.kubernetes.io/component": "train"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 5000}]}],
    }


@pytest.mark.parametrize(
    ("values", "present", "absent"),
    [
        (
            {"export": {"upload": {"enabled": True, "sha256": "ab" * 32}}},
            ["jobs.receive accept", "delete pvc reef", "the volume stays"],
            [],
        ),
        (ON_VOLUME, [], ["jobs.receive", "delete pvc", "the volume stays"]),
    ],
)
def test_the_notes_have_the_very_commands(values, present, absent, notes):
    text = notes(values)
    for line in (
        "kubectl --namespace lab get jobs --selector app.kubernetes.io/instance=reef --watch",
        "kubectl --namespace lab logs --follow job/reef-train",
        "helm test --namespace lab reef --logs",
        "helm uninstall --namespace lab reef",
        *present,
    ):
        assert line in text
    for line in absent:
        assert line not in text


@pytest.fixture(scope="session")
def notes(lint):
    """What `helm install` would say at its end."""
    from tests.chart.conftest import CHART, helm

    def run(values):
        command = [helm(), "install", "reef", str(CHART), "--namespace", "lab", "--dry-run=client", "--values", "-"]
        done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=True)
        return done.stdout.partition("NOTES:")[2]

    return run
