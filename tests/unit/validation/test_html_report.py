"""The report's page: safe, self-contained, readable without eyes, bounded, and the same bytes every time."""

import base64
import io
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from PIL import Image

from sam2vlm.annotations.overlay import BLUE, ORANGE
from sam2vlm.errors import DataError, InterruptedRunError
from sam2vlm.validation import Finding, ReportGenerator, RuleResult, Severity, ValidationResults
from sam2vlm.validation.html_report import PictureLimits
from sam2vlm.validation.html_report.finding_picture import draw_finding

EVIL = "<script>alert('x')</script>"


def png(colour=(40, 90, 60), size=(40, 30)):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, format="PNG")
    return stream.getvalue()


def rule(*findings, rule_id="some_check"):
    return RuleResult(rule_id, Severity.ERROR, 3, "frames", tuple(findings), "a summary", "look at them")


def results(*rules, **changes):
    told = ValidationResults(rules, frames=3, objects=4, visible_objects=4, dialect="coco-compressed", evidence="sizes")
    return replace(told, **changes)


def error(index, object_id=None, message="is wrong", **changes):
    return Finding(message, Severity.ERROR, "v", index, object_id, **changes)


@pytest.fixture
def frames(made):
    return [
        made.frame(0, made.thing(), made.thing(25, 10, 8, 8, object_id=2, label="fish"), picture=png()),
        made.frame(1, made.thing(), picture=png()),
        made.frame(2, made.thing(x=9, object_id=2, label="fish"), picture=png()),
    ]


class Page(HTMLParser):
    """Every element with its attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def pictures(self):
        sources = [found["src"] for found in self.all("img")]
        return [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources]


def page(found, frames, **options):
    return Page(ReportGenerator.generate_html(found, frames, dataset_name=options.pop("name", "clip.mp4"), **options))


def all_of_it(frames, *, label="crab"):
    """A page with every part on it."""
    found = results(
        rule(error(0, 1, label=label), error(2), Finding("of no frame", Severity.WARNING), error(77)),
        rule(rule_id="fine_check"),
        notes=(f"a note about {label}",),
    )
    splits = {("v", 0): "train", ("v", 1): "val"}
    asked = {"train": {"detect": 1}, "val": {"detect": 1, "count": 2}}
    return page(found, frames, name=label, splits=splits, split_notes=[f"none has {label}"], instructions=asked)


def test_nothing_is_loaded_and_nothing_runs(frames):
    shown = all_of_it(frames)
    assert not shown.all("script")
    assert not shown.all("link")
    assert all(found["src"].startswith("data:image/jpeg;base64,") for found in shown.all("img"))
    assert all(found["href"].startswith("#") for found in shown.all("a"))
    assert not [name for _, attributes in shown.elements for name in attributes if name.startswith("on")]
    policy = next(found["content"] for found in shown.all("meta") if found.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    style = files("sam2vlm.validation.html_report").joinpath("templates/page.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


def test_what_a_file_says_never_becomes_markup(made):
    evil = [
        made.frame(number, made.thing(label=EVIL), made.thing(25, object_id=2, label='"><img src=x>'), picture=png())
        for number in range(3)
    ]
    found = all_of_it(evil, label=EVIL)
    message = rule(error(0, 1, message=EVIL, label=EVIL), rule_id="own_" + EVIL)
    own = page(results(replace(message, summary=EVIL, recommendation=EVIL), dialect=EVIL, evidence=EVIL), evil)
    for shown in (found, own):
        assert not shown.all("script")
        assert "x" not in [attributes.get("src") for attributes in shown.all("img")]
        assert EVIL in shown.text


def test_a_label_that_utf8_cannot_hold_is_written_with_escapes(made):
    text = ReportGenerator.generate_html(
        results(rule()), [made.frame(0, made.thing(label="cr\ud800ab"), picture=png())]
    )
    text.encode("utf-8")
    assert "cr\\ud800ab" in text


def test_headings_links_pictures_and_tables_serve_a_screen_reader(frames):
    shown = all_of_it(frames)
    levels = [int(tag[1]) for tag, _ in shown.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {found["href"][1:] for found in shown.all("a")} <= set(ids)
    assert {found["aria-labelledby"] for found in shown.all("section")} <= set(ids)
    assert all(found["alt"].strip() for found in shown.all("img"))
    assert all(
        (found.get("role") == "img" and found["aria-label"]) or found.get("aria-hidden") for found in shown.all("svg")
    )
    assert all(found.get("scope") in {"col", "row"} for found in shown.all("th"))
    assert shown.all("html")[0]["lang"] == "en"
    assert shown.all("main")
    assert "width=device-width" in str(shown.all("meta"))


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_and_shapes_stand_out_from_their_ground(theme):
    style = files("sam2vlm.validation.html_report").joinpath("templates/page.css").read_text()
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme]
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))
    assert len(colours) == 18
    for text in ("ink", "soft", "link", "error", "warning"):
        # WCAG 2, level AA.
        assert min(contrast(colours[text], colours[ground]) for ground in ("ground", "card")) >= 4.5, text
    for kind in ("error", "warning", "passed"):
        assert contrast(colours[kind], colours[f"{kind}-ground"]) >= 4.5, kind
    for shape in ("bar", "error", "warning", "split-0", "split-1", "split-2", "split-3"):
        assert contrast(colours[shape], colours["card"]) >= 3, shape


def test_equal_input_gives_equal_bytes(frames):
    found = results(rule(error(0, 1)))
    assert ReportGenerator.generate_html(found, frames) == ReportGenerator.generate_html(found, iter(frames))


def test_every_finding_is_there_and_a_bounded_number_is_drawn(made):
    many = [made.frame(number, made.thing(), picture=png()) for number in range(30)]
    found = results(
        rule(*(error(number, 1, message=f"first {number}.") for number in range(30)), rule_id="first_check"),
        rule(*(error(number, 1, message=f"second {number}.") for number in range(3)), rule_id="second_check"),
    )
    shown = page(found, many, limits=PictureLimits(per_rule=5))
    assert len(shown.all("img")) == 5 + 3
    assert "5 of 30 findings about a frame are drawn, at most 5 of a rule; 25 are not." in shown.text
    cards = [text for text in shown.texts if text.startswith("first ")]
    assert sorted(cards, key=lambda text: int(text[6:-1])) == [f"first {number}." for number in range(30)]
    drawn = [int(re.search(r"Frame (\d+)", attributes["alt"])[1]) for attributes in shown.all("img")]
    assert drawn == [0, 6, 12, 18, 24, 0, 1, 2], "spread over the dataset, not the first ones"


def test_rules_share_the_bytes_and_none_is_left_without_a_picture(made):
    many = [made.frame(number, made.thing(), picture=png()) for number in range(8)]
    rules = [rule(*(error(number, 1) for number in range(8)), rule_id=f"check_{place}") for place in range(3)]
    size = len(draw_finding(many[0], rules[0].findings[0], width=160).jpeg)
    shown = page(results(*rules), many, limits=PictureLimits(per_rule=8, width=160, bytes=int(3.5 * size)))
    assert len(shown.all("img")) == 3
    assert shown.text.count("1 of 8 findings about a frame are drawn") == 3
    none = page(results(*rules), many, limits=PictureLimits(per_rule=0))
    assert not none.all("img")
    assert none.text.count("None of the 8 findings about a frame is drawn, as the settings ask.") == 3


def test_a_finding_that_compares_two_frames_shows_both(frames):
    shown = page(results(rule(error(1, 1, compared_with=("v", 0)), error(2, compared_with=("w", 9)))), frames)
    assert [attributes["alt"][:8] for attributes in shown.all("img")] == ["Frame 0:", "Frame 1:", "Frame 2:"]
    assert "Frame 0, for comparison" in shown.text
    assert "for comparison" not in shown.text.replace("Frame 0, for comparison", "", 1)
    own, other = (draw_finding(frame, error(1, 1), width=480) for frame in frames[:2])
    both = PictureLimits(bytes=len(own.jpeg) + len(other.jpeg))
    assert len(page(results(rule(error(1, 1, compared_with=("v", 0)))), frames, limits=both).all("img")) == 2
    short = replace(both, bytes=both.bytes - 1)
    assert not page(results(rule(error(1, 1, compared_with=("v", 0)))), frames, limits=short).all("img")


def test_what_is_missing_from_both_pictures_is_told_once(made):
    bare = [made.frame(0, made.thing(object_id=2)), made.frame(1, made.thing())]
    shown = page(results(rule(error(1, 1, compared_with=("v", 0)))), bare)
    assert shown.text.count("The export has no picture of this frame") == 1
    assert "Frame 0, for comparison: Object 1 is not visible in this frame." in shown.text


def test_several_exports_are_told_one_by_one(made):
    frames = [made.frame(number, made.thing(), video_id=name) for name in "vw" for number in (0, 1)]
    counts = {"frames": 2, "negatives": 0, "objects": 2, "left_out": None}
    exports = [{"name": EVIL, "videos": ["v"], **counts}, {"name": "b.zip", "videos": ["w"], **counts}]
    shown = page(results(rule()), frames, exports=[*exports, {**exports[0], "videos": [], "left_out": "is no ZIP"}])
    assert not shown.all("script")
    assert "Video w of b.zip , 2 frames" in shown.text
    assert "left out: is no ZIP" in shown.text


def test_errors_are_drawn_before_warnings(made):
    many = [made.frame(number, made.thing(), picture=png()) for number in range(6)]
    warnings = [replace(error(number, 1), severity=Severity.WARNING) for number in range(5)]
    shown = page(results(rule(*warnings, error(5, 1))), many, limits=PictureLimits(per_rule=2))
    assert [attributes["alt"][:8] for attributes in shown.all("img")] == ["Frame 0:", "Frame 5:"]


def test_more_findings_than_a_page_holds_are_counted(made):
    found = results(rule(*(error(number + 100) for number in range(1000))))
    shown = page(found, [made.frame(0, made.thing())])
    assert "None of the 1,000 findings about a frame is drawn: their frames are not in the dataset" in shown.text
    assert "300 in words" in shown.text
    assert "700 more are in report.json" in shown.text


def near(pixel, colour):
    return all(abs(mine - wanted) < 60 for mine, wanted in zip(pixel, colour, strict=True))


def test_the_object_is_orange_the_others_blue_and_the_picture_is_the_frames(frames):
    drawn = draw_finding(frames[0], error(0, 1), width=400)
    picture = Image.open(io.BytesIO(drawn.jpeg)).convert("RGB")
    # 40 x 30 pixels are shown four times as large: object 1 is at (5, 6) and 10 x 8, object 2 at (25, 10) and 8 x 8.
    assert picture.size == (drawn.width, drawn.height) == (160, 120)
    assert near(picture.getpixel((4 * 10, 4 * 14 + 1)), ORANGE)
    assert near(picture.getpixel((4 * 29, 4 * 18 + 1)), BLUE)
    assert near(picture.getpixel((4 * 36, 4 * 27)), (40, 90, 60))
    assert near(picture.getpixel((4 * 29, 4 * 14)), (40, 90, 60)), "the others are not tinted"
    tinted = picture.getpixel((4 * 10, 4 * 10))
    assert tinted[0] > 40 + 30
    assert drawn.alt == "Frame 0: object 1 (crab) in orange, in the middle left; in blue also object 2 (fish)."
    assert drawn.notes == ()


def test_a_small_object_is_shown_a_second_time_enlarged(made):
    small = replace(made.thing(2, 2, 1, 1), bbox=(2.0, 2.0, 1.0, 1.0))
    large = [made.frame(0, small, picture=png(size=(400, 300)))]
    large = replace(large[0], width=400, height=300, objects=(replace(small, bbox=(20.0, 20.0, 10.0, 10.0)),))
    drawn = Image.open(io.BytesIO(draw_finding(large, error(0, 1), width=400).jpeg)).convert("RGB")
    corner = drawn.crop((400 - 140, 300 - 140, 400, 300))
    assert sum(near(pixel, ORANGE) for pixel in corner.get_flattened_data()) > 200


def test_the_files_own_box_is_drawn_where_it_is_another(made):
    other = made.thing(stored_bbox=(22.0, 16.0, 12.0, 10.0))
    same = made.thing(stored_bbox=(5.0, 6.0, 10.0, 8.0))
    white = []
    for item in (other, same):
        drawn = draw_finding(made.frame(0, item, picture=png()), error(0, 1), width=160)
        picture = Image.open(io.BytesIO(drawn.jpeg)).convert("RGB")
        white.append(sum(min(pixel) > 200 for pixel in picture.crop((86, 60, 140, 108)).get_flattened_data()))
    assert white[0] > 60
    assert white[1] == 0


def damaged():
    raise DataError("is damaged", source="frame_000000.png")


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (None, "The export has no picture of this frame"),
        (damaged, "Its picture cannot be read (frame_000000.png: is damaged)"),
        (lambda: b"no picture at all", "Its picture cannot be read"),
        (lambda: png()[:60], "Its picture cannot be read"),
    ],
    ids=["none", "damaged", "another file", "cut off"],
)
def test_a_picture_that_cannot_be_read_is_told_and_the_masks_are_drawn(made, read, said):
    drawn = draw_finding(replace(made.frame(0, made.thing()), read_image=read), error(0, 1), width=160)
    assert said in drawn.notes[0]
    assert near(Image.open(io.BytesIO(drawn.jpeg)).convert("RGB").getpixel((4 * 10, 4 * 14 + 1)), ORANGE)


def test_a_mask_that_cannot_be_drawn_is_told(made):
    broken = made.thing(mask=replace(made.rectangle(5, 6, 10, 8), counts="0"))
    drawn = draw_finding(made.frame(0, broken, picture=png()), error(0, 1), width=160)
    assert "The mask of object 1 cannot be drawn: " in drawn.notes[0]
    absent = draw_finding(made.frame(0, made.thing(), picture=png()), error(0, 9), width=160)
    assert absent.notes == ("Object 9 is not visible in this frame.",)


def test_an_interruption_is_no_damaged_picture(made):
    def stop():
        raise InterruptedRunError("stopped")

    with pytest.raises(InterruptedRunError):
        draw_finding(replace(made.frame(0, made.thing()), read_image=stop), error(0, 1), width=160)


def test_hundreds_of_masks_are_bounded_and_counted(made):
    many = made.frame(0, *(made.thing(number % 30, 3, 4, 4, object_id=number) for number in range(300)), picture=png())
    drawn = draw_finding(many, error(0, 5), width=160)
    assert drawn.notes == ("179 of the other masks are not drawn.",)
    assert "120 objects" in drawn.alt


def test_a_dataset_of_nothing_has_a_page(made):
    shown = page(results(rule(Finding("the dataset has no frames", Severity.ERROR)), frames=0), [])
    assert "No object is visible." in shown.text
    assert "the dataset has no frames" in shown.text
    assert "No video has more than one frame." in page(results(rule()), [made.frame(0)]).text


def test_the_figures_are_those_of_the_frames(frames):
    shown = all_of_it(frames).text
    assert "crab 2 50.0 % 2 1" in shown
    assert "fish 2 50.0 % 2 1" in shown
    # Frame 2 is in no split.
    assert "train 1 33.3 % 2 0 val 1 33.3 % 1 0 in no split 1 33.3 % 1 0" in shown
    assert "count 0 2 detect 1 1" in shown
    assert "Findings (4)" in shown
