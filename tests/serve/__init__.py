"""The page of `serve`: in a browser, and against whoever should not come in."""
