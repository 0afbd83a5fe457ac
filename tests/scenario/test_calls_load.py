"""Calls from SIPp to SIPp for some seconds, several at a time: none fails. `make bench-sipp` is the long form."""
import os
import sys
import unittest

import harness
from harness import SOURCE, ServerTest, TRANSPORTS, free_port, wait_for

sys.path.insert(0, os.path.join(SOURCE, 'bench'))

from sippload import ENDPOINTS, Called, Caller  # noqa: E402

SECONDS = 10
RATE = 40 / harness.SLOW  # calls a second
CALLED_WAITS_S = 4  # SIPp's called side counts a call that long after its BYE


class CallsLoad(ServerTest):
    port = free_port()
    pjsip = TRANSPORTS + ENDPOINTS.format(port=port)

    def test_no_call_fails(self):
        calls = int(RATE * SECONDS)
        called = Called(self.server.folder, self.port)
        self.addCleanup(called.stop)
        caller = Caller(self.server.folder, self.server.ports['udp'], RATE, calls)
        self.addCleanup(caller.stop)
        counts = caller.finish()
        said = f'{counts}\n{caller.errors()}\n{called.errors()}\n' + '\n'.join(self.server.log[-20:])
        self.assertEqual((counts['failed'], counts['successful']), (0, calls), said)
        seen = wait_for(lambda: called.counts()['successful'] == calls, CALLED_WAITS_S + harness.DEADLINE)
        self.assertTrue(seen, said)
        self.assertEqual(called.counts()['failed'], 0, said)


if __name__ == '__main__':
    unittest.main(verbosity=2)
