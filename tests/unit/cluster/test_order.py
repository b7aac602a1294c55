"""The coordinator's decision: cases by hand, and what must hold of every release there can be."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sam2vlm.artifacts import PHASES
from sam2vlm.cluster.order import Failed, Finished, PhaseState, Release, Status, Wait, decide

DIGEST = "ab" * 32


def states(*statuses, **changes):
    made = []
    for phase, status in zip(PHASES, statuses, strict=True):
        finished = status is Status.COMPLETE
        fields = {"pod_seen": finished, "manifest": DIGEST if finished else None, **changes.get(phase, {})}
        made.append(PhaseState(phase, f"reef-{phase}", status, **fields))
    return made


HELD, RELEASED, COMPLETE, FAILED, MISSING = (
    Status.HELD,
    Status.RELEASED,
    Status.COMPLETE,
    Status.FAILED,
    Status.MISSING,
)


def test_the_first_phase_runs():
    assert decide(states(RELEASED, HELD, HELD, HELD)) == Wait("prepare")


def test_the_next_phase_is_released_when_the_one_before_is_complete():
    assert decide(states(COMPLETE, HELD, HELD, HELD)) == Release("train", "reef-train")


def test_after_the_last_phase_it_is_finished():
    assert decide(states(COMPLETE, COMPLETE, COMPLETE, COMPLETE)) == Finished()


def test_a_failure_is_passed_on_with_its_code_and_what_is_held():
    found = decide(states(COMPLETE, FAILED, HELD, HELD, train={"exit_code": 78, "cause": "no such model"}))
    assert found == Failed("train", 78, "no such model", ("evaluate", "export"))


def test_a_failure_without_a_known_code_is_not_zero():
    assert decide(states(FAILED, HELD, HELD, HELD)) == Failed("prepare", 1, "", ("train", "evaluate", "export"))


def test_complete_without_a_manifest_stops():
    found = decide(states(COMPLETE, HELD, HELD, HELD, prepare={"manifest": None}))
    assert isinstance(found, Failed)
    assert "name no manifest" in found.cause


def test_the_last_phase_needs_its_manifest_too():
    found = decide(states(COMPLETE, COMPLETE, COMPLETE, COMPLETE, export={"manifest": None}))
    assert isinstance(found, Failed)
    assert found.phase == "export"


def test_with_its_pods_gone_a_complete_job_is_enough_and_is_named():
    gone = {"pod_seen": False, "manifest": None}
    assert decide(states(COMPLETE, HELD, HELD, HELD, prepare=gone)) == Release("train", "reef-train", ("prepare",))


def test_a_job_that_was_deleted_after_it_had_finished_is_no_trouble():
    assert decide(states(MISSING, COMPLETE, HELD, HELD)) == Release("evaluate", "reef-evaluate", ("prepare",))


def test_a_job_that_was_deleted_before_its_turn_is():
    found = decide(states(COMPLETE, MISSING, HELD, HELD))
    assert found == Failed("train", 78, "the Job reef-train is gone and had not started", ("evaluate", "export"))


def test_what_is_released_by_hand_too_early_does_not_hide_the_phase_before_it():
    assert decide(states(COMPLETE, HELD, RELEASED, HELD)) == Release("train", "reef-train")


def phase_state(phase):
    return st.builds(
        PhaseState,
        phase=st.just(phase),
        job=st.just(f"reef-{phase}"),
        status=st.sampled_from(Status),
        pod_seen=st.booleans(),
        manifest=st.none() | st.just(DIGEST),
        exit_code=st.none() | st.integers(1, 255),
        cause=st.text(max_size=5),
    )


any_release = st.tuples(*(phase_state(phase) for phase in PHASES))


@given(any_release)
def test_nothing_is_released_before_all_before_it_are_done(release):
    found = decide(release)
    if isinstance(found, Release):
        before = list(itertools.takewhile(lambda state: state.phase != found.phase, release))
        assert all(state.status in (COMPLETE, MISSING) for state in before)
        assert release[len(before)].status is HELD


@given(any_release)
def test_it_is_finished_only_when_nothing_is_left_to_run(release):
    if isinstance(decide(release), Finished):
        assert release[-1].status is COMPLETE
        assert {state.status for state in release} <= {COMPLETE, MISSING}


@given(any_release)
def test_a_failure_never_ends_with_zero_and_names_only_held_phases(release):
    found = decide(release)
    if isinstance(found, Failed):
        assert found.exit_code != 0
        held = {state.phase for state in release if state.status is HELD}
        assert set(found.held) <= held


@given(st.lists(st.sampled_from(["finish", "fail", "lose pod", "restart"]), max_size=40), st.integers(0, 3))
def test_a_release_that_anything_happens_to_still_runs_in_order(events, failing):
    """Play a release: the cluster finishes, fails and forgets; the coordinator acts at any moment, or twice."""
    world = states(RELEASED, HELD, HELD, HELD)
    order = ["prepare"]
    for event in [*events, *["finish"] * 8]:
        index = next((i for i, state in enumerate(world) if state.status is RELEASED), None)
        if index is not None and event == "finish":
            world[index] = states(*[COMPLETE] * 4)[index]
        elif index is not None and event == "fail" and index == failing:
            world[index] = states(*[FAILED] * 4, **{PHASES[index]: {"exit_code": 65}})[index]
        elif event == "lose pod":
            for i, state in enumerate(world):
                if state.status is COMPLETE:
                    world[i] = PhaseState(state.phase, state.job, COMPLETE)
        for _ in range(2 if event == "restart" else 1):
            found = decide(world)
            if isinstance(found, Release):
                i = PHASES.index(found.phase)
                world[i] = states(*[RELEASED] * 4)[i]
                order.append(found.phase)
    assert order == list(PHASES[: len(order)])
    last = decide(world)
    assert isinstance(last, Finished) or last == Failed(PHASES[failing], 65, "", tuple(PHASES[failing + 1 :]))
