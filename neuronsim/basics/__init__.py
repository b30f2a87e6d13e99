"""What every room may use: files written whole or not at all, numbers checked, words put together."""
