"""AWS services that the local runtime emulates: Lambda, ECS and the extension that calls them."""
