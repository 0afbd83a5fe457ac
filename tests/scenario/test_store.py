"""A store that is damaged, locked, too new, out of reach or out of room: said clearly, and nothing is lost silently."""
import glob
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

import harness
from harness import Phone, Server, TRANSPORTS, phone_sections

USERS = 200
PJSIP = TRANSPORTS + ''.join(phone_sections(f'u{i}', aor='max_contacts=5') for i in range(USERS))
FAR = 4000000000 * 1000000  # an expiry that no test sees
COLUMNS = ('aor, uri, path, instance, call_id, user_agent, endpoint, listener, node, via_host, params, bound_to_flow, '
           'q, via_port, transport, reg_id, cseq, expires_us, flow, received')


def as_a_user():
    """Users other than root are refused by the mode of a folder; root has to become one."""
    return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] if os.geteuid() == 0 else []


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='res_sip-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.server = None
        self.addCleanup(self.end)
        self.db = os.path.join(self.folder, 'state', 'location.db')

    def end(self):
        if self.server and self.server.process:
            self.server.stop()

    def make(self, own='', **kw):
        files = {'modules.conf': '[modules]\nautoload=yes\n', 'res_sip.conf': own}
        self.server = Server(PJSIP, files, folder=self.folder, **kw)
        return self.server

    def start(self, own='', **kw):
        return self.make(own, **kw).start()

    def refused(self, own='', **kw):
        """Starts a server that must not come up; its log."""
        server = self.make(own, **kw).start(expect_ready=False)
        self.assertTrue(server.ready.wait(harness.DEADLINE * 2))
        self.assertIsNone(server.ready_line, server.log)
        self.assertNotEqual(server.stop(), 0)
        return '\n'.join(server.log)

    def stop(self):
        self.assertEqual(self.server.stop(), 0, '\n'.join(self.server.log[-40:]))

    # ---- a store with something in it ----

    def fill(self, rows=USERS, times=1):
        """A store that a server made, with rows bindings written as it writes them, each so many times."""
        self.start()
        self.stop()
        with sqlite3.connect(self.db) as db:
            db.executemany(f'INSERT INTO change ({COLUMNS}) VALUES ({",".join("?" * 20)})', (
                (f'u{i}', f'sip:u{i}@192.0.2.1:5060', '', '', f'call-{i}', 'agent' * 20, f'u{i}', 'udp', '',
                 '192.0.2.1', '', 0, 1000, 5060, 0, 0, 1, FAR, 0, '192.0.2.1:5060')
                for _ in range(times) for i in range(rows)))
        db.close()
        self.assertEqual(os.path.exists(self.db + '-wal'), False)

    def garble(self, offset, length, byte=0xa5):
        with open(self.db, 'r+b') as f:
            f.seek(offset)
            f.write(bytes([byte]) * length)

    def content(self, path):
        with open(path, 'rb') as f:
            return f.read()

    def kept(self):
        return sorted(p for p in glob.glob(self.db + '.corrupt-*') if not p.endswith('-wal'))

    def bindings(self):
        return {c['aor'] for c in self.server.cli('pjsip', 'show', 'contacts', as_json=True)['contacts']}


class Damaged(StoreTest):
    def is_refused(self, error):
        """Twice: the file stays as it is, and there is one copy."""
        before = self.content(self.db)
        for _ in range(2):
            log = self.refused()
            self.assertRegex(log, rf'ERROR location\.store file={self.db} (doing=.* )?error="?{error}')
            self.assertRegex(log, rf'ERROR location\.damaged file={self.db} copy={self.db}\.corrupt-\d{{8}}T\d{{6}}Z '
                                  r'do=.*salvage_store')
            self.assertEqual(self.content(self.db), before)
            self.assertEqual([self.content(p) for p in self.kept()], [before])

    def is_salvaged(self, least, most):
        before = self.content(self.db)
        self.start('[registrar]\nsalvage_store=yes\n')
        found = self.bindings()
        self.assertTrue(least <= len(found) <= most, len(found))
        self.server.wait_log(rf'ERROR location\.salvaged bindings={len(found)} ')
        self.assertEqual([self.content(p) for p in self.kept()], [before])
        with Phone(self.server, 'u1') as phone:
            self.assertEqual(phone.register().status, 200)
        self.stop()
        self.start()  # whole again
        self.assertEqual(self.bindings(), found | {'u1'})
        self.stop()
        return found

    def test_not_a_database_at_all(self):
        self.fill()
        with open(self.db, 'wb') as f:
            f.write(b'these are not the bindings that you are looking for\n' * 100)
        self.is_refused('file is not a database')
        self.is_salvaged(0, 0)

    def test_rubbish_in_the_header(self):
        self.fill()
        self.garble(0, 100)
        self.is_refused('file is not a database')
        self.is_salvaged(0, 0)

    def test_a_page_in_the_middle(self):
        self.fill()
        pages = os.path.getsize(self.db) // 4096
        self.garble(pages // 2 * 4096, 4096)
        self.is_refused('.*')
        self.is_salvaged(USERS - 40, USERS - 1)  # what lies behind the damage is there, too

    def test_a_page_of_a_file_of_version_1(self):
        self.fill()
        with sqlite3.connect(self.db) as db:
            db.executescript(f"""
                CREATE TABLE old (aor TEXT NOT NULL, uri TEXT NOT NULL, path TEXT, instance TEXT, call_id TEXT,
                    user_agent TEXT, endpoint TEXT, listener TEXT, node TEXT, via_host TEXT, params TEXT,
                    bound_to_flow INTEGER, q INTEGER, via_port INTEGER, transport INTEGER, reg_id INTEGER, cseq INTEGER,
                    expires_us INTEGER NOT NULL, flow INTEGER, received TEXT, PRIMARY KEY (aor, uri)) WITHOUT ROWID;
                INSERT INTO old SELECT {COLUMNS} FROM contact ORDER BY aor;
                DROP VIEW contact; DROP TABLE change; ALTER TABLE old RENAME TO contact;
                PRAGMA user_version = 1; VACUUM""")
        db.close()
        self.garble(os.path.getsize(self.db) // 8192 * 4096, 4096)
        self.is_refused('.*')
        self.is_salvaged(USERS - 40, USERS - 1)

    def test_the_oldest_rows(self):
        self.fill()
        self.garble(2 * 4096, 4096)
        self.is_refused('.*')
        self.is_salvaged(USERS - 40, USERS - 1)

    def test_the_newest_rows(self):
        self.fill()
        self.garble(os.path.getsize(self.db) - 4096, 4096)
        self.is_refused('.*')
        self.is_salvaged(USERS - 40, USERS - 1)

    def test_the_oldest_and_the_newest_rows(self):
        self.fill(rows=20000)
        with sqlite3.connect(self.db) as db:
            db.executescript('UPDATE change SET id = id + 5000000; VACUUM')  # pages in the order of the rows
        db.close()
        self.garble(2 * 4096, 4096)
        self.garble(os.path.getsize(self.db) - 4096, 4096)
        self.is_refused('.*')
        self.is_salvaged(20000 - 80, 20000 - 2)

    def test_two_pages(self):
        self.fill()
        pages = os.path.getsize(self.db) // 4096
        for at in (pages // 4, pages * 3 // 4):
            self.garble(at * 4096, 4096, 0)
        self.is_refused('.*')
        self.is_salvaged(USERS - 80, USERS - 2)

    def test_cut_off(self):
        self.fill()
        os.truncate(self.db, os.path.getsize(self.db) // 2 // 4096 * 4096)
        self.is_refused('.*')
        self.is_salvaged(1, USERS - 1)

    def test_empty(self):
        self.fill()
        os.truncate(self.db, 0)
        self.is_refused('the database is an empty file')
        self.is_salvaged(0, 0)

    def test_gone_but_for_its_wal(self):
        self.fill()
        os.unlink(self.db)
        with open(self.db + '-wal', 'wb') as f:
            f.write(b'\x37\x7f\x06\x82' + bytes(100))
        log = self.refused()
        self.assertRegex(log, r'error="the database is not there, but its -wal file is"')
        self.assertEqual(len(glob.glob(self.db + '.corrupt-*-wal')), 1)
        self.assertFalse(os.path.exists(self.db))

    def test_a_wal_is_kept_with_it(self):
        self.start()
        with Phone(self.server, 'u1') as phone:
            self.assertEqual(phone.register().status, 200)
        self.server.process.kill()
        self.server.stop()
        self.assertGreater(os.path.getsize(self.db + '-wal'), 0)
        os.truncate(self.db, 0)
        wal = self.content(self.db + '-wal')
        log = self.refused()
        self.assertRegex(log, r'error="the database is empty, but its -wal file is not"')
        self.assertEqual([self.content(p) for p in glob.glob(self.db + '.corrupt-*-wal')], [wal])
        self.assertEqual(self.content(self.db + '-wal'), wal)

    def test_damage_that_shows_while_it_runs(self):
        rows = 30000  # more than the pages that SQLite keeps in memory
        self.fill(rows, times=3)  # so many that some must go, which are read then
        self.start()
        self.assertEqual(len(self.bindings()), rows)
        self.garble(4096 * 2, os.path.getsize(self.db) - 4096 * 3)
        with Phone(self.server, 'u1') as phone:
            for i in range(5):
                self.assertEqual(phone.register([f'<sip:new{i}@192.0.2.9>']).status, 500)
            self.server.wait_log(rf'ERROR location\.store file={self.db} .*malformed')
            answer = phone.register([])  # what was bound is bound
            self.assertEqual((answer.status, len(answer.all('Contact'))), (200, 1))
        self.assertEqual(len(self.bindings()), rows)
        self.server.stop()
        self.refused()


class OutOfReach(StoreTest):
    def test_locked_by_another_process(self):
        self.fill()
        other = sqlite3.connect(self.db)
        self.addCleanup(other.close)
        other.execute('BEGIN EXCLUSIVE')
        log = self.refused()
        self.assertRegex(log, rf'ERROR location\.store file={self.db} .*database is locked" '
                              r'do="another process has the file')
        other.rollback()
        other.close()
        self.start()
        self.assertEqual(len(self.bindings()), USERS)

    def test_made_by_a_newer_version(self):
        self.fill()
        with sqlite3.connect(self.db) as db:
            db.execute('PRAGMA user_version = 99')
        db.close()
        before = self.content(self.db)
        log = self.refused('[registrar]\nsalvage_store=yes\n')
        self.assertRegex(log, rf'file={self.db} error=".*newer version.*" schema=99')
        self.assertEqual(self.content(self.db), before)
        self.assertEqual(self.kept(), [])

    def test_a_second_server_on_the_same_folder(self):
        self.start()
        first = self.server
        log = self.refused()
        self.assertRegex(log, rf'another server \(process {first.process.pid}\) runs on the state folder')
        first.stop()

    def test_a_folder_that_cannot_be_written(self):
        self.fill()
        os.chmod(self.folder, 0o755)
        os.chmod(os.path.dirname(self.db), 0o555)
        wrap = as_a_user()
        if wrap and subprocess.run([*wrap, harness.DAEMON, '--version'], capture_output=True).returncode:
            self.skipTest('the build cannot be run by another user')
        log = self.refused(wrap=wrap)
        self.assertRegex(log, rf'{os.path.dirname(self.db)}.*(Permission denied|readonly|unable to open)')

    def test_a_folder_that_is_no_folder(self):
        with open(os.path.join(self.folder, 'state'), 'w') as f:
            f.write('x')
        log = self.refused()
        self.assertRegex(log, rf'the state folder {os.path.join(self.folder, "state")} cannot be used: Not a directory')

    def test_a_folder_that_is_not_there_is_made(self):
        self.start()
        self.assertTrue(os.path.exists(self.db))
        self.assertEqual(os.stat(os.path.dirname(self.db)).st_mode & 0o777, 0o750)


class NoRoom(StoreTest):
    """A limit of the file's size, which everybody can set, and a small disk where this may be mounted."""

    def limit(self, size):
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def fills_up(self, shut, open_again):
        """Registers until there is no room; what was bound stays; when there is room it goes on, without a restart."""
        bound = []
        self.start()
        with Phone(self.server, 'u0') as phone:
            self.assertEqual(phone.register(expires=3600).status, 200)
            bound.append('u0')
        shut()
        for i in range(1, USERS):
            with Phone(self.server, f'u{i}') as phone:
                status = phone.register([f'<sip:u{i}@192.0.2.1;x={"y" * 300}>'], expires=3600).status
                if status != 200:
                    break
                bound.append(f'u{i}')
        self.assertEqual(status, 500)
        self.server.wait_log(rf'ERROR location\.store file={self.db} doing=COMMIT '
                             r'error="?(disk I/O error|database or disk is full)')
        self.assertEqual(self.bindings(), set(bound))
        with Phone(self.server, 'u0') as phone:
            answer = phone.register([])
            self.assertEqual((answer.status, len(answer.all('Contact'))), (200, 1))
        open_again()
        with Phone(self.server, f'u{i}') as phone:
            self.assertEqual(phone.register(expires=3600).status, 200)
            bound.append(f'u{i}')
        self.assertEqual(self.bindings(), set(bound))
        self.server.process.kill()
        self.server.stop()
        self.start()
        self.assertEqual(self.bindings(), set(bound))
        self.stop()

    def test_a_limit_of_the_files_size(self):
        self.fills_up(lambda: self.limit(os.path.getsize(self.db + '-wal') + 20000),
                      lambda: self.limit(resource.RLIM_INFINITY))

    def test_a_small_disk(self):
        self.small_disk(2 << 20)
        ballast = os.path.join(self.folder, 'state', 'ballast')

        def shut():
            with open(ballast, 'wb', buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(4096))
                except OSError:
                    f.truncate(f.tell() - 40960)
        self.fills_up(shut, lambda: os.unlink(ballast))

    def test_refreshes_need_no_room(self):
        """They are written over what is in the write-ahead log once that has gone to the database."""
        self.small_disk(1 << 20)
        self.start()
        for _ in range(2):  # the pages lie in the database, and the log has some
            self.stop()
            self.start()
            for _ in range(5):
                with Phone(self.server, 'u0') as phone:
                    self.assertEqual(phone.register(['<sip:u0@192.0.2.1>'], expires=3600).status, 200)
        with Phone(self.server, 'u0') as phone:
            with open(os.path.join(self.folder, 'state', 'ballast'), 'wb', buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(4096))
                except OSError:
                    pass
            for _ in range(50):
                self.assertEqual(phone.register(['<sip:u0@192.0.2.1>'], expires=3600).status, 200)

    def test_a_full_disk_at_the_start(self):
        self.small_disk(64 << 10)
        with open(os.path.join(self.folder, 'state', 'ballast'), 'wb', buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        log = self.refused()
        self.assertRegex(log, rf'location\.store file={self.db} .*full" do="its disk is full|No space left on device')

    def small_disk(self, size):
        state = os.path.join(self.folder, 'state')
        os.mkdir(state)
        r = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'res_sip-test', state], capture_output=True)
        if r.returncode:
            self.skipTest('no file system may be mounted here')
        self.addCleanup(lambda: (self.end(), subprocess.run(['umount', state], check=True)))


if __name__ == '__main__':
    harness.main()
