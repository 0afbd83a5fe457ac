"""The example module, built against the installed headers with pkg-config alone, loaded, called, and unloaded under traffic."""
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import Phone, Server, TRANSPORTS, wait_for

PJSIP = TRANSPORTS + """
[anonymous]
type=endpoint
"""
NAME = 'example_counter'


def run(*argv, **kw):
    r = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, **kw)
    if r.returncode:
        raise AssertionError(f'{" ".join(argv)}: {r.returncode}\n{r.stdout[-2000:]}{r.stderr[-2000:]}')
    return r.stdout.strip()


class Caller(threading.Thread):
    """Sends a method as fast as it is answered, until told to stop; keeps the answers."""

    def __init__(self, server, method):
        super().__init__()
        self.phone = Phone(server, 'caller')
        self.method = method
        self.answers = []
        self.end = threading.Event()

    def run(self):
        while not self.end.is_set():
            answer = self.phone.ask(self.method)
            self.answers.append(answer)
            if answer is None:
                return

    def finish(self):
        self.end.set()
        self.join()
        self.phone.close()
        return self.answers


class ModuleExample(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix='res_sip-installed-')
        run('meson', 'install', '-C', harness.BUILD, '--no-rebuild', '--destdir', cls.root)
        pc = next(os.path.join(d, 'res_sip.pc') for d, _, names in os.walk(cls.root) if 'res_sip.pc' in names)
        cls.env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(pc), PKG_CONFIG_SYSROOT_DIR=cls.root)
        cls.modules = next(d for d, _, names in os.walk(cls.root) if 'res_sip_options.so' in names)
        harness.DAEMON = next(os.path.join(d, 'res_sipd') for d, _, names in os.walk(cls.root) if 'res_sipd' in names)
        harness.CLIENT = os.path.join(os.path.dirname(harness.DAEMON), 'res_sip')
        # A copy of the example alone: nothing else of the source is in reach.
        cls.example = os.path.join(cls.root, 'example')
        shutil.copytree(os.path.join(harness.SOURCE, 'examples'), cls.example)
        run('make', '-C', cls.example, env=cls.env)
        shutil.copy(os.path.join(cls.example, NAME + '.so'), cls.modules)
        conf = {'modules.conf': f'[modules]\nautoload=yes\nnoload={NAME}\n'}
        cls.server = Server(PJSIP, conf, modules=cls.modules).start()

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.server.remove()
        shutil.rmtree(cls.root, ignore_errors=True)
        assert status == 0, '\n'.join(cls.server.log[-40:])

    def setUp(self):
        self.server.cli('module', 'load', NAME)

    def tearDown(self):
        self.server.cli('module', 'unload', NAME, check=False)

    def test_the_example_is_short(self):
        with open(os.path.join(self.example, NAME + '.c')) as f:
            self.assertLess(len(f.readlines()), 60)

    def test_it_counts_and_is_in_allow(self):
        with Phone(self.server, 'x') as phone:
            self.assertEqual([phone.ask('COUNT').get('X-Count') for _ in range(3)], ['1', '2', '3'])
            self.assertIn('COUNT', phone.ask('OPTIONS').get('Allow'))

    def test_what_is_loaded_is_shown(self):
        modules = {m['module']: m for m in self.server.cli('module', 'show', as_json=True)['modules']}
        self.assertEqual(modules[NAME]['status'], 'Running')
        self.assertEqual(modules[NAME]['version'], run('pkg-config', '--modversion', 'res_sip', env=self.env))

    def test_it_is_unloaded_under_traffic(self):
        counting = [Caller(self.server, 'COUNT') for _ in range(4)]
        others = Caller(self.server, 'OPTIONS')
        for caller in [*counting, others]:
            caller.start()
        self.assertTrue(wait_for(lambda: all(len(c.answers) > 20 for c in counting)))
        self.server.cli('module', 'unload', NAME)
        before = [len(c.answers) for c in counting]
        self.assertTrue(wait_for(lambda: all(len(c.answers) > n + 20 for c, n in zip(counting, before))))
        answers = [c.finish() for c in counting]
        rest = others.finish()

        numbers = []
        for list_ in answers:
            self.assertNotIn(None, list_, 'a request was lost')
            statuses = [a.status for a in list_]
            first = statuses.index(501)  # once it is gone it stays gone
            self.assertEqual(statuses, [200] * first + [501] * (len(statuses) - first))
            numbers += [int(a.get('X-Count')) for a in list_[:first]]
        self.assertEqual(sorted(numbers), list(range(1, len(numbers) + 1)), 'each number was given once')
        self.assertNotIn(None, rest)
        self.assertEqual({a.status for a in rest}, {200})
        # Mapped anew: the code was gone, and with it the count.
        self.server.cli('module', 'load', NAME)
        with Phone(self.server, 'x') as phone:
            self.assertEqual(phone.ask('COUNT').get('X-Count'), '1')


if __name__ == '__main__':
    harness.main()
