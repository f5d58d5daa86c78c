"""Django migrations of the tables that the data-processor owns."""
