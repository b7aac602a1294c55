"""Near-copies within a dataset and across splits, against comparing each with each."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sam2vlm.validation import Status, leakage_audit, near_duplicate_check, sample_hashes
from sam2vlm.validation.near_duplicates import _originals

# A few centres and a few flipped bits, so that near ones are frequent.
hashes = st.lists(
    st.builds(
        lambda centre, flips: centre ^ sum({1 << flip for flip in flips}),
        st.sampled_from([0, 2**64 - 1, 0xF0F0F0F0F0F0F0F0, 0x00000000FFFFFFFF]),
        st.lists(st.integers(0, 63), max_size=4),
    ),
    max_size=25,
)


def apart(one, other):
    return (one ^ other).bit_count()


@given(hashes, st.integers(0, 16))
@settings(max_examples=150, deadline=None)
def test_what_is_left_has_no_near_copies_and_each_copy_names_the_first_original(values, most):
    found = _originals(values, most)
    originals = [number for number in range(len(values)) if number not in found]
    assert all(apart(values[a], values[b]) > most for a, b in itertools.combinations(originals, 2))
    for number, (original, distance) in found.items():
        near = [other for other in originals if other < number and apart(values[other], values[number]) <= most]
        assert (original, distance) == (near[0], apart(values[original], values[number]))


@given(hashes, st.data())
@settings(max_examples=100, deadline=None)
def test_the_audit_finds_what_comparing_each_with_each_finds(values, data):
    names = [f"v/{number:06d}" for number in range(len(values))]
    split = {name: data.draw(st.sampled_from(["train", "val", "test", None])) for name in names}
    splits = {name: of for name, of in split.items() if of is not None}
    result = leakage_audit(names, values, splits)
    expected = set()
    order = ["train", "val", "test"]
    for number, name in enumerate(names):
        earlier = [n for n, other in enumerate(names) if order.index(split[name] or "train") > _rank(split[other])]
        if split[name] and any(apart(values[number], values[n]) <= 4 for n in earlier):
            expected.add(number)
    assert {item.frame_index for item in result.findings} == expected


def _rank(name):
    return {"train": 0, "val": 1, "test": 2, None: 3}[name]


def test_the_nearest_and_of_equally_near_ones_the_first_is_named():
    names = ["v/000000", "v/000006", "w/000000", "w/000006", "w/000012"]
    values = [0b0111, 0b0001, 0b0000, 2**63, 0b0001]
    splits = dict(zip(names, ["train", "train", "val", "val", "test"], strict=True))
    result = leakage_audit(names, values, splits)
    assert [(item.video_id, item.frame_index, item.message) for item in result.findings] == [
        ("w", 0, "in val looks like v/000006 in train: 1 of 64 bits of their hashes differ"),
        ("w", 6, "in val looks like v/000006 in train: 2 of 64 bits of their hashes differ"),
        ("w", 12, "in test looks like v/000006 in train: 0 of 64 bits of their hashes differ"),
    ]
    assert result.facts == {"near_copies": {"val": 2, "test": 1}, "pictures": {"train": 2, "val": 2, "test": 1}}


@pytest.mark.parametrize(("bits", "found"), [(4, True), (5, False)])
def test_four_bits_are_near_and_five_are_not(bits, found):
    audit = leakage_audit(["v/000000", "v/000001"], [0, 2**bits - 1], {"v/000000": "train", "v/000001": "test"})
    assert bool(audit.findings) is found
    assert bool(_originals([0, 2**bits - 1], 4)) is found


def test_samples_in_no_split_and_one_split_alone_leak_nothing():
    names = ["v/000000", "v/000001"]
    assert leakage_audit(names, [0, 0], {names[0]: "train"}).status is Status.PASSED
    assert leakage_audit(names, [0, 0], dict.fromkeys(names, "train")).status is Status.PASSED
    assert leakage_audit([], [], {}).status is Status.PASSED


def picture(seed, *, quality=95):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    target = io.BytesIO()
    small.resize((160, 120), Image.Resampling.BICUBIC).save(target, "JPEG", quality=quality)
    return target.getvalue()


def test_a_copy_that_was_packed_anew_is_near_and_its_video_is_named(made):
    dataset = made.dataset(
        made.frame(0, made.thing(), picture=picture(1)),
        made.frame(6, made.thing(), picture=picture(2)),
        made.frame(12, made.thing(), picture=picture(1, quality=40)),
        made.frame(18, made.thing()),
        made.frame(0, made.thing(), picture=picture(2, quality=40), video_id="w"),
        made.frame(6, made.thing(), picture=b"broken"),
    )
    result = near_duplicate_check(dataset)
    assert [(item.video_id, item.frame_index) for item in result.findings] == [("v", 12), ("w", 0)]
    assert result.findings[0].message.startswith("looks like frame 0: ")
    assert result.findings[1].message.startswith("looks like frame 6 of video v: ")
    assert (result.checked, result.facts["different"]) == (4, 2)
    ids, values = sample_hashes(dataset)
    assert ids == ("v/000000", "v/000006", "v/000012", "w/000000")
    audit = leakage_audit(ids, values, {"v/000000": "train", "v/000012": "val", "w/000000": "val"})
    assert [item.frame_index for item in audit.findings] == [12]
