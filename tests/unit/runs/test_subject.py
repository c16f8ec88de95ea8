"""A part that a run has not raises where it is asked for."""

import pytest

from harness.runs._subject import Subject

pytestmark = pytest.mark.unit


def test_pools_that_were_not_declared_raise_and_say_what_to_declare():
    with pytest.raises(RuntimeError, match=r"no pools \(Needs\.POOLS"):
        _ = Subject(None, None, None, None).pools
    assert Subject(None, None, {}, None).pools == {}
