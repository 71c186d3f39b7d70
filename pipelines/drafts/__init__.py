"""Drafts a first pipeline file from a source."""
