"""Tests in which phones hear each other: three of them, a tone for each, and how two are made to talk."""
import os
import shutil
import tempfile
import threading

from audio import make_tone
from callserver import CallTest
from harness import SLOW, TRANSPORTS, phone_sections
from phones import BaresipPhone

PHONE = 'rewrite_contact=yes\nallow=ulaw\ncontext=default'
HZ = {'alice': 440, 'bob': 1000, 'carol': 1600}
PASSWORD = {'alice': 'wonderland', 'bob': 'builder', 'carol': 'christmas'}


def make_tones():
    folder = tempfile.mkdtemp(prefix='tones-')
    return folder, {user: make_tone(os.path.join(folder, f'{user}.wav'), hz) for user, hz in HZ.items()}


def three_phones():
    return ''.join(phone_sections(user, password, f'callerid={user.title()} <{user}>\n{PHONE}',
                                  aor='max_contacts=1\nremove_existing=yes')
                   for user, password in PASSWORD.items())


class AudioTest(CallTest):
    """Phones with tones. start() makes some of them at the same time."""
    pjsip = TRANSPORTS + three_phones()
    files = {**CallTest.files, 'calls.conf': f'[general]\nring_timeout = {int(4 * SLOW)}\n'}

    @classmethod
    def setUpClass(cls):
        cls.tone_folder, cls.tones = make_tones()
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.tone_folder, ignore_errors=True)
        super().tearDownClass()

    def baresip(self, user, transport='udp', **kw):
        phone = BaresipPhone(user, PASSWORD[user], self.server.ports[transport], transport, self.tones[user], **kw)
        self.addCleanup(phone.remove)
        return phone

    def start(self, *users, transport='udp', **kw):
        phones = [self.baresip(user, transport, **kw) for user in users]
        return [phone.registered() for phone in phones]

    def hear_each_other(self, *pair):
        """Both recordings are listened to at the same time."""
        failures = []

        def listen(phone, other):
            try:
                phone.heard.hears(HZ[other.user], absent=[HZ[phone.user]])
            except AssertionError as e:
                failures.append(f'{phone.user}: {e}')
        threads = [threading.Thread(target=listen, args=(here, there)) for here, there in (pair, pair[::-1])]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [], '\n'.join(p.text()[-3000:] for p in pair if hasattr(p, 'text')))

    def talk(self, a, b):
        """A calls B, who takes it, and they hear each other."""
        a.dial(b.user)
        b.event('CALL_INCOMING')
        a.event('CALL_RINGING')
        b.command('accept')
        a.event('CALL_ESTABLISHED')
        b.event('CALL_ESTABLISHED')
        self.hear_each_other(a, b)
