"""The messages of a session, in order and as they were: frameworks' chat histories."""

from holdfast.chatlog.handle import ChatLog, sessions
from holdfast.chatlog.operations import LoggedMessage, Choose

__all__ = ["ChatLog", "LoggedMessage", "Choose", "sessions"]
