"""The 68 landmarks of a face at rest, and how action units move them.

Face coordinates: x to the right of the picture, y down, origin between the eyes. One unit is
about 10 cm of a grown-up: the chin is near y = 1.15, the crown near y = -1.1.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from mien.data.portrait.units import Units

Points = NDArray[np.float64]  # [n, 2]: x, y

# Left half of the picture (x < 0) and the midline, in the 68-point scheme of iBUG 300-W.
_LEFT: dict[int, tuple[float, float]] = {
    0: (-0.74, -0.06), 1: (-0.735, 0.15), 2: (-0.715, 0.35), 3: (-0.67, 0.55), 4: (-0.59, 0.73),
    5: (-0.475, 0.89), 6: (-0.335, 1.03), 7: (-0.175, 1.125), 8: (0.0, 1.155),
    17: (-0.56, -0.20), 18: (-0.475, -0.265), 19: (-0.37, -0.285), 20: (-0.26, -0.265),
    21: (-0.15, -0.225),
    27: (0.0, -0.02), 28: (0.0, 0.12), 29: (0.0, 0.26), 30: (0.0, 0.39),
    31: (-0.135, 0.45), 32: (-0.07, 0.475), 33: (0.0, 0.49),
    36: (-0.49, 0.005), 37: (-0.40, -0.07), 38: (-0.285, -0.07), 39: (-0.19, 0.02),
    40: (-0.29, 0.06), 41: (-0.40, 0.06),
    48: (-0.265, 0.732), 49: (-0.17, 0.69), 50: (-0.065, 0.655), 51: (0.0, 0.67),
    57: (0.0, 0.835), 58: (-0.085, 0.83), 59: (-0.175, 0.795),
    60: (-0.235, 0.733), 61: (-0.085, 0.735), 62: (0.0, 0.74), 66: (0.0, 0.742),
    67: (-0.085, 0.738),
}  # fmt: skip

# Landmark of the right half -> its mirror image in the left half.
_MIRROR: dict[int, int] = {
    **{16 - i: i for i in range(8)},
    **{26 - i: 17 + i for i in range(5)},
    **{35: 31, 34: 32, 45: 36, 44: 37, 43: 38, 42: 39, 47: 40, 46: 41},
    **{54: 48, 53: 49, 52: 50, 56: 58, 55: 59, 64: 60, 63: 61, 65: 67},
}

# Landmark -> the one on the other side of the face; the midline's are their own.
MIRRORED = np.arange(68)
MIRRORED[list(_MIRROR)] = list(_MIRROR.values())
MIRRORED[list(_MIRROR.values())] = list(_MIRROR)
MIRRORED.setflags(write=False)

# Pairs of upper and lower landmarks that touch at most.
LIDS_AND_LIPS = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65))

# Action unit at full intensity -> how far it moves left-half and midline landmarks:
# (outwards, downwards), face units. After the muscle descriptions of the FACS manual.
_MOVES: dict[int, dict[int, tuple[float, float]]] = {
    1: {  # inner brow raiser
        18: (0, -0.005), 19: (0, -0.04), 20: (-0.01, -0.11), 21: (-0.015, -0.155),
    },
    2: {17: (0, -0.11), 18: (0, -0.13), 19: (0, -0.09), 20: (0, -0.03)},  # outer brow raiser
    4: {  # brow lowerer
        18: (-0.01, 0.03), 19: (-0.03, 0.07), 20: (-0.045, 0.10), 21: (-0.05, 0.115),
        37: (0, 0.015), 38: (0, 0.02),
    },
    5: {37: (0, -0.05), 38: (0, -0.05), 40: (0, 0.008), 41: (0, 0.008)},  # upper lid raiser
    6: {40: (0, -0.04), 41: (0, -0.045), 37: (0, 0.012), 36: (0.01, 0.0)},  # cheek raiser
    7: {37: (0, 0.03), 38: (0, 0.032), 40: (0, -0.03), 41: (0, -0.03)},  # lid tightener
    9: {  # nose wrinkler
        20: (-0.01, 0.05), 21: (-0.015, 0.06), 30: (0, -0.03), 31: (0.035, -0.055),
        32: (0.01, -0.03), 33: (0, -0.025), 38: (0, 0.015), 40: (0, -0.025), 41: (0, -0.02),
        50: (0, -0.03), 51: (0, -0.03),
    },
    10: {  # upper lip raiser
        31: (0.01, -0.015), 48: (0.0, 0.01), 49: (0.01, -0.055), 50: (0, -0.085),
        51: (0, -0.075), 61: (0, -0.065), 62: (0, -0.065), 60: (0.0, 0.01),
    },
    12: {  # lip corner puller
        48: (0.105, -0.135), 49: (0.055, -0.05), 50: (0.015, 0.005), 51: (0, 0.012),
        60: (0.10, -0.13), 61: (0.03, -0.01), 62: (0, 0.02), 66: (0, 0.025), 67: (0.03, 0.0),
        57: (0, 0.015), 58: (0.025, 0.005), 59: (0.06, -0.045), 31: (0.02, -0.01),
        4: (0.015, -0.01), 5: (0.01, 0),
    },
    14: {  # dimpler
        48: (0.075, -0.05), 60: (0.06, -0.048), 49: (0.03, -0.01), 59: (0.035, -0.022),
        58: (0.01, -0.01), 50: (0.01, 0.01),
    },
    15: {  # lip corner depressor
        48: (0.015, 0.105), 49: (0.01, 0.04), 59: (0.015, 0.045), 60: (0.005, 0.095),
        61: (0, 0.015), 67: (0, 0.015), 58: (0, 0.005),
    },
    17: {  # chin raiser
        57: (0, -0.04), 58: (0, -0.04), 59: (0, -0.02), 66: (0, -0.025), 67: (0, -0.025),
        61: (0, -0.02), 62: (0, -0.02), 50: (0, -0.012), 51: (0, -0.012), 48: (0, 0.025),
        60: (0, 0.02), 8: (0, -0.02), 7: (0, -0.015),
    },
    20: {  # lip stretcher
        48: (0.13, 0.035), 49: (0.07, 0.02), 50: (0.02, 0.012), 59: (0.08, 0.02),
        58: (0.03, 0.012), 60: (0.12, 0.035), 61: (0.04, 0.01), 67: (0.04, 0.012),
    },
    23: {  # lip tightener: thin, short lips
        48: (-0.045, 0.0), 60: (-0.045, 0.0), 49: (-0.03, 0.03), 50: (-0.005, 0.045),
        51: (0, 0.04), 57: (0, -0.055), 58: (-0.01, -0.05), 59: (-0.03, -0.035),
    },
    25: {  # lips part
        49: (0, -0.008), 50: (0, -0.018), 51: (0, -0.018), 61: (0, -0.025), 62: (0, -0.028),
        57: (0, 0.05), 58: (0, 0.047), 59: (0, 0.025), 66: (0, 0.065), 67: (0, 0.058),
    },
    26: {  # jaw drop
        3: (-0.01, 0.02), 4: (-0.02, 0.06), 5: (-0.02, 0.12), 6: (-0.01, 0.17), 7: (0, 0.19),
        8: (0, 0.195), 48: (-0.05, 0.05), 60: (-0.045, 0.05), 59: (-0.015, 0.15),
        58: (0, 0.205), 57: (0, 0.215), 66: (0, 0.22), 67: (0, 0.2), 49: (-0.02, 0.015),
        50: (0, -0.01), 51: (0, -0.01), 61: (0, -0.01), 62: (0, -0.01),
    },
}  # fmt: skip


def landmarks_at_rest() -> Points:
    """Return the landmarks [68, 2] of the average face, which is symmetric; yours to change."""
    return _template().copy()


def moved(landmarks: Points, units: Units) -> Points:
    """Return landmarks [68, 2] with a face's action units at work.

    Displacements add up, as in Candide's model; lips and lids never pass through each other.
    """
    result = landmarks.copy()
    for number, (left, right) in units.items():
        field_left, field_right = _fields()[number]
        result += left * field_left + right * field_right
    for upper, lower in LIDS_AND_LIPS:
        middle = (result[upper, 1] + result[lower, 1]) / 2
        if result[upper, 1] > result[lower, 1]:
            result[[upper, lower], 1] = middle
    return result


@cache
def _template() -> Points:
    points = np.zeros((68, 2))
    for number, position in _LEFT.items():
        points[number] = position
    for right, left in _MIRROR.items():
        points[right] = points[left] * (-1.0, 1.0)
    points.setflags(write=False)
    return points


@cache
def _fields() -> dict[int, tuple[Points, Points]]:
    """Return per action unit the displacements by its left and by its right intensity."""
    fields = {}
    for number, moves in _MOVES.items():
        left, right = np.zeros((68, 2)), np.zeros((68, 2))
        for landmark, (outwards, down) in moves.items():
            share = 0.5 if _template()[landmark, 0] == 0 else 1.0  # both sides pull the midline
            left[landmark] = share * -outwards, share * down
        for landmark, twin in _MIRROR.items():
            right[landmark] = left[twin] * (-1.0, 1.0)
        midline = _template()[:, 0] == 0
        right[midline] = left[midline]
        fields[number] = left, right
    return fields
