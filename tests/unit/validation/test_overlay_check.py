"""painted_overlay_check: the share of painted pictures, one of them by name, and what to do about it."""

import pytest

from sam2vlm.data_converter import SAM2Parser
from sam2vlm.sample import write_sample
from sam2vlm.validation import Severity, Status, Validator
from sam2vlm.validation.overlay_check import painted_overlay_check


def read(path, *defects):
    write_sample(path, frames=16, objects=4, width=160, height=120, seed=9, defects=defects, workers=1)
    parser = SAM2Parser()
    parser.parse_zip(path)
    return {"frames": parser.get_frames(), "metadata": parser.metadata}


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    return read(tmp_path_factory.mktemp("painted") / "a.zip", "painted-overlay")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return read(tmp_path_factory.mktemp("clean") / "a.zip")


def test_painted_pictures_are_an_error_with_their_share_one_of_them_and_the_cure(painted):
    result = painted_overlay_check(painted)
    shown = [frame for frame in painted["frames"] if frame.visible_objects]
    assert (result.status, result.checked, result.unit) == (Status.FAILED, len(shown), "pictures")
    assert result.count(Severity.ERROR) == len(shown)
    first = result.findings[0]
    assert first.message == "images/frame_000000.png has contours painted along its objects"
    assert result.summary.startswith(
        f"{len(shown)} of {len(shown)} pictures looked at are painted over at their objects (100 %), for example frame"
    )
    assert "SAM2VLM_VIDEO (--video)" in result.recommendation
    assert result.facts == {"painted": len(shown), "painted_percent": 100.0}


def test_clean_pictures_pass(clean):
    result = painted_overlay_check(clean)
    assert (result.status, result.findings) == (Status.PASSED, ())
    assert result.facts["painted"] == 0


def test_a_few_are_a_warning(painted, clean):
    mixed = [painted["frames"][3], *clean["frames"][4:]]
    result = painted_overlay_check({"frames": mixed}, max_painted_percent=10)
    assert result.status is Status.PASSED_WITH_WARNINGS
    assert painted_overlay_check({"frames": mixed}, max_painted_percent=1).status is Status.FAILED


def test_only_so_many_are_looked_at_and_they_are_spread(painted):
    result = painted_overlay_check(painted, max_pictures=4)
    assert result.checked == 4
    found = [finding.frame_index for finding in result.findings]
    assert found == sorted(found)
    assert found[-1] - found[0] >= 50


def test_pictures_that_cannot_be_decoded_and_none_at_all_are_other_rules_matter(clean):
    from dataclasses import replace

    broken = [replace(frame, read_image=lambda: b"\x89PNG no more") for frame in clean["frames"]]
    for frames in ([], broken, [replace(frame, read_image=None) for frame in clean["frames"]]):
        result = painted_overlay_check({"frames": frames})
        assert (result.status, result.checked) == (Status.PASSED, 0)


def test_it_is_a_rule_like_any_other(painted):
    results = Validator().add_rule(painted_overlay_check).validate(painted)
    assert results.rule("painted_overlay_check").status is Status.FAILED
