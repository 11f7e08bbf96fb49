"""The truth: settings, errors, requests, rows and their guarded transitions. Imports nothing of ours."""

VERSION = "0.1.0"
