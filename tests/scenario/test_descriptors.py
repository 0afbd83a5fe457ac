"""No more file descriptors: said in the log, UDP and what is connected go on, nothing spins, and it ends by itself."""
import os
import resource
import socket
import time
import unittest

import harness
from harness import Phone, Server, TRANSPORTS, phone_sections, wait_for

STORM = 300
PJSIP = TRANSPORTS + ''.join(phone_sections(name) for name in ('udp', 'tcp', 'late'))


class Descriptors(unittest.TestCase):
    def setUp(self):
        self.server = Server(PJSIP, {'modules.conf': '[modules]\nautoload=yes\n'}).start()
        self.crowd = []

    def tearDown(self):
        for s in self.crowd:
            s.close()
        status = self.server.stop()
        log = '\n'.join(self.server.log[-40:])
        self.server.remove()
        self.assertEqual(status, 0, log)

    def open_files(self):
        return len(os.listdir(f'/proc/{self.server.process.pid}/fd'))

    def cpu(self):
        with open(f'/proc/{self.server.process.pid}/stat') as f:
            v = f.read().rpartition(')')[2].split()
        return (int(v[11]) + int(v[12])) / os.sysconf('SC_CLK_TCK')

    def storm(self):
        for _ in range(STORM):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(self.server.tcp)
            self.crowd.append(s)

    def test_a_storm_of_connections(self):
        most = self.open_files() + 20
        resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, (most, most))
        with Phone(self.server, 'udp') as udp, Phone(self.server, 'tcp', transport='tcp') as tcp:
            self.assertEqual(tcp.register().status, 200)
            self.assertEqual(udp.register().status, 200)
            self.storm()
            self.server.wait_log(r'ERROR listener\.paused transport=tcp error="Too many open files" .*LimitNOFILE')
            self.assertLessEqual(self.open_files(), most)
            # Work of a known size, and the rest of the time it has nothing to do.
            begun, cpu, lines = time.monotonic(), self.cpu(), len(self.server.log)
            n = 0
            while time.monotonic() < begun + 3:
                self.assertEqual(udp.register().status, 200)
                self.assertEqual(tcp.register().status, 200)
                n += 1
                time.sleep(0.1)
            spent, took = self.cpu() - cpu, time.monotonic() - begun
            paused = [line for line in self.server.log[lines:] if 'listener.paused' in line]
            print(f'\n{took:.1f} s without descriptors: {2 * n} registrations, {spent:.2f} s of CPU, '
                  f'{len(paused)} lines in the log')
            self.assertLess(spent, (0.15 * took) * harness.SLOW)
            self.assertLessEqual(len(paused), took + 1)
            self.assertIn('count=', paused[-1])
            # The store and the control socket have theirs already.
            with Phone(self.server, 'late') as late:
                self.assertEqual(late.register().status, 200)
            for s in self.crowd:
                s.close()
            self.crowd.clear()
            with Phone(self.server, 'late', transport='tcp') as late:
                self.assertEqual(late.register().status, 200)
        self.assertTrue(wait_for(lambda: self.open_files() <= most - 15), self.open_files())

    def test_a_reload_without_descriptors_changes_nothing(self):
        most = self.open_files()
        with Phone(self.server, 'udp') as udp:
            self.assertEqual(udp.register().status, 200)
            resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, (most, most + 1000))
            self.server.process.send_signal(harness.signal.SIGHUP)
            self.server.wait_log(r'reload\.refused')
            self.assertEqual(udp.register().status, 200)
            resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, (most + 1000, most + 1000))
            self.server.process.send_signal(harness.signal.SIGHUP)
            self.server.wait_log(r'reload\.done')
            self.assertEqual(udp.register().status, 200)


if __name__ == '__main__':
    harness.main()
