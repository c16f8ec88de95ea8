"""What is examined: the model, the graphs it is asked, and how they are written."""

from dataclasses import dataclass, replace

from experiments.path_star.config import PathStarConfig
from harness.models.loaded import LoadedModel
from harness.path_star.codec import Codec
from harness.path_star.encoded import Rows
from harness.path_star.graphs import StarGraphs
from harness.path_star.material import encode
from harness.path_star.recipe import Decoding, ObjectiveName


@dataclass(frozen=True)
class Subject:
    """What is examined: graphs, how they are written, and the model that answers."""

    exp: PathStarConfig
    graphs: StarGraphs
    rows: Rows
    codec: Codec
    model: LoadedModel

    @property
    def decoding(self) -> Decoding:
        """How the model answers."""
        return self.exp.objective.decoding

    def part(self, rows: slice) -> "Subject":
        """Some of the graphs."""
        return Subject(self.exp, self.graphs[rows], self.rows[rows], self.codec, self.model)

    def where_it_plans(self) -> "Subject":
        """The same where the path is written first: a scratchpad is a reversed answer, and what follows only copies."""
        if self.decoding is not Decoding.SCRATCHPAD:
            return self
        exp = replace(self.exp, objective=ObjectiveName.REVERSED)
        return replace(self, exp=exp, rows=encode(self.graphs, self.codec, is_reversed=True))
