"""What a person sees of a run: figures, report, tracker, terminal."""
