"""What several tests share: toy params, drawn pictures, a briefly trained codec."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.params import Params, load_params

TOY = Path(__file__).parent / "toy.yaml"

# The cores of the machine are shared by the processes that run tests side by side.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
torch.set_num_threads(max(1, (os.cpu_count() or 1) // _WORKERS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with whole workflows: at the end a file of minutes would leave processes idle."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture
def toy_params() -> Params:
    return load_params(TOY)


@pytest.fixture(scope="session")
def faces() -> torch.Tensor:
    """Return drawn faces, uint8 [12, 3, 128, 128], expressions in turn."""
    from mien.data.faces import draw_face

    pictures = [draw_face(5, index, index % 8, 128).image for index in range(12)]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="session")
def trained_codec(faces):
    """Return a small codec after 150 steps: an untrained one uses one symbol and hides bugs."""
    from mien.codec.model import make_tables, new_codec
    from mien.training.loss import Weighting, bits_per_pixel, scaled_mse

    torch.manual_seed(0)
    codec = new_codec((16, 24)).train()
    auxiliary = codec.entropy_bottleneck.quantiles
    main = [p for p in codec.parameters() if p is not auxiliary]
    optimizer = torch.optim.Adam(main, lr=1e-3)
    x = faces.float().div(255)
    for step in range(150):
        part = x[step % 3 :: 3, :, step % 2 * 64 :][..., :64, step % 5 * 16 :][..., :64]
        out = codec(part)
        terms = {
            "bpp": bits_per_pixel(out["likelihoods"], part.numel() // 3),
            "mse": scaled_mse(out["x_hat"], part),
        }
        optimizer.zero_grad()
        Weighting(bpp=1.0, mse=0.05, ce=0.0).total(terms).backward()
        torch.nn.utils.clip_grad_norm_(main, 1.0)
        optimizer.step()
    make_tables(codec)
    return codec.eval()
