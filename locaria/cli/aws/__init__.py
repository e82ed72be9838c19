"""Commands for a stage on AWS: configure, deploy, destroy."""
