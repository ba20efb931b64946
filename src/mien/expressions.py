"""The eight expressions of AffectNet, in the order of its codes (LibreFace uses the same)."""

EXPRESSIONS = (
    "neutral",
    "happy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
)
N_EXPRESSIONS = len(EXPRESSIONS)
