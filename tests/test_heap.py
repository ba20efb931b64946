import subprocess
import sys

import pytest

FAULTS = """
import resource
from mien.heap import keep_freed
{keep}
for _ in range(20):
    bytearray(48 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's")
def test_memory_that_was_freed_is_used_again_without_a_page_fault():
    kept, given_back = (
        int(subprocess.check_output([sys.executable, "-c", FAULTS.format(keep=keep)]))
        for keep in ("assert keep_freed()", "")
    )
    assert kept * 2 < given_back
