"""What can be chosen about a token graph; imports nothing heavy, so that a config can name it."""

from enum import Enum

_MOST_ROWS_FOR_UMAP = 20_000


class Metric(Enum):
    """How far apart two rows are."""

    EUCLIDEAN = "euclidean"
    COSINE = "cosine"
    """1 - cos; ordered like the Euclidean distance of rows of length one."""


class LeidenLibrary(Enum):
    """Whose Leiden is run; both optimise the same quality (modularity with a resolution)."""

    IGRAPH = "igraph"
    """`Graph.community_leiden`: C throughout."""
    LEIDENALG = "leidenalg"
    """`leidenalg.find_partition` with `RBConfigurationVertexPartition`: the authors' own."""


class Projection(Enum):
    """How a picture's coordinates are found."""

    AUTO = "auto"
    """UMAP up to 20,000 rows, principal components beyond."""
    UMAP = "umap"
    """igraph's UMAP layout of each row's 15 nearest neighbours: keeps what is near; far distances mean nothing."""
    PCA = "pca"
    """The first two principal components: a linear view, in which groups may overlap."""

    def chosen(self, n: int) -> "Projection":
        """The method for `n` rows."""
        if self is not Projection.AUTO:
            return self
        return Projection.UMAP if n <= _MOST_ROWS_FOR_UMAP else Projection.PCA
