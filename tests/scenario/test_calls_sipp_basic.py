"""Calls of SIPp through the server: answered, cancelled, refused, not answered, over UDP and TCP, and their records."""
import os
import subprocess
import tempfile

import harness
from callserver import CallTest, endpoints
from harness import TRANSPORTS, free_port, phone_sections
from sippcall import Callee, Caller, Running, play, udp_is_bound


class Basic(CallTest):
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol', 'sipp', 'service') + phone_sections('erin')

    def talk(self, calls=1, transport='u1', way='u1', caller=None, rate=20):
        caller = caller or Caller('alice', 'bob').answered().pause(50).bye()
        play(self, caller, (Callee('bob').answering().hung_up(), None, way), transport=transport, calls=calls,
             args=('-r', str(rate)))

    def test_calls_over_udp(self):
        self.talk(20)
        self.recorded(20, status=200, ended_by='caller', caller_endpoint='alice', callee_endpoint='bob')

    def test_calls_over_tcp(self):
        self.talk(5, 't1', 't1')

    def test_calls_from_udp_to_tcp(self):
        self.talk(5, 'u1', 't1')

    def test_calls_from_tcp_to_udp(self):
        self.talk(5, 't1', 'u1')

    def test_the_called_side_hangs_up(self):
        play(self, Caller('alice', 'bob').answered().hung_up(), Callee('bob').answering().pause(50).bye())
        self.recorded(1, status=200, ended_by='callee')

    def test_a_call_with_a_password(self):
        self.talk(caller=Caller('erin', 'bob', 'secret').answered().pause(50).bye())

    def test_the_scenarios_that_sipp_has_built_in(self):
        """As the long run of the benchmarks has it, for a moment."""
        folder = tempfile.mkdtemp(prefix='sipp-', dir=self.server.folder)
        port = free_port()
        common = ['-i', '127.0.0.1', '-m', '50', '-nostdin', '-timeout', f'{int(harness.DEADLINE)}s', '-timeout_error']
        start = lambda *argv: subprocess.Popen(['sipp', *argv, *common], cwd=folder, stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        called = start('-sn', 'uas', '-p', str(port))
        self.addCleanup(lambda: (called.kill(), called.wait()))
        self.assertTrue(harness.wait_for(lambda: udp_is_bound(port)))
        self.register('service', port)
        calling = start(f'127.0.0.1:{self.server.ports["udp"]}', '-sn', 'uac', '-p', str(free_port()), '-r', '50')
        self.addCleanup(lambda: (calling.kill(), calling.wait()))
        self.assertEqual(calling.wait(harness.DEADLINE), 0)
        self.assertEqual(called.wait(harness.DEADLINE), 0)

    # ---- not answered ----

    def test_cancelled_while_it_rings(self):
        play(self, Caller('alice', 'bob').dial().expect(180).cancel().expect(200).expect(487).ack_failure(),
             Callee('bob').called().ring().receive('CANCEL').reply(200).refuse(487, name='invite'))
        self.recorded(1, status=487, ended_by='caller')

    def refused(self, status, cause):
        play(self, Caller('alice', 'bob').dial().expect(180).expect(status).ack_failure(),
             Callee('bob').called().ring().refuse(status))
        self.recorded(1, status=status, ended_by='callee', cause=cause)

    def test_busy(self):
        self.refused(486, 'busy')

    def test_busy_everywhere(self):
        self.refused(600, 'busy')

    def test_declined(self):
        self.refused(603, 'refused')

    def test_not_acceptable(self):
        self.refused(488, 'refused')

    def test_nobody_of_that_name(self):
        play(self, Caller('alice', 'nobody').dial().expect(404).ack_failure())
        self.recorded(1, status=404, ended_by='server', cause='unknown number')

    def test_registered_nowhere(self):
        play(self, Caller('alice', 'carol').dial().expect(480, has=[('Reason', 'cause=20')]).ack_failure())
        self.recorded(1, status=480, ended_by='server', cause='unreachable')

    def test_without_max_forwards_left(self):
        script = Caller('alice', 'bob').dial().expect(483).ack_failure()
        script.parts[0] = script.parts[0].replace('Max-Forwards: 70', 'Max-Forwards: 0')
        play(self, script)


if __name__ == '__main__':
    harness.main()
