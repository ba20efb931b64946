import subprocess
import sys

import pytest

from mien import cli


def test_help_answers_without_importing_torch():
    code = "import sys, mien.cli; mien.cli.parser(); print('torch' in sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize(
    "arguments",
    [
        ["ingest"],
        ["shard"],
        ["pretrain-codec", "3"],
        ["finetune", "joint", "q3"],
        ["summarise"],
    ],
)
def test_missing_params_are_one_line_and_exit_code_2(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == (
        f"mien {arguments[0]}: params.yaml: no such file: copy one from presets/ in a checkout "
        "of mien\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_setting_is_refused(tmp_path, monkeypatch, capsys, request):
    monkeypatch.chdir(tmp_path)
    toy = str(request.config.rootpath / "tests/toy.yaml")
    assert cli.main(["finetune", "joint", "q7", "--params", toy]) == 2
    assert "setting 'q7' is not in params.yaml" in capsys.readouterr().err


def test_a_missing_model_is_refused_by_name(tmp_path, monkeypatch, capsys, request):
    monkeypatch.chdir(tmp_path)
    toy = str(request.config.rootpath / "tests/toy.yaml")
    assert cli.main(["finetune", "joint", "q3", "--params", toy]) == 2
    assert "models/classifier.json: no such file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "passed", "force"),
    [
        ([], [], False),
        (["--cores", "2", "--force", "models"], ["--cores", "2", "models"], True),
        (["--", "-n", "--forceall"], ["-n", "--forceall"], False),
        (["--forceall", "--threads", "3"], ["--forceall", "--threads", "3"], False),
    ],
)
def test_what_resume_does_not_know_is_passed_on(typed, passed, force, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "mien.verbs.resume.resume", lambda given, *, force: seen.append((given, force))
    )
    assert cli.main(["resume", *typed]) == 0
    assert seen == [(passed, force)]


def test_other_commands_refuse_what_they_do_not_know(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["info", "face.mien", "--cores", "2"])
    assert "unrecognized arguments: --cores 2" in capsys.readouterr().err
