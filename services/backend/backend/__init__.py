"""The backend: users, sessions, channels, messages and live events, over FastAPI and psycopg."""
