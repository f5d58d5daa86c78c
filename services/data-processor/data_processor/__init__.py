"""Data-processor: documents, annotations, templates and batch jobs of a Plumbline stack, on Django."""
