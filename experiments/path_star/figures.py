"""Pictures, tables and headline of path_star (filled in below)."""
FIGURES=(); PAPER_FIGURES=(); PAPER_TABLES=(); TABLES=()
def headline(run): return []
def panels(run): return ()
