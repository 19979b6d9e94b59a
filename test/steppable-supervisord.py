"""The real supervisord, but the clock behind its TICK events stands still until a test steps it.

Takes supervisord's arguments. The configuration must have:

    [rpcinterface:clock]
    supervisor.rpcinterface_factory = __main__:TickClock
    start = 1699999200

Everything else (startsecs, stopwaitsecs, log stamps, the event code, the processes) keeps real time.
"""
import ctypes
import signal
import sys

from supervisor import supervisord
from supervisor.process import EventListenerPool
from supervisor.states import EventListenerStates, ProcessStates

# The main loop sleeps a second unless a descriptor wakes it; tests that wait for state changes would wait for it.
LONGEST_POLL_SECONDS = 0.02


class TickClock(object):
    """XML-RPC methods clock.step and clock.unanswered, beside supervisord's own over the same socket."""

    def __init__(self, daemon, start):
        self.daemon = daemon
        self.now = int(start)
        tick, poll = daemon.tick, daemon.options.poller.poll
        daemon.tick = lambda: tick(self.now)
        daemon.options.poller.poll = lambda timeout: poll(min(timeout, LONGEST_POLL_SECONDS))

    def step(self, seconds):
        """Move the tick clock; the TICK events of every slice boundary it has crossed are in the pools on return."""
        self.now += seconds
        self.daemon.tick()
        return self.now

    def unanswered(self):
        """Say which events still wait in a pool or for a listener's RESULT; empty when all are answered."""
        waiting = []
        for pool in self.daemon.process_groups.values():
            if not isinstance(pool, EventListenerPool):
                continue
            if pool.event_buffer:
                waiting.append('%d in the buffer of %s' % (len(pool.event_buffer), pool.config.name))
            for listener in pool.processes.values():
                if listener.state == ProcessStates.RUNNING and listener.listener_state == EventListenerStates.BUSY:
                    waiting.append('%s is BUSY' % listener.config.name)
        return ', '.join(waiting)


# A test runner that is killed cannot clean up: the kernel then ends us as a test would have.
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

sys.argv[0] = 'supervisord'
supervisord.main()
