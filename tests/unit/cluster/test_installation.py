"""What `helm test` finds out."""

import pytest

from sam2vlm.cluster.installation import check_installation
from sam2vlm.errors import DataError, SettingsError

RIGHT = {(verb, resource, "") for verb in ("get", "list", "watch") for resource in ("jobs", "pods")} | {
    ("patch", "jobs", f"reef-{phase}") for phase in ("prepare", "train", "evaluate", "export")
}


class Account:
    release_name = "reef"

    def __init__(self, allowed):
        self.allowed = allowed

    def permission(self, verb, group, resource, name=""):
        assert group == ("" if resource == "pods" else "batch")
        return (verb, resource, name) in self.allowed


def test_a_right_installation(tmp_path):
    check_installation(Account(RIGHT), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", sorted(RIGHT))
def test_every_permission_is_needed(missing, tmp_path):
    with pytest.raises(SettingsError, match=f"may not {missing[0]}"):
        check_installation(Account(RIGHT - {missing}), tmp_path)


def test_too_much_is_wrong_too(tmp_path):
    with pytest.raises(SettingsError, match="may patch every Job"):
        check_installation(Account(RIGHT | {("patch", "jobs", "")}), tmp_path)


def test_a_volume_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="writing to the run's volume"):
        check_installation(Account(RIGHT), tmp_path / "none")
