"""The errors a user can mend; everything else keeps its traceback."""


class MienError(Exception):
    """Bad input: the message names the file, the key or row, what was seen, what would do."""


class ParamsError(MienError):
    """`params.yaml` is missing, unreadable or does not match the schema."""


class DataError(MienError):
    """A data set, an index or a shard is missing, damaged or not what its manifest says."""


class CheckpointError(MienError):
    """A weights file is missing, damaged or belongs to another architecture."""


class StreamError(MienError):
    """A bitstream is damaged or was written by another codec."""


class TrainingError(MienError):
    """A training cannot go on: its loss or its gradients are not finite."""


class BusyError(MienError):
    """Another process works in this folder, or may do so where it cannot be seen from here."""
