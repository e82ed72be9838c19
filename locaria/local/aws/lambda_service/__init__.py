"""An emulated Lambda: asynchronous invocations, delivered to the handlers under lambda/."""
