"""The loop at the heart of every listener that is written with supervisor.childutils, superlance's among them."""
import sys

from supervisor import childutils

while True:
    try:
        headers, payload = childutils.listener.wait(sys.stdin, sys.stdout)
    except KeyError:  # an empty line, which has no len: the end of stdin
        sys.exit(0)
    childutils.listener.ok(sys.stdout)
