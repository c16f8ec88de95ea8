"""One run's life: identity, folder, lock, resume, records, manifest."""
