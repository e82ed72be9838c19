"""An emulated ECS: RunTask and the calls around it, with containers run by a launcher."""
