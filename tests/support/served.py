"""Commands whose libraries are loaded once: a job of the tests starts in a tenth of the time.

`python -P served.py serve SOCKET` loads what `mien`, `snakemake` and `dvc` import from others,
then forks for each request: the child takes over the working directory, the environment and the
open files of the caller and runs the command. No module of mien is loaded before, so a job runs
the source that its PYTHONPATH names. `python served.py run SOCKET NAME ...` is such a request.
"""

import array
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

COMMANDS = {"mien": "mien.cli", "snakemake": "snakemake.cli", "dvc": "dvc.cli"}
LIBRARIES = (
    "compressai.zoo",
    "docutils.core",
    "dvc.cli",
    "dvc.cli.parser",
    "dvc.repo",
    "dvc.repo.reproduce",
    "dvc.repo.experiments",
    "dvc_data.index",
    "fontTools.subset",
    "lightning_fabric",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.pyplot",
    "numba",
    "pyarrow.parquet",
    "pytorch_msssim",
    "safetensors.torch",
    "scipy.stats",
    "snakemake.api",
    "snakemake.cli",
    "snakemake.dag",
    "snakemake.executors.local",
    "snakemake.jobs",
    "snakemake.scheduling.job_scheduler",
    "snakemake.workflow",
    "torchvision",
    "tqdm",
)


def serve(address):
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:  # a name of another version: its command loads it by itself
            print(f"not loaded before: {name}", file=sys.stderr)
    assert "mien" not in sys.modules
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(64)
    print("ready", flush=True)
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            _child(connection)
        connection.close()


def _child(connection):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        name, arguments = _take_over(connection)
        status = importlib.import_module(COMMANDS[name]).main(arguments) or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 (the command's own, shown as Python would)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([status & 255]))
        os._exit(status & 255)


def _take_over(connection):
    files = array.array("i")
    size = socket.CMSG_LEN(3 * files.itemsize)
    head, ancillary, _, _ = connection.recvmsg(16, size)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(data[: len(data) - len(data) % files.itemsize])
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    body = b""
    while len(body) < int(head):
        body += connection.recv(1 << 16)
    request = json.loads(body)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    known = request["environment"].get("PYTHONPATH", "")
    sys.path[:0] = [part for part in known.split(os.pathsep) if part]
    sys.argv = request["command"]
    return request["command"][0], request["command"][1:]


def run(address, command):
    if journal := os.environ.get("JOBS"):
        with Path(journal).open("a") as file:
            file.write(" ".join(command) + "\n")
    body = json.dumps(
        {"command": command, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    ).encode()
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    files = array.array("i", [0, 1, 2]).tobytes()
    client.sendmsg([b"%16d" % len(body)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    client.sendall(body)
    return (client.recv(1) or b"\xff")[0]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.exit(run(sys.argv[2], sys.argv[3:]))
