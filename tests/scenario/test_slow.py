"""A service that blocks for a second on one Call-ID delays no other call; the pool grows, and shrinks again."""
import os
import secrets
import tempfile
import unittest

import harness
from harness import Phone, Server, TRANSPORTS, wait_for

PJSIP = TRANSPORTS + """
[system]
type=system
taskpool_minimum_size=2
taskpool_initial_size=2
taskpool_auto_increment=1
taskpool_idle_timeout=1
taskpool_max_size=20

[anonymous]
type=endpoint
"""


class Slow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A module folder of its own: what the build made, and the module that blocks.
        cls.modules = tempfile.mkdtemp(prefix='modules-')
        for folder in (harness.MODULES, os.path.join(harness.BUILD, 'tests', 'scenario')):
            for name in os.listdir(folder):
                if name.endswith('.so'):
                    os.symlink(os.path.join(os.path.abspath(folder), name), os.path.join(cls.modules, name))
        cls.server = Server(PJSIP, {'modules.conf': '[modules]\nautoload=yes\n'}, modules=cls.modules).start()

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.server.remove()
        for name in os.listdir(cls.modules):
            os.unlink(os.path.join(cls.modules, name))
        os.rmdir(cls.modules)
        assert status == 0, '\n'.join(cls.server.log[-40:])

    def taskpool(self):
        return self.server.cli('core', 'show', 'taskpool', as_json=True)

    def test_other_calls_are_answered_first(self):
        slow, fast = 6, 60  # more slow ones than threads; a socket buffer holds all answers
        with Phone(self.server, 'x') as phone:
            for i in range(slow):
                phone.send(phone.request('INFO', call_id=f'slow-{i}-{secrets.token_hex(4)}'))
            for i in range(fast):
                phone.send(phone.request('INFO', call_id=f'fast-{i}'))
            order = []
            while len(order) < slow + fast:
                answer = phone.final()
                self.assertIsNotNone(answer, f'{len(order)} answers came: {order[-3:]}')
                self.assertEqual(answer.status, 200)
                order.append(answer.get('Call-ID').split('-')[0])
        self.assertEqual(order, ['fast'] * fast + ['slow'] * slow)

    def test_requests_of_one_call_keep_their_order(self):
        with Phone(self.server, 'x') as phone:
            call_id = 'slow-' + secrets.token_hex(4)
            phone.send(phone.request('INFO', call_id=call_id))
            self.assertEqual(phone.final().status, 200)

    def test_the_pool_grows_and_shrinks(self):
        with Phone(self.server, 'x') as phone:
            for i in range(8):
                phone.send(phone.request('INFO', call_id=f'slow-{i}-{secrets.token_hex(4)}'))
            for _ in range(8):
                self.assertEqual(phone.final().status, 200)
        stats = self.taskpool()
        self.assertGreater(stats['peak_threads'], 2)
        self.assertGreater(stats['grown'], 0)
        self.assertTrue(wait_for(lambda: self.taskpool()['threads'] == 2 and self.taskpool()['shrunk'] > 0),
                        self.taskpool())


if __name__ == '__main__':
    harness.main()
