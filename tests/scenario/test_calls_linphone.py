"""linphone calls baresip through the server, and transfers: blind, and attended with Replaces, which baresip does not
know. Who is left must hear the tone of the one that he was sent to."""
import harness
from audiotest import HZ, PASSWORD, AudioTest
from phones import LinphonePhone


class LinphoneCalls(AudioTest):
    def linphone(self, user, transport='udp'):
        phone = LinphonePhone(user, PASSWORD[user], self.server.ports[transport], transport, self.tones[user])
        self.addCleanup(phone.quit)
        return phone.registered()

    def calls(self, phone, baresip):
        """linphone calls a baresip, which takes it and hears it: the id that linphone has for it."""
        call = phone.dial(baresip.user)
        baresip.event('CALL_INCOMING')
        baresip.command('accept')
        baresip.event('CALL_ESTABLISHED')
        phone.wait(f'Call {call} with .* connected')
        baresip.heard.hears(HZ[phone.user], absent=[HZ[baresip.user]])
        return call

    def calls_linphone(self, phone, other):
        call = phone.dial(other.user)
        there = other.incoming()
        other.say(f'answer {there}')
        phone.wait(f'Call {call} with .* connected')
        return call, there

    def pause(self, phone, call):
        phone.say(f'pause {call}')
        phone.wait(f'Call {call} with .* is now paused')

    def over(self, transport):
        a = self.linphone('alice', transport)
        b, = self.start('bob', transport=transport)
        call = self.calls(a, b)
        return a, b, call

    def test_calls_baresip_over_udp(self):
        a, b, call = self.over('udp')
        a.say(f'terminate {call}')
        b.event('CALL_CLOSED')

    def test_calls_baresip_over_tcp(self):
        a, b, call = self.over('tcp')
        b.command('hangup')
        a.ended(call)

    def test_is_called_and_declines(self):
        a = self.linphone('alice')
        b, = self.start('bob')
        b.dial('alice')
        a.incoming()
        a.say('terminate')
        self.assertRegex(b.event('CALL_CLOSED')['param'], '^603')

    def test_pauses_and_resumes(self):
        """On hold it plays its file as music, which is heard all the time."""
        a, b, call = self.over('udp')
        self.pause(a, call)
        b.heard.hears(HZ['alice'], absent=[HZ['bob']])
        a.say(f'resume {call}')
        b.heard.hears(HZ['alice'], absent=[HZ['bob']])
        a.say(f'terminate {call}')
        b.event('CALL_CLOSED')

    def test_blind_transfer(self):
        a, b, call = self.over('udp')
        c, = self.start('carol')
        a.say(f'transfer {call} {a.uri("carol")}')
        c.event('CALL_INCOMING')
        c.command('accept')
        c.event('CALL_ESTABLISHED')
        self.hear_each_other(b, c)
        c.command('hangup')
        b.event('CALL_CLOSED')

    def test_attended_transfer_of_baresip_to_linphone(self):
        a, b, call = self.over('udp')
        c = self.linphone('carol')
        self.pause(a, call)
        second, there = self.calls_linphone(a, c)
        a.say(f'transfer {call} --to-call {second}')
        b.heard.hears(HZ['carol'], absent=[HZ['alice'], HZ['bob']])
        c.say(f'terminate {there}')
        b.event('CALL_CLOSED')

    def test_attended_transfer_of_linphone_to_baresip(self):
        a, b = self.linphone('alice'), self.linphone('bob')
        c, = self.start('carol')
        first, there = self.calls_linphone(a, b)
        self.pause(a, first)
        second = self.calls(a, c)
        a.say(f'transfer {first} --to-call {second}')
        c.heard.hears(HZ['bob'], absent=[HZ['alice'], HZ['carol']])
        c.command('hangup')
        b.ended(there)

    def test_attended_transfer_of_baresip_to_baresip(self):
        a, b, call = self.over('udp')
        c, = self.start('carol')
        self.pause(a, call)
        second = self.calls(a, c)
        a.say(f'transfer {call} --to-call {second}')
        self.hear_each_other(b, c)
        b.command('hangup')
        c.event('CALL_CLOSED')


if __name__ == '__main__':
    harness.main()
