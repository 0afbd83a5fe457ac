"""The messages of RFC 4475, and our own, against the real server over UDP and over TCP byte by byte.

Each gets the reaction that its index prefers, sound responses, and the server answers OPTIONS after it. The RFC's
messages lie beside the tree; without them there is nothing to test.
"""
import os
import random
import re
import secrets
import select
import socket
import threading
import time
import unittest

import harness
from harness import DEADLINE, Message, Phone, Server, TRANSPORTS

TORTURE = os.path.join(harness.SOURCE, '..', 'shared', 'torture', 'rfc4475')
OWN = os.path.join(harness.SOURCE, 'tests', 'messages')

AORS = ['watson', 'user', 'j.user', 'null-']
PJSIP = TRANSPORTS + '\n[anonymous]\ntype=endpoint\naors=' + ','.join(AORS) + '\n' + ''.join(
    f'\n[{aor}]\ntype=aor\nmax_contacts=20\n' for aor in AORS)
FILES = {'modules.conf': '[modules]\nautoload=yes\n'}
# Where the messages' Vias send their answers when no rport is asked for.
PORTS = [5060, 5050, 5070]
QUIET = 0.3 * harness.SLOW  # nothing comes within so long: no answer is to come


def read_index(folder, columns):
    """The rows of expect.tsv: name -> (bytes, …)."""
    rows = {}
    with open(os.path.join(folder, 'expect.tsv')) as f:
        for line in f:
            if not line.startswith('#') and line.strip():
                name, *rest = line.rstrip('\n').split('\t')
                rows[name] = (rest + [''] * columns)[:columns]
    return rows


def read_message(folder, name, ending):
    with open(os.path.join(folder, name + ending), 'rb') as f:
        return f.read()


def branch_key(data):
    """What two messages must not share while the first one's transaction is remembered."""
    m = re.search(rb'(?im)^(?:via|v)\s*:\s*SIP\s*/\s*\S+\s*/\s*\S+\s+([^\r\n]*)', data)
    return m.group(1) if m else secrets.token_bytes(8)


def rounds(messages):
    """Lists of names without a common branch in each: a server remembers a branch for 32 s, so each has its own."""
    all_rounds = []
    for name in sorted(messages):
        key = branch_key(messages[name])
        for names, keys in all_rounds:
            if key not in keys:
                break
        else:
            names, keys = [], set()
            all_rounds.append((names, keys))
        names.append(name)
        keys.add(key)
    return [names for names, _ in all_rounds]


# ---- reactions ----

def reaction_is(token, answers, closed):
    """Whether the finals (or the silence) that came are what the token names."""
    if token == 'drop':
        return not answers
    if token == 'close':
        return closed
    finals = [a for a in answers if a.status >= 200] or answers
    if not finals:
        return False
    status = finals[0].status
    if token == 'ok':
        return status not in (400, 500, 505)
    if token == '420+Unsupported':
        return status == 420 and bool(finals[0].get('Unsupported'))
    return status == int(token)


COMPACT = {'via': 'v', 'from': 'f', 'to': 't', 'call-id': 'i', 'cseq': 'cseq'}


def values_of(data, name):
    """Values of a header of a sent message as text without any white space; the server may print it anew."""
    head = re.split(rb'\r\n\r\n', data, maxsplit=1)[0]
    head = re.sub(rb'\r\n[ \t]+', b' ', head)
    found = re.findall(rb'(?im)^(?:%s|%s)[ \t]*:([^\r\n]*)' % (name.encode(), COMPACT[name].encode()), head)
    return [re.sub(r'\s', '', v.decode('utf-8', 'surrogateescape')) for v in found]


def cseq_of(text):
    m = re.match(r'0*(\d+)(.*)', text)
    return (m.group(1), m.group(2)) if m else None


def flaws(request, answer):
    """What is unsound about an answer; an empty list: nothing."""
    bare = re.sub(rb'\r\n', b'', answer.data.partition(b'\r\n\r\n')[0])
    found = ['a bare CR or LF'] if b'\r' in bare or b'\n' in bare else []
    if not re.fullmatch(r'SIP/2\.0 \d{3} .*', answer.start):
        found.append('status line')
    # What is echoed keeps its spelling, compact names included.
    flat = lambda name: [re.sub(r'\s', '', v) for n, v in answer.headers if n.lower() in (name.lower(), COMPACT[name.lower()])]
    via, from_, to, call_id, cseq = (values_of(request, n) for n in ('via', 'from', 'to', 'call-id', 'cseq'))
    if via and len(flat('Via')) and not flat('Via')[0].startswith(re.split('[;,]', via[0])[0]):
        found.append(f'Via: {flat("Via")[:1]}')
    if via and not flat('Via'):
        found.append('no Via')
    if from_ and flat('From')[:1] != from_[:1]:
        found.append(f'From: {flat("From")}')
    if to and not (flat('To') and flat('To')[0].startswith(to[0])):
        found.append(f'To: {flat("To")}')
    if to and answer.status > 100 and not any(';tag=' in v.lower() for v in flat('To')):
        found.append('no To tag')
    if call_id and flat('Call-ID')[:1] != call_id[:1]:
        found.append(f'Call-ID: {flat("Call-ID")}')
    if cseq and cseq_of(cseq[0]) and cseq_of((flat('CSeq') + [''])[0]) != cseq_of(cseq[0]):
        found.append(f'CSeq: {flat("CSeq")}')
    if answer.get('Content-Length') is None:
        found.append('no Content-Length')
    return found


# ---- the two ways to send ----

class UdpSource:
    """Sockets on a loopback address of this test's own, at the ports where answers may go."""

    def __init__(self):
        while True:
            self.host = f'127.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}'
            self.socks = []
            try:
                for port in PORTS:
                    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    self.socks.append(s)
                    s.bind((self.host, port))
                return
            except OSError:
                self.close()

    def close(self):
        for s in self.socks:
            s.close()

    def ask(self, server, data, expect_answer):
        """Answers up to the first final one; without expect_answer, whatever comes in a while."""
        self.socks[0].sendto(data, server.udp)
        answers = []
        end = time.monotonic() + (DEADLINE if expect_answer else QUIET)
        while time.monotonic() < end:
            ready, _, _ = select.select(self.socks, [], [], max(0, end - time.monotonic()))
            for s in ready:
                answers.append(Message(s.recv(65536)))
            if expect_answer and any(a.status and a.status >= 200 for a in answers):
                break
        for a in answers:
            self.acknowledge(server, data, a)
        return answers

    def acknowledge(self, server, request, answer):
        """A refused INVITE wants its ACK: else its answer comes again, when another message is looked at."""
        number, _, method = (answer.get('CSeq') or '').partition(' ')
        if not answer.status or answer.status < 300 or method.strip() != 'INVITE':
            return
        # Without a branch it is Request-URI and Via, as they were, that tell which INVITE it belongs to.
        via = re.sub(r';(received|rport)=[^;,]*', '', answer.get('Via') or '')
        lines = [f'Via: {via}', 'Max-Forwards: 70', f'CSeq: {number} ACK', 'Content-Length: 0']
        lines += [f'{name}: {answer.get(name)}' for name in ('From', 'To', 'Call-ID') if answer.get(name)]
        start = b'ACK ' + request.split(b' ')[1] + b' SIP/2.0\r\n'
        text = '\r\n'.join(lines) + '\r\n\r\n'
        self.socks[0].sendto(start + text.encode('utf-8', 'surrogateescape'), server.udp)


def cut(buffer):
    """Messages of a stream and what is left of it."""
    found = []
    while True:
        head, sep, rest = buffer.partition(b'\r\n\r\n')
        m = re.search(rb'(?im)^content-length\s*:\s*(\d+)', head)
        n = int(m.group(1)) if m else 0
        if not sep or len(rest) < n:
            return found, buffer
        found.append(Message(head + sep + rest[:n]))
        buffer = rest[n:]


def ask_stream(server, pieces, follow=b'', wanted=1, expect_answer=True):
    """Sends the pieces one by one on a connection of its own; (answers, closed by the server)."""
    answers, buffer, closed = [], b'', False
    with socket.create_connection(server.tcp) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                s.send(piece)
            if follow:
                s.sendall(follow)
        except ConnectionError:
            closed = True
        end = time.monotonic() + (DEADLINE if expect_answer or follow else QUIET)
        while not closed and time.monotonic() < end:
            s.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = s.recv(65536)
            except ConnectionError:
                data = b''
            except socket.timeout:
                break
            closed = not data
            buffer += data
            more, buffer = cut(buffer)
            answers += more
            if sum(a.status >= 200 for a in answers) >= wanted:
                break
    return answers, closed


def options(call_id):
    return (f'OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{secrets.token_hex(8)};rport\r\n'
            f'Max-Forwards: 70\r\nFrom: <sip:x@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {call_id}\r\n'
            'CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n').encode()


def in_threads(jobs, n=8):
    """Runs the jobs in n threads; failures come back as texts."""
    failures, lock, todo = [], threading.Lock(), list(reversed(jobs))

    def work():
        while True:
            with lock:
                if not todo:
                    return
                job = todo.pop()
            try:
                failure = job()
            except Exception as e:  # whatever it is belongs into the report
                failure = f'{type(e).__name__}: {e}'
            if failure:
                with lock:
                    failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return failures


class TortureTest(unittest.TestCase):
    maxDiff = 8000

    def start(self):
        server = Server(PJSIP, FILES).start()
        self.addCleanup(self.stop, server)
        return server

    def stop(self, server):
        if server.process:
            status = server.stop()
            server.remove()
            self.assertEqual(status, 0, '\n'.join(server.log[-60:]))

    def alive(self, server, after):
        with Phone(server, 'x') as phone:
            answer = phone.ask('OPTIONS')
            self.assertTrue(answer and answer.status == 200, f'after {after}: {answer}')


@unittest.skipUnless(os.path.isdir(TORTURE), 'the messages of RFC 4475 are not there: ../shared/torture')
class Rfc4475(TortureTest):
    @classmethod
    def setUpClass(cls):
        cls.index = read_index(TORTURE, 4)
        cls.messages = {name: read_message(TORTURE, name, '.dat') for name in cls.index}
        assert len(cls.messages) == 51

    def preferred(self, name, tcp):
        _, udp, _, other = self.index[name]
        return (other if tcp and other else udp).split('|')[0]

    def test_over_udp(self):
        failures = []
        for names in rounds(self.messages):
            server = self.start()
            source = UdpSource()
            for name in names:
                token = self.preferred(name, False)
                answers = source.ask(server, self.messages[name], token != 'drop')
                if not reaction_is(token, answers, False):
                    failures.append(f'{name}: {token} wanted, {[a.start for a in answers] or "nothing"} came')
                for a in answers:
                    failures += [f'{name}: {flaw} in\n{a}' for flaw in flaws(self.messages[name], a)]
                self.alive(server, name)
            source.close()
            self.stop(server)
        self.assertEqual(failures, [])

    def one_stream(self, server, name, pieces, data=None):
        """One message in pieces; behind one that is dropped an OPTIONS, where the framing holds."""
        token, data = self.preferred(name, True), data or self.messages[name]
        if token == 'drop' and name in ('clerr', 'baddn'):  # more is awaited, so nothing can follow
            answers, closed = ask_stream(server, pieces, expect_answer=False)
        elif token == 'drop':
            marker = secrets.token_hex(8)
            answers, closed = ask_stream(server, pieces, follow=options(marker))
            own = [a for a in answers if a.get('Call-ID') == marker]
            if len(own) != 1:
                return f'{name}: the OPTIONS behind it was not answered: {answers}'
            answers = [a for a in answers if a is not own[0]]
        else:
            answers, closed = ask_stream(server, pieces, wanted=2 if name == 'dblreq' else 1)
        if name == 'dblreq':
            if len(answers) != 2:
                return f'{name}: two requests, {len(answers)} answers'
            answers = [a for a in answers if a.get('CSeq') == '8 REGISTER']
        if not reaction_is(token, answers, closed):
            return f'{name}: {token} wanted, {[a.start for a in answers] or "nothing"} came, closed: {closed}'
        found = [flaw for a in answers[:1] for flaw in flaws(data, a)]
        return f'{name}: {found} in\n{answers[0]}' if found else None

    def test_over_tcp_byte_by_byte(self):
        failures = []
        for names in rounds(self.messages):
            server = self.start()
            for name in names:
                data = self.messages[name]
                failure = self.one_stream(server, name, [data[i:i + 1] for i in range(len(data))])
                failures += [failure] if failure else []
                self.alive(server, name)
            self.stop(server)
        self.assertEqual(failures, [])

    def test_over_tcp_cut_in_two_anywhere(self):
        """Many places of every message, on connections side by side."""
        server = self.start()
        jobs = []
        for name, data in self.messages.items():
            if self.preferred(name, True) == 'drop':
                continue  # there is no answer to compare
            step = len(data) // 97 + 1
            for i, at in enumerate(range(random.randint(1, step), len(data), step)):
                # A Call-ID and branch of its own: the same REGISTER again would be out of order, or a retransmission.
                own = re.sub(rb'(?im)^((?:i|call-id)\s*:\s*)(?=\w)', rb'\g<1>%d-' % i, data)
                own = re.sub(rb'(branch=z9hG4bK)(?=[^\r\n])', rb'\g<1>%d' % len(jobs), own)
                at = min(at, len(own) - 1)
                jobs.append(lambda n=name, d=own, at=at: self.one_stream(server, n, (d[:at], d[at:]), d))
        random.shuffle(jobs)
        failures = in_threads(jobs)
        self.assertEqual(failures[:5], [], f'{len(failures)} of {len(jobs)}')
        self.alive(server, 'all')


class OurOwn(TortureTest):
    """tests/messages: what the parser refuses is answered with the status of its index by the whole server, too."""

    def test_over_udp(self):
        index = read_index(OWN, 5)
        messages = {name: read_message(OWN, name, '.sip') for name in index}
        failures = []
        for names in rounds(messages):
            server = self.start()
            source = UdpSource()
            for name in names:
                result, _, status, _, _ = index[name]
                data = messages[name]
                request = not data.lstrip(b'\r\n').startswith(b'SIP/')
                refused = int(status)
                is_ack = b'ACK ' in data[:8]
                answered = request and result == 'done' and not is_ack
                answers = source.ask(server, data, answered)
                finals = [a for a in answers if a.status >= 200]
                if refused and [a.status for a in finals[:1]] != [refused]:
                    failures.append(f'{name}: {refused} wanted, {[a.start for a in answers] or "nothing"} came')
                elif answered != bool(finals):
                    failures.append(f'{name}: {"an answer" if answered else "nothing"} wanted, {answers or "nothing"} came')
                failures += [f'{name}: {f} in\n{a}' for a in answers for f in flaws(data, a)]
                self.alive(server, name)
            source.close()
            self.stop(server)
        self.assertEqual(failures, [])


if __name__ == '__main__':
    harness.main()
