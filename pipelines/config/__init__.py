"""The pipeline file: its models, its errors, its schema."""
