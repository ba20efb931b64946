from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mien.training.events import NOWHERE, STEPS, Events

ROW = {
    "epoch": 1.0,
    "steps": 2.0,
    "lr": 0.5,
    "train_loss": 3.0,
    "val_loss": 2.0,
    "val_bpp": 1.0,
}


def points(folder):
    """Return what TensorBoard shows: (step, value) of each scalar."""
    seen = EventAccumulator(str(folder), purge_orphaned_data=True).Reload()
    return {
        tag: [(event.step, event.value) for event in seen.Scalars(tag)]
        for tag in seen.Tags()["scalars"]
    }


def written(folder, behind, *steps):
    events = Events(folder)
    events.begin(behind)
    for step in steps:
        events.step(step, {"loss": float(step)})
    events.epoch(max(steps), ROW)
    events.end()


def test_terms_of_some_steps_and_every_row_are_shown(tmp_path):
    written(tmp_path, 0, 1, STEPS, STEPS + 1, 2 * STEPS)
    end = 2 * STEPS
    assert points(tmp_path) == {
        "step/loss": [(STEPS, STEPS), (end, end)],
        "train/loss": [(end, 3.0)],
        "val/loss": [(end, 2.0)],
        "val/bpp": [(end, 1.0)],
        "schedule/lr": [(end, 0.5)],
        "schedule/epoch": [(end, 1.0)],
    }


def test_what_a_killed_training_wrote_behind_its_last_state_is_void(tmp_path):
    written(tmp_path, 0, STEPS, 2 * STEPS, 3 * STEPS)
    written(tmp_path, STEPS, 2 * STEPS)  # goes on behind its first point
    assert points(tmp_path)["step/loss"] == [(STEPS, STEPS), (2 * STEPS, 2 * STEPS)]


def test_a_training_from_its_start_replaces_the_last_one(tmp_path):
    written(tmp_path, 0, STEPS, 2 * STEPS)
    written(tmp_path, 0, STEPS)
    assert points(tmp_path)["step/loss"] == [(STEPS, STEPS)]


def test_nothing_is_written_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    NOWHERE.begin(0)
    NOWHERE.step(STEPS, {"loss": 1.0})
    NOWHERE.epoch(STEPS, ROW)
    NOWHERE.end()
    assert not list(tmp_path.rglob("*"))
