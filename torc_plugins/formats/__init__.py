"""Spec formats."""
