"""What warnings cost the requests beside them."""
