"""Next-token training as usual."""

from harness.path_star.ways.token_by_token import TokenByToken


class TeacherForcing(TokenByToken):
    """Each token of the answer from all true ones before it."""

    name, label, place = "teacher_forcing", "teacher forcing", 0
