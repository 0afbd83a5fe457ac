"""Real phones talk: one baresip calls another through the server. Each sends a tone of its own; what the other records
must be that tone and nothing of its own."""
import shutil
import unittest

import harness
from audio import is_silent, loudest, read_wav, share
from audiotest import HZ, AudioTest, make_tones


class BaresipCalls(AudioTest):
    def calls(self, transport):
        a, b = self.start('alice', 'bob', transport=transport)
        self.talk(a, b)
        a.command('hangup')
        b.event('CALL_CLOSED')
        a.event('CALL_CLOSED')
        return a, b

    def test_they_hear_each_other_over_udp_and_the_caller_hangs_up(self):
        self.calls('udp')

    def test_they_hear_each_other_over_tcp_and_the_called_side_hangs_up(self):
        a, b = self.start('alice', 'bob', transport='tcp')
        self.talk(a, b)
        b.command('hangup')
        a.event('CALL_CLOSED')
        b.event('CALL_CLOSED')

    def test_hold_and_resume(self):
        """Held, both fall silent; resumed, both are heard again."""
        a, b = self.start('alice', 'bob')
        self.talk(a, b)
        a.command('hold')
        b.heard.falls_silent()
        a.heard.falls_silent()
        a.command('resume')
        self.hear_each_other(a, b)
        b.command('hold')
        a.heard.falls_silent()
        b.command('resume')
        self.hear_each_other(a, b)
        a.command('hangup')
        b.event('CALL_CLOSED')

    def test_early_media_is_heard_before_the_answer(self):
        """This baresip sends none before it has answered, but plays what comes."""
        a, = self.start('alice')
        b = self.baresip('bob', options=';answermode=early').registered()
        a.dial('bob')
        a.event('CALL_PROGRESS')
        b.heard.hears(HZ['alice'], absent=[HZ['bob']])
        b.command('accept')
        a.event('CALL_ESTABLISHED')
        self.hear_each_other(a, b)
        a.command('hangup')
        b.event('CALL_CLOSED')

    def test_blind_transfer(self):
        """Bob is sent to carol and hears her; alice is out of it."""
        a, b, c = self.start('alice', 'bob', 'carol')
        self.talk(a, b)
        a.command('transfer', a.uri('carol'))
        c.event('CALL_INCOMING')
        c.command('accept')
        c.event('CALL_ESTABLISHED')
        a.event('CALL_CLOSED')
        self.hear_each_other(b, c)
        b.command('hangup')
        c.event('CALL_CLOSED')

    def test_blind_transfer_by_the_called_side(self):
        a, b, c = self.start('alice', 'bob', 'carol')
        self.talk(a, b)
        b.command('transfer', b.uri('carol'))
        c.event('CALL_INCOMING')
        c.command('accept')
        c.event('CALL_ESTABLISHED')
        b.event('CALL_CLOSED')
        self.hear_each_other(a, c)
        c.command('hangup')
        a.event('CALL_CLOSED')

    # ---- not answered ----

    def test_cancel_while_it_rings(self):
        a, b = self.start('alice', 'bob')
        a.dial('bob')
        b.event('CALL_INCOMING')
        a.event('CALL_RINGING')
        a.command('hangup')
        b.event('CALL_CLOSED')
        self.assertFalse(b.has('CALL_ESTABLISHED'))

    def test_busy_declined_and_not_answered(self):
        a, = self.start('alice')
        b = self.baresip('bob', max_calls=1).registered()
        c, = self.start('carol')
        # Nobody takes it.
        a.dial('bob')
        b.event('CALL_INCOMING')
        self.assertRegex(a.event('CALL_CLOSED')['param'], '^480')
        b.event('CALL_CLOSED')
        # Declined.
        a.dial('bob')
        b.event('CALL_INCOMING')
        b.command('hangup')
        self.assertRegex(a.event('CALL_CLOSED')['param'], '^486')
        # Busy: it talks to another.
        self.talk(c, b)
        a.dial('bob')
        self.assertRegex(a.event('CALL_CLOSED')['param'], '^486')
        self.hear_each_other(b, c)
        c.command('hangup')

    def test_a_number_that_nobody_has(self):
        a, = self.start('alice')
        a.dial('nobody')
        self.assertRegex(a.event('CALL_CLOSED')['param'], '^404')


class Tones(unittest.TestCase):
    """The comparison itself must be able to fail."""

    def test_a_tone_is_told_from_another_and_from_silence(self):
        folder, tones = make_tones()
        self.addCleanup(shutil.rmtree, folder)
        samples = read_wav(tones['bob'])[:8000]
        self.assertEqual(share(samples, HZ['bob']), 1)
        self.assertLess(loudest(samples, HZ['alice']), 0.01)
        both = [(x + y) // 2 for x, y in zip(samples, read_wav(tones['alice']))]
        self.assertEqual(share(both, HZ['bob']), 0)
        self.assertGreater(loudest(both, HZ['alice']), 0.3)
        self.assertTrue(is_silent([0] * 400))
        self.assertFalse(is_silent(samples[:400]))


if __name__ == '__main__':
    harness.main()
