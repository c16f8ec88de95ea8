"""From a command line to one frozen, typed `RunConfig`."""
