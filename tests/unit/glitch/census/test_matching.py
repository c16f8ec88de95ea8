import pytest

from harness.glitch.census.matching import MatchedBy, first_line, first_number, judge
from harness.tokens.prompts import Task

pytestmark = pytest.mark.unit


def repetition(text, answer, answer_ids=(), token_id=7):
    return judge(Task.REPETITION, token_id, text, answer_ids, answer)


@pytest.mark.parametrize(
    ("text", "answer", "passes"),
    [
        ("cap", " 'cap'", True),
        (" cap", "The string is cap.", True),
        ("Cap", "CAP", True),
        ("cap", "capable", False),  # any substring would do for published tools
        ("cap", "recap", False),
        ("cap", "recap, cap", True),
        ("e", "Here it comes", False),
        ("e", "'e'", True),
        ("(", "call(x)", True),
        ("a-b", "xa-b", False),
        ("cap", "\n\n cap", True),
        ("cap", "hat\ncap", False),  # beyond the first line
        ("a\nb", "x\na\nb", True),  # a token of two lines
        ("   ", "   ", False),
        (None, "�", False),
    ],
)
def test_repetition_by_text(text, answer, passes):
    assert repetition(text, answer).passed is passes


def test_the_published_rule_stands_beside():
    found = repetition("cap", "capable")
    assert (found.passed, found.is_substring) == (False, True)
    assert repetition("cap", "hat").is_substring is False


@pytest.mark.parametrize("text", ["cap", None])
def test_repetition_by_id(text):
    found = repetition(text, "…", answer_ids=(1, 7, 2))
    assert (found.matched_by, found.is_substring) == (MatchedBy.ID, True)


@pytest.mark.parametrize(
    ("text", "answer", "passes"),
    [("'", " 'cap'", False), ("'", "'''", True), (" '", "' ' '", True), ("'.", "''.'", True), (".", "cap.", False)],
)
def test_quotation_marks_must_be_said_inside_the_frame(text, answer, passes):
    assert repetition(text, answer, answer_ids=(7,)).passed is passes


@pytest.mark.parametrize(
    ("text", "answer", "first_inside", "passes"),
    [
        ("'", " ''\n", 7, True),  # what pocket says of its ids 1, 6 and 422: the closing sign is missing
        ('"', " '\"\n", 7, True),
        ("»", "'»\n", 7, True),
        ("»", "'»\n", None, True),  # in another id: by its text
        ("»", "'cap»'", 9, True),
        ("\n", " '\n'", 7, True),
        ("\n", " 'cap'\n", 9, False),  # nearly every answer ends so
        (" ", " 'a b'", 9, False),
    ],
)
def test_what_frames_answers_must_be_the_first_thing_inside(text, answer, first_inside, passes):
    assert judge(Task.REPETITION, 7, text, (5, 7), answer, first_inside).passed is passes


@pytest.mark.parametrize(
    ("text", "answer", "first_inside", "passes"),
    [
        ("cap", "cap»", 7, True),
        (" cap", "Cap»", 9, True),  # in other ids, spaces and case aside
        ("cap", "capable»", 9, False),
        ("cap", "hat» cap", 9, False),  # behind the closing sign
        ("'", "'»", 7, True),
        ("\n", "\n»", 7, True),
        ("»", "»", 7, True),
        ("»", "cap»", 9, False),
        (None, "\ufffd", 7, True),
    ],
)
def test_where_the_prompt_opened_the_answer_its_first_id_or_whole_text_counts(text, answer, first_inside, passes):
    assert judge(Task.REPETITION, 7, text, (9, 7), answer, first_inside, closing="»").passed is passes


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        (" H-e-l-l-o", True),
        ("h-e-l-l-o.", True),
        ("H-e-l-l-o-o", False),
        ("S-H-e-l-l-o", False),
        ("It is 'H-e-l-l-o'", True),
        ("Hello", False),
        ("H-e-l-l", False),
    ],
)
def test_spelling(answer, passes):
    assert judge(Task.SPELLING, 7, " Hello", (), answer).passed is passes


@pytest.mark.parametrize(
    ("answer", "passes"),
    [(" 5", True), ("5 characters", True), ("15", False), ("four, not 5", True), ("05", True), ("", False)],
)
def test_length(answer, passes):
    assert judge(Task.LENGTH, 7, " Hello", (), answer).passed is passes


def test_a_task_without_a_right_answer_is_an_error():
    with pytest.raises(ValueError, match="no right answer"):
        judge(Task.LENGTH, 7, "  ", (), "0")


def test_lines_and_numbers():
    assert first_line("\n \n a b \nc") == "a b"
    assert first_line("\n") == ""
    assert first_number("about 007 of 9") == "7"
    assert first_number("seven") is None
