"""What a right answer says, given the token's text."""

from harness.tokens.prompts._templates import Task

_UNDECODABLE = "�"


def expected_answer(task: Task, text: str) -> str | None:
    """The right answer as text, or None where the task has none for this token.

    Spaces around the text count neither as letters nor for the length: a leading space marks the start of a word.
    'Hello' and ' Hello' give 'Hello' (repetition and the verification prompts: the text itself), 'H-e-l-l-o', '5'.
    None: text that does not decode (compare ids instead), and spelling or length of nothing but white space.
    """
    if _UNDECODABLE in text or not text:
        return None
    if task not in (Task.SPELLING, Task.LENGTH):
        return text
    letters = text.strip()
    if not letters:
        return None
    return "-".join(letters) if task is Task.SPELLING else str(len(letters))
