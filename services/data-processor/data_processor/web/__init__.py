"""Between HTTP and the domain: who asks, what was sent, pages, answers and errors."""
