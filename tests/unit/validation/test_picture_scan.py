"""Every picture is read once, in order, whatever the number of threads, and few are in memory at a time."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from sam2vlm.errors import DataError
from sam2vlm.validation import Scans, Validator, duplicate_frames_check, near_duplicate_check, scan_pictures
from sam2vlm.validation.picture_rules import blur_check, dark_picture_check


class Source:
    """Pictures that count how often they are read."""

    def __init__(self, count):
        self.pictures = [self._picture(number) for number in range(count)]
        self.read = [0] * count
        self.open = self.most = 0
        self.lock = threading.Lock()

    @staticmethod
    def _picture(number):
        target = io.BytesIO()
        noise = np.random.default_rng(number).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(noise).save(target, "PNG")
        return target.getvalue()

    def frames(self, made):
        frames = [made.frame(number, made.thing()) for number in range(len(self.pictures))]
        return [self._reading(frame, number) for number, frame in enumerate(frames)]

    def _reading(self, frame, number):
        from dataclasses import replace

        def read():
            with self.lock:
                self.read[number] += 1
            return self.pictures[number]

        return replace(frame, read_image=read)


def test_processes_find_what_one_finds(made):
    frames = Source(100).frames(made)
    scans = [scan_pictures(frames, workers=workers) for workers in (1, 3)]
    for position in range(100):
        assert scans[0][position] == scans[1][position]


def test_the_order_is_the_frames_whatever_the_number_of_workers(made):
    source = Source(30)
    frames = source.frames(made)
    frames.insert(7, made.frame(100, made.thing()))
    scans = [scan_pictures(frames, workers=workers) for workers in (1, 2, 7, None)]
    for scan in scans[1:]:
        assert [scan[position] for position in range(31)] == [scans[0][position] for position in range(31)]
    assert scans[0][7] is None
    assert scans[0].pictures.tolist() == scans[0].sound.tolist() == [*range(7), *range(8, 31)]
    assert len({facts.hash for facts in map(scans[0].__getitem__, range(31)) if facts}) == 30
    assert source.read == [4] * 30


def test_all_rules_together_read_each_picture_once(made):
    source = Source(6)
    rules = [duplicate_frames_check, near_duplicate_check, blur_check, dark_picture_check]
    Validator().add_rule(rules).validate({"frames": source.frames(made)})
    assert source.read == [1] * 6


def test_both_scans_at_once_find_what_each_finds_for_itself(made):
    frames = Source(60).frames(made)
    apart, together = Scans(frames, workers=2), Scans(frames, workers=2, together=True)
    assert together.table.frames.tolist() == apart.table.frames.tolist()
    assert together.table.objects.tobytes() == apart.table.objects.tobytes()
    assert [together.pictures[at] for at in range(60)] == [apart.pictures[at] for at in range(60)]


def test_both_scans_at_once_read_each_picture_once(made):
    source = Source(6)
    scans = Scans(source.frames(made), together=True)
    assert len(scans.table.frames) == len(scans.pictures) == 6
    assert source.read == [1] * 6


def test_without_a_rule_that_needs_pixels_nothing_is_decoded(made, monkeypatch):
    source = Source(3)
    monkeypatch.setattr(Image, "open", lambda *_args, **_options: pytest.fail("a picture was decoded"))
    frames = source.frames(made)
    dataset = {"frames": frames, "scans": Scans(frames, decode=False)}
    assert Validator().add_rule(duplicate_frames_check).validate(dataset).rules[0].facts["pictures"] == 3
    assert source.read == [1] * 3


def test_only_a_few_pictures_are_asked_for_ahead(made):
    asked = []

    class Frames(list):
        def __iter__(self):
            for position, frame in enumerate(super().__iter__()):
                asked.append((position, sum(source.read)))
                yield frame

    source = Source(40)
    scan_pictures(Frames(source.frames(made)), workers=2)
    # When a frame is taken, all but the six before it have been read.
    assert all(read >= position - 6 for position, read in asked)


def test_a_picture_that_cannot_be_read_ends_the_scan_and_one_that_cannot_be_decoded_does_not(made):
    def fail():
        raise DataError("holds the damaged entry frame_000001.png", source="export.zip")

    from dataclasses import replace

    good = Source(1).pictures[0]
    frames = [made.frame(0, picture=good), made.frame(1, picture=b"text"), made.frame(2, picture=good)]
    scan = scan_pictures(frames, workers=2)
    assert (scan.pictures.tolist(), scan.sound.tolist()) == ([0, 1, 2], [0, 2])
    assert scan.faults == {1: "is no picture (expected a PNG or JPEG)"}
    with pytest.raises(DataError, match="damaged entry"):
        scan_pictures([*frames, replace(frames[0], read_image=fail)], workers=2)
