"""Makes the throwaway servers available to the tests that stand beside the services."""

pytest_plugins = ["plumbline.testing"]
