"""What a call leaves behind: one line for each attempt, with times, parties, codes and who ended it; the file moves on
SIGUSR1; `calls show` and `calls hangup`."""
import datetime
import os
import signal

import harness
from callserver import CallTest, endpoints, read_records
from harness import TRANSPORTS, wait_for


class Records(CallTest):
    pjsip = TRANSPORTS + endpoints('alice', 'bob', 'carol')

    def test_an_answered_call(self):
        a, b = self.two()
        leg, other = self.connect(a, b, sender='"Alice" <sip:alice@127.0.0.1>')
        self.hang_up(leg, other)
        r = self.record(leg)
        self.assertEqual((r['caller_call_id'], r['callee_call_id']), (leg.call_id, other.call_id))
        self.assertEqual((r['caller_endpoint'], r['callee_endpoint']), ('alice', 'bob'))
        self.assertEqual((r['caller'], r['caller_name'], r['dialed']),
                         ('sip:alice@127.0.0.1', 'Alice', 'sip:bob@127.0.0.1'))
        self.assertEqual((r['status'], r['ended_by'], r['branches'], r['transfers']), (200, 'caller', 1, 0))
        times = [datetime.datetime.fromisoformat(r[k]) for k in ('start', 'ring', 'answer', 'end')]
        self.assertEqual(times, sorted(times))
        self.assertAlmostEqual((times[3] - times[2]).total_seconds(), float(r['duration']), delta=0.002)
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - times[0]).total_seconds()), 60)

    def test_who_hangs_up(self):
        a, b = self.two()
        leg, other = self.connect(a, b)
        other.bye()
        leg.hung_up()
        self.assertEqual(self.record(other)['ended_by'], 'callee')

    def test_calls_that_were_not_answered(self):
        a, b = self.two()
        leg, other = self.ring(a, b)
        other.answer(486)
        leg.ack(leg.expect(486))
        r = self.record(leg)
        self.assertEqual((r['status'], r['cause'], r['ended_by'], r['answer']), (486, 'busy', 'callee', None))
        leg, other = self.ring(a, b)
        leg.cancel()
        leg.ack(leg.final(leg.invite))
        other.reply(other.expect('CANCEL'), 200)
        other.answer(487)
        r = self.record(leg)
        self.assertEqual((r['status'], r['ended_by'], r['answer']), (487, 'caller', None))

    def test_two_phones_that_ring_are_one_call(self):
        a, b, c = self.phone('alice', False), self.phone('bob'), self.phone('bob')
        leg = a.call('bob')
        first, second = b.incoming(), c.incoming()
        first.answer(180)
        second.answer(180)
        leg.expect(180)
        second.answer(200)
        leg.expect(180, 200)
        first.reply(first.expect('CANCEL'), 200)
        first.answer(487)
        leg.ack()
        second.expect('ACK')
        leg.bye()
        second.hung_up()
        r = self.record(leg)
        self.assertEqual((r['branches'], r['callee_call_id']), (2, second.call_id))

    def test_hostile_names_stay_one_line(self):
        a, b = self.two()
        leg, other = self.connect(a, b, sender='"x\\",\\"status\\":1 \u2028 \\\\n" <sip:alice@127.0.0.1>')
        self.hang_up(leg, other)
        self.assertEqual(self.record(leg)['status'], 200)

    def test_the_file_moves_on(self):
        a, b = self.two()
        leg, other = self.connect(a, b)
        self.hang_up(leg, other)
        self.record(leg)
        path = os.path.join(self.server.state, 'calls.json')
        os.rename(path, path + '.1')
        self.server.process.send_signal(signal.SIGUSR1)
        self.assertTrue(wait_for(lambda: os.path.exists(path)))
        old = len(read_records(self.server, 'calls.json.1'))
        leg, other = self.connect(a, b)
        self.hang_up(leg, other)
        self.record(leg)
        self.assertEqual(len(read_records(self.server, 'calls.json.1')), old)

    # ---- the command line ----

    def shown(self, leg):
        found = [c for c in self.server.cli('calls', 'show', as_json=True) if c['caller_call_id'] == leg.call_id]
        self.assertEqual(len(found), 1)
        return found[0]

    def test_calls_are_shown_while_they_last(self):
        a, b = self.two()
        leg, other = self.ring(a, b)
        self.assertEqual(self.shown(leg)['state'], 'Ringing')
        other.answer(200)
        leg.ack(leg.expect(200))
        other.expect('ACK')
        call = self.shown(leg)
        self.assertEqual((call['state'], call['callee_endpoint']), ('Up', 'bob'))
        self.assertIn('sip:alice@127.0.0.1', self.server.cli('calls', 'show', str(call['id'])))
        self.hang_up(leg, other)
        self.assertTrue(wait_for(lambda: self.server.cli('calls', 'show', as_json=True) == []))

    def test_a_call_is_ended_by_command(self):
        a, b = self.two()
        leg, other = self.connect(a, b)
        self.server.cli('calls', 'hangup', str(self.shown(leg)['id']))
        for side in (leg, other):
            self.assertIn('Q.850;cause=16', side.hung_up().get('Reason'))
        self.assertEqual(self.record(leg)['ended_by'], 'server')

    def test_a_call_that_does_not_exist_is_not_ended(self):
        self.assertNotEqual(self.server.cli('calls', 'hangup', '999999', check=False).returncode, 0)


if __name__ == '__main__':
    harness.main()
