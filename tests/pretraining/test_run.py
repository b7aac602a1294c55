import json

import pytest
import torch

from pretraining.train import Plan, Run, Watch, rate_shares

PLAN = Plan(
    seed=0,
    tower_steps=2,
    tower_batch=4,
    steps=3,
    batch=4,
    easy_steps=1,
    span=3,
    cool_steps=2,
    scene_steps=2,
    scene_cool_steps=1,
)


def watch(folder):
    return Watch(
        folder / "latest",
        folder / "state.pt",
        folder / "log.jsonl",
        log_steps=1,
        snapshot_every=0,
        score_every=0,
        workers=0,
    )


def weights(run):
    return torch.cat([parameter.detach().flatten() for parameter in run.model.parameters()])


@pytest.mark.parametrize("stop", [1, *(pytest.param(step, marks=pytest.mark.integration) for step in (2, 4, 5, 6))])
def test_an_interrupted_run_ends_with_the_same_weights(tmp_path, monkeypatch, stop):
    whole = Run(PLAN, watch(tmp_path / "whole"))
    (tmp_path / "whole").mkdir()
    whole.train()

    (tmp_path / "cut").mkdir()
    cut = Run(PLAN, watch(tmp_path / "cut"))
    monkeypatch.setattr(cut, "_watch", lambda: _stop(cut, stop))
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    again = Run(PLAN, watch(tmp_path / "cut"))
    again.resume()
    again.train()

    assert torch.equal(weights(whole), weights(again))
    lines = (tmp_path / "cut/log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]


def _stop(run, step):
    if run._step == step:
        run.save()
        raise KeyboardInterrupt


def test_a_state_of_another_plan_is_refused(tmp_path):
    run = Run(PLAN, watch(tmp_path))
    run.save()
    other = Run(Plan(seed=1, tower_steps=2, steps=3), watch(tmp_path))
    with pytest.raises(ValueError, match="another plan"):
        other.resume()


def test_the_rates_rise_then_fall():
    plan = Plan(tower_steps=100, steps=100, span=150, cool_steps=20, warm_up=10)
    shares = [rate_shares(plan, step) for step in range(200)]
    assert shares[0][0] == pytest.approx(0.1)
    assert all(rest == 0 for _, rest in shares[:100])
    assert max(tower for tower, _ in shares) == shares[9][0]
    assert shares[199][0] == pytest.approx(shares[199][1], abs=0.01)
    assert shares[199][1] < 0.02


def test_among_scenes_the_rates_stay_until_they_cool_down():
    plan = Plan(tower_steps=10, steps=10, scene_steps=100, scene_share=0.5, scene_cool_steps=40, warm_up=10)
    shares = [rate_shares(plan, step) for step in range(20, 120)]
    assert all(tower == rest for tower, rest in shares)
    assert shares[0][0] == pytest.approx(0.05)
    assert {tower for tower, _ in shares[9:60]} == {0.5}
    assert shares[80][0] == pytest.approx(0.25)
    assert 0 < shares[99][0] < 0.02


def test_a_run_that_ends_sooner_is_the_same_until_it_cools_down():
    long = Plan(tower_steps=100, steps=100, span=100, cool_steps=10)
    short = Plan(tower_steps=100, steps=60, span=100, cool_steps=10)
    assert [rate_shares(short, step) for step in range(151)] == [rate_shares(long, step) for step in range(151)]
    assert rate_shares(short, 155)[1] == pytest.approx(rate_shares(long, 155)[1] / 2)
