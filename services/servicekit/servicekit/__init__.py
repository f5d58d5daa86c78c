"""Code that all services share: facts, secret files, tokens, request ids, logging, events, migrations."""

# Imported here, on the main thread. Every socket call looks this codec up. If two threads do so first at the same time,
# one can see a partly imported module, and Python then caches "unknown encoding" for the life of the process.
import encodings.idna  # noqa: F401
