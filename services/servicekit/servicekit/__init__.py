"""The little that all services share: facts, secret files, tokens, request ids, logging, events, migrations."""
