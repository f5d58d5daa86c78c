"""The little that all services share: facts, secret files, tokens, request ids, logging, events, migrations."""

# Resolved here, on the main thread: every socket call looks this codec up, and when the first look-ups come from two
# threads at once one of them can see the module half imported; Python then remembers "unknown encoding" for good.
import encodings.idna  # noqa: F401
