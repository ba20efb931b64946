"""Where the state of a training is kept: by all that decides how it goes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mien import paths
from mien.params import Compute
from mien.training.resume import Keeper


def keeper_for(
    stage: str, config: Mapping[str, Any], compute: Compute, *, writes: bool = True
) -> Keeper:
    """Return the keeper of one training, in a folder named by its content.

    Another learning rate, other data, other code: another folder, so that a training never
    goes on from the state of a different one.

    Args:
        stage: For the folder's name.
        config: JSON values: params, and digests of data, models and code.
        compute: How often to save.
        writes: Whether this process is the one that saves.
    """
    text = json.dumps(config, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Keeper(paths.WORK / f"{stage}-{key}", compute.save_seconds, writes=writes)
