"""Surfaces and videos: optional targets `renderings` and `videos`."""
