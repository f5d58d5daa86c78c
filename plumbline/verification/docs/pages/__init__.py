"""One module for each page, with a function `page` that returns its Markdown."""
