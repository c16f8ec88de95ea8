import pytest

from harness.glitch.census.groups import groups_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        (" the", {"letters, space before", "up to 3 characters"}),
        ("the", {"letters, no space before", "up to 3 characters"}),
        (" InstancePreprocess", {"letters, space before", "8 characters or more"}),
        ("привет", {"letters, no space before", "letters beyond Latin"}),
        ("é", {"letters, no space before", "up to 3 characters"}),  # a Latin letter
        ("2026", {"digits"}),
        ("12", {"digits", "up to 3 characters"}),
        (" ...", {"punctuation and signs", "up to 3 characters"}),
        ("\n", set()),
        ("", set()),
    ],
)
def test_by_the_look_of_the_text(text, groups):
    assert set(groups_of(text)) == groups
