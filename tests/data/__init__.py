"""Documents with known answers, made on demand, and the measurement of how well their values are read.

`python -m tests.data` (`nox -s accuracy`) measures; `python -m tests.data --write FOLDER` writes the documents.
"""
