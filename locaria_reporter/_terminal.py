"""placeholder"""

from ._recording import RecordingChannel


class TerminalChannel(RecordingChannel):
    """placeholder"""
