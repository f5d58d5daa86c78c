"""Health: is the process alive, is the database there, is its schema the one this code was written for."""
