# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files are the corpus's messages: those of the folder that SEALPIPE_CORPUS names, else of
../shared/corpus/mime beside the tree. INDEX.tsv in the folder above says which; without it, all are."""

import os
import pathlib

CORPUS = pathlib.Path(os.environ.get("SEALPIPE_CORPUS")
                      or pathlib.Path(__file__).resolve().parents[3] / "shared/corpus/mime")


def find():
    """{name: path}. Names are relative to the corpus, as they stand in lists of refusals."""
    index = CORPUS.parent / "INDEX.tsv"
    if index.is_file():
        rows = index.read_text().splitlines()[1:]
        prefix = f"{CORPUS.name}/"
        names = [row.split("\t")[0][len(prefix):] for row in rows if row.startswith(prefix)]
    else:
        names = [str(path.relative_to(CORPUS)) for path in sorted(CORPUS.rglob("*"))
                 if path.is_file() and path.name != "SOURCES.txt"]
    return {name: CORPUS / name for name in names}
