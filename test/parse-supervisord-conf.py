"""Reads a supervisord.conf as supervisord does, and prints what it made of each program as JSON: its name, the words of
its command, its environment and, for an event listener, its events. Exits with 2 and the reason where supervisord would."""
import json
import shlex
import sys

from supervisor.options import ServerOptions

options = ServerOptions()
options.realize(['-c', sys.argv[1]], doc='')
print(json.dumps([
    {
        'name': process.name,
        'command': shlex.split(process.command),
        'environment': dict(process.environment or {}),
        'events': [event.__name__ for event in getattr(group, 'pool_events', [])],
    }
    for group in options.process_group_configs
    for process in group.process_configs
]))
