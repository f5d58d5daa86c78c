"""One module a page, each with a function `page` that returns the page's Markdown."""
