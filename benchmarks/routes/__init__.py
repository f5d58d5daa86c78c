"""The most used routes beside their floors."""
