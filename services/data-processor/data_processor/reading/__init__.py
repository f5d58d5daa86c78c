"""The text of documents: read page by page, and served with pictures of the pages."""
