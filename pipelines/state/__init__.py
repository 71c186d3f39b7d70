"""The state store, one module for each subject."""
