"""The set-up of `.venv`: what is locked, and which torch is kept."""

import importlib.util
import re
import tomllib

import pytest

from mien.codec.classic import RECIPES


@pytest.fixture(scope="module")
def environment(request):
    path = request.config.rootpath / "tools/environment.py"
    spec = importlib.util.spec_from_file_location("environment", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(lock):
    return set(re.findall(r"(?m)^([A-Za-z0-9._-]+)==", lock))


def test_the_lock_is_exact_hashed_and_holds_no_address(environment):
    lock = environment.LOCK.read_text()
    entries = re.split(r"(?m)^(?=\S)", lock)[1:]
    assert len(entries) > 100
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in lock
    assert not re.search(r"--(extra-)?index-url|--find-links", lock)


def test_every_dependency_is_locked(environment, request):
    project = tomllib.loads((request.config.rootpath / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(item for extra in extras.values() for item in extra)]
    asked = {re.match(r"[A-Za-z0-9._-]+", item)[0].lower() for item in wanted}
    asked.remove("mien")  # `dev` has the other extras
    assert asked <= {name.lower() for name in names(environment.LOCK.read_text())}


def test_keeping_torch_skips_it_and_its_cuda_packages_alone(environment):
    everything = names(environment.LOCK.read_text())
    left = names(environment.lock_without_torch())
    skipped = everything - left
    assert {"torch", "torchvision", "triton", "nvidia-cublas"} <= skipped
    assert {"torch-geometric", "compressai", "numpy"} <= left
    assert all(re.match(r"torch$|torchvision$|triton$|nvidia-|cuda-", name) for name in skipped)


def test_what_a_missing_codec_is_said_to_need_is_in_the_extra(request):
    project = tomllib.loads((request.config.rootpath / "pyproject.toml").read_text())["project"]
    extra = {
        re.match(r"[a-z-]+", item)[0] for item in project["optional-dependencies"]["classic"]
    }
    packages = {re.match(r"[a-z-]+", recipe.package)[0] for recipe in RECIPES.values()}
    assert packages == extra | {"pillow"}
    (ours,) = (
        item for item in project["optional-dependencies"]["dev"] if item.startswith("mien[")
    )
    assert "classic" in re.findall(r"\w+", ours)


@pytest.mark.parametrize(
    ("version", "kept"),
    [("2.6.0", True), ("2.13.0+cpu", True), ("2.5.1", False), ("3.0.0", False), ("2.6", True)],
)
def test_a_torch_is_kept_when_it_is_in_range(environment, version, kept):
    assert environment.satisfies(version, ">=2.6,<3") is kept


def test_the_range_is_that_of_the_project(environment, request):
    project = tomllib.loads((request.config.rootpath / "pyproject.toml").read_text())["project"]
    assert environment.bounds_of("torch", project) == ">=2.6,<3"
    assert environment.bounds_of("torchvision", project).startswith(">=0.")
