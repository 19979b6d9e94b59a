"""Reads each supervisord.conf that it is given as supervisord does, and prints one line of JSON for it: its sections with
all their keys, or what the parser says against the file; and its programs, or what supervisord says against those."""
import json
import shlex
import sys

import supervisor.options

parsers = []


class Parser(supervisor.options.UnhosedConfigParser):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        parsers.append(self)


supervisor.options.UnhosedConfigParser = Parser


def words(command):
    try:
        return shlex.split(command)
    except ValueError as error:
        return None


def programs(options):
    return {
        process.name: {'command': words(process.command), 'environment': dict(process.environment or {})}
        for group in options.process_group_configs
        for process in group.process_configs
    }


for file in sys.argv[1:]:
    def refuse(message):
        raise ValueError(message)

    options = supervisor.options.ServerOptions()
    options.usage = refuse
    answer = {'version': sys.version_info[:2]}
    try:
        options.realize(['-c', file], doc='')
        answer['programs'] = programs(options)
    except Exception as error:
        answer['error'] = str(error)
    answer['sections'] = {name: dict(parsers[-1].items(name)) for name in parsers[-1].sections()}
    print(json.dumps(answer))
