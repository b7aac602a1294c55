"""A user's own rules: found by name, and told in one sentence where they are wrong."""

import textwrap

import pytest

from sam2vlm.errors import DataError, SettingsError
from sam2vlm.validation import Finding, RuleResult, Severity, Status, load_rule, with_severity

MODULE = """
    from sam2vlm.errors import DataError
    from sam2vlm.validation import Finding, RuleResult, Severity

    def no_tiny_fish(dataset):
        found = [
            Finding.of_object(frame, item, "is a tiny fish", Severity.WARNING)
            for frame in dataset["frames"] for item in frame.visible_objects if item.area < 5
        ]
        return RuleResult("no_tiny_fish", Severity.WARNING, 1, "frames", tuple(found), "fish", "Fish elsewhere.")

    class Named:
        def check(self, dataset):
            return no_tiny_fish(dataset)

    class Demanding:
        def __init__(self, size):
            pass

    named = Named()
    number = 3

    def fails(dataset):
        return 1 / 0

    def returns_nothing(dataset):
        pass

    def refuses(dataset):
        raise DataError("no fish at all")
"""


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    (folder / "fish_rules.py").write_text(textwrap.dedent(MODULE))
    (folder / "bad_fish_rules.py").write_text("x = 1\nraise RuntimeError('no water')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.mark.parametrize("name", ["no_tiny_fish", "Named", "named"])
def test_a_function_a_class_and_an_object_are_rules(made, name):
    dataset = made.dataset(made.frame(0, made.thing(0, 0, 2, 2)))
    assert load_rule(f"fish_rules:{name}")(dataset).findings[0].message == "is a tiny fish"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fish_rules", "is no name of a rule (expected module:rule; found fish_rules)"),
        ("fish_rules:a.b", "is no name of a rule"),
        ("../fish_rules:x", "is no name of a rule"),
        (
            "no_fish_rules:x",
            "cannot be imported (expected a module in PYTHONPATH; found ModuleNotFoundError: No module named 'no_fish",
        ),
        ("bad_fish_rules:x", "RuntimeError: no water, line 2 of bad_fish_rules.py)"),
        ("fish_rules:big_fish", "the module fish_rules has no such rule (found big_fish)"),
        ("fish_rules:number", "the rule fish_rules:number cannot be called"),
        ("fish_rules:Demanding", "the rule fish_rules:Demanding cannot be made without arguments"),
    ],
)
def test_what_is_no_rule_is_told_before_anything_runs(name, words):
    with pytest.raises(SettingsError) as error:
        load_rule(name)
    assert words in str(error.value)
    assert error.value.exit_code == 78


def test_a_rule_that_fails_is_told_with_its_line(made):
    with pytest.raises(SettingsError) as error:
        load_rule("fish_rules:fails")(made.dataset())
    assert str(error.value) == (
        "the rule fish_rules:fails failed (found ZeroDivisionError: division by zero, line 24 of fish_rules.py)"
    )
    with pytest.raises(SettingsError, match=r"returns something else .expected a RuleResult; found NoneType"):
        load_rule("fish_rules:returns_nothing")(made.dataset())
    with pytest.raises(DataError, match=r"^no fish at all$"):
        load_rule("fish_rules:refuses")(made.dataset())


def test_a_severity_is_that_of_all_findings(made):
    def rule(_dataset):
        found = (Finding("a", Severity.WARNING), Finding("b", Severity.ERROR))
        return RuleResult("r", Severity.ERROR, 2, "things", found, "s", "r", {"x": 1})

    for severity, status in ((Severity.WARNING, Status.PASSED_WITH_WARNINGS), (Severity.ERROR, Status.FAILED)):
        result = with_severity(rule, severity)(made.dataset())
        assert (result.severity, result.status, result.count(severity)) == (severity, status, 2)
        assert result.facts == {"x": 1}
