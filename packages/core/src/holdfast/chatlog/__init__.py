"""The messages of a session, in order and as they were: frameworks' chat histories."""

from holdfast.chatlog.handle import ChatLog, sessions
from holdfast.chatlog.operations import Choose, LoggedMessage

__all__ = ["ChatLog", "Choose", "LoggedMessage", "sessions"]
