"""Locaria on AWS: the template, the zips, the images, and the command that puts them there."""
