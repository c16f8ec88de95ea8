"""Arguments of the three commands: a mistake is one line and exit code 2, like everywhere else."""

import argparse
from typing import NoReturn

from harness.errors import Rejected


class Arguments(argparse.ArgumentParser):
    """argparse that raises `Rejected` instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise Rejected(f"{message} ({self.prog} --help shows how)")
