"""Run by gcloud's own Python: many commands of the real gcloud in one process, since each start of it takes a second.

`python -S gcloud_in_one_process.py SDK_ROOT COMMANDS ANSWERS`; COMMANDS is a file with a JSON list of lists of words (without
`gcloud`), ANSWERS is written as a JSON list of exit code, standard output and standard error.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

_PARTS = ("lib", "lib/third_party")


def main(root: str, commands: str, answers: str) -> None:
    """Run all of them, one after the other."""
    sys.path[:0] = [os.path.join(root, part) for part in _PARTS]  # noqa: PTH118 - as gcloud has them
    import gcloud  # noqa: F401 - puts the rest of its path together
    from googlecloudsdk import gcloud_main

    cli = gcloud_main.CreateCLI([])
    done = [_run(cli, words) for words in json.loads(Path(commands).read_text())]
    Path(answers).write_text(json.dumps(done))


def _run(cli, words):
    """Exit code and what was written, also by those parts of gcloud that keep the streams that they found at the start."""
    kept = [os.dup(number) for number in range(3)]
    with open(os.devnull) as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:  # noqa: PTH123 - a device
        for number, file in enumerate((nothing, out, err)):
            os.dup2(file.fileno(), number)
        try:
            cli.Execute(words)
            code = 0
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in enumerate(kept):
                os.dup2(copy, number)
                os.close(copy)
        return [code, *(_text(file) for file in (out, err))]


def _text(file):
    file.seek(0)
    return file.read().decode(errors="replace")


if __name__ == "__main__":
    main(*sys.argv[1:])
