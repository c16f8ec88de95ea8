"""What a terminal does to a command: a reader that leaves early is no error."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.acceptance


def test_a_reader_that_has_read_enough_is_no_error():
    command = [sys.executable, "-m", "harness", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    errors = process.stderr.read().decode()
    assert process.wait(timeout=60) == 141
    assert errors == ""
