"""`dividere.MsgLib` under the name that its module has in dividere 2.2.0."""

from dividere.MsgLib import *  # noqa: F403
from dividere.MsgLib import DESCRIPTOR as DESCRIPTOR
