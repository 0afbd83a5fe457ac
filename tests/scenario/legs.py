"""A scripted phone that calls: sends in a call whatever a test tells it, in any order; answers nothing by itself."""
import collections
import secrets
import time

import harness
from harness import Message, Phone, credentials

A_WHILE = 0.4 * harness.SLOW  # what may come, or may not, has come by then
SDP_TYPE = 'Content-Type: application/sdp'


def sdp(port=40000, direction=None, version=1):
    return (f'v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n'
            f'm=audio {port} RTP/AVP 0\r\n' + (f'a={direction}\r\n' if direction else '')).encode()


OFFER, ANSWER = sdp(40000), sdp(50000)


def tag_of(value):
    _, _, rest = value.rpartition('>')
    return next((p[4:] for p in rest.replace(' ', '').split(';') if p.startswith('tag=')), None)


def uri_of(value):
    return value[value.index('<') + 1:value.index('>')] if '<' in value else value.split(';')[0]


class LegPhone(Phone):
    """Hands out each message once, to the leg that asks for it; retransmissions are counted, not handed out."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.waiting = []
        self.copies = collections.Counter()
        self.log = []

    def send(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        self.log.append(('>', data))
        super().send(data)

    def _take(self, seconds):
        """One more message from the network: it, or None when it is a copy or time is up."""
        message = self.receive(seconds)
        if message:
            self.log.append(('<', message.data))
            self.copies[message.data] += 1
            if self.copies[message.data] == 1:
                return message
        return None

    def next(self, match, seconds=None):
        """The first message that matches; the others stay for whoever asks for them. None: there is none in time."""
        for i, message in enumerate(self.waiting):
            if match(message):
                return self.waiting.pop(i)
        end = time.monotonic() + (harness.DEADLINE if seconds is None else seconds)
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return None
            message = self._take(left)
            if message and match(message):
                return message
            if message:
                self.waiting.append(message)

    def again(self, message, seconds=None):
        """Waits for another copy of a message that was received: whether it came."""
        known = self.copies[message.data]
        end = time.monotonic() + (seconds or harness.DEADLINE)
        while self.copies[message.data] == known:
            left = end - time.monotonic()
            if left <= 0:
                return False
            other = self._take(left)
            if other:
                self.waiting.append(other)
        return True

    def trace(self):
        return '\n'.join(f'{sign} {data.decode("utf-8", "replace")}' for sign, data in self.log[-14:])

    # A question outside of any call: answers of calls do not count for it.
    def ask(self, method, *args, call_id=None, **kw):
        call_id = call_id or secrets.token_hex(8)
        self.send(self.request(method, *args, call_id=call_id, **kw))
        number = f'{kw.get("cseq") or self.cseq} {method}'
        return self.next(lambda m: m.status and m.status >= 200 and m.get('Call-ID') == call_id
                         and m.get('CSeq') == number)

    # ---- calls ----

    def call(self, to, body=OFFER, headers=(), authenticate=False, sender=None, to_header=None, cseq=None):
        """Sends the INVITE of a new call, and with authenticate the second one, which answers the challenge."""
        uri = to if to.startswith('sip:') else f'sip:{to}@{self.domain}'
        leg = Leg(self, secrets.token_hex(8), sender or f'<sip:{self.user}@{self.domain}>', secrets.token_hex(4),
                  to_header or f'<{uri}>', uri, cseq or 1)
        leg.send_invite(body, headers)
        if authenticate:
            challenge = leg.expect(401)
            leg.ack(challenge)
            value = credentials(challenge.get('WWW-Authenticate'), 'INVITE', uri, self.user, self.password)
            leg.remote = to_header or f'<{uri}>'
            leg.send_invite(body, [*headers, f'Authorization: {value}'])
        return leg

    def incoming(self, seconds=None, match=lambda m: True):
        """A call that comes in: its leg, with the INVITE in leg.invite. None when there is none in time."""
        invite = self.next(lambda m: m.method == 'INVITE' and not tag_of(m.get('To')) and match(m), seconds)
        if invite is None:
            if seconds is not None:
                return None
            raise AssertionError(f'{self.user} is not called:\n{self.trace()}')
        leg = Leg(self, invite.get('Call-ID'), invite.get('To'), secrets.token_hex(4), invite.get('From'),
                  uri_of(invite.get('Contact')), 0)
        leg.invite = leg.peer_invite = invite
        return leg


class Leg:
    """One dialog, as this side sees it. local: its address without tag; remote: the peer's, with its tag once known."""

    def __init__(self, phone, call_id, local, local_tag, remote, target, cseq):
        self.phone, self.call_id, self.local, self.local_tag = phone, call_id, local, local_tag
        self.remote, self.target, self.cseq = remote, target, cseq
        self.invite = None  # the last INVITE, sent or received
        self.peer_invite = None

    def _request(self, method, headers, body, cseq, branch=None, uri=None, to=None):
        lines = [*headers]
        if body and not any(h.lower().startswith('content-type') for h in lines):
            lines.append(SDP_TYPE)
        if method not in ('CANCEL', 'BYE', 'ACK', 'PRACK', 'MESSAGE', 'INFO'):
            lines.append(f'Contact: {self.phone.contact}')
        data = self.phone.request(method, uri or self.target, lines, body, to=to or self.remote, sender=self.local,
                                  call_id=self.call_id, cseq=cseq, branch=branch, from_tag=self.local_tag)
        self.phone.send(data)
        return Message(data)

    # ---- requests ----

    def send_invite(self, body=OFFER, headers=(), cseq=None):
        if self.invite is not None or self.cseq == 0:
            self.cseq += 1
        self.invite = self._request('INVITE', headers, body, cseq or self.cseq)
        return self.invite

    def send(self, method, headers=(), body=b'', cseq=None):
        """A request inside, with the next CSeq (or that one)."""
        if cseq is None:
            self.cseq += 1
        return self._request(method, headers, body, cseq or self.cseq)

    def ask(self, method, headers=(), body=b'', cseq=None):
        """The same, and its final answer."""
        return self.final(self.send(method, headers, body, cseq))

    def final(self, request, seconds=None):
        """The final answer to a request."""
        number = request.get('CSeq')
        answer = self.phone.next(lambda m: m.get('Call-ID') == self.call_id and (m.status or 0) >= 200
                                 and m.get('CSeq') == number, seconds)
        if answer is None and seconds is None:
            raise AssertionError(f'no final answer to {request.start}:\n{self.phone.trace()}')
        return answer

    def ack(self, answer=None, body=b'', invite=None, headers=()):
        """The ACK of a final answer [the last INVITE's 200]. Every call of it sends one with another branch."""
        invite = invite or self.invite
        number = invite.get('CSeq').split()[0]
        if answer is None or answer.status < 300:
            to = answer.get('To') if answer else None
            return self._request('ACK', headers, body, number, to=to)
        uri = invite.start.split()[1]
        return self._request('ACK', headers, b'', number, self._branch(invite), uri, answer.get('To'))

    def cancel(self, headers=()):
        number = self.invite.get('CSeq').split()[0]
        return self._request('CANCEL', headers, b'', number, self._branch(self.invite), self.invite.start.split()[1],
                             self.invite.get('To'))

    def prack(self, progress, body=b'', headers=()):
        """The PRACK of a reliable provisional answer."""
        rack = f'RAck: {progress.get("RSeq")} {progress.get("CSeq")}'
        return self.send('PRACK', [rack, *headers], body)

    @staticmethod
    def _branch(request):
        return request.get('Via').partition('branch=')[2].partition(';')[0]

    # ---- answers ----

    def reply(self, request, status, reason='', headers=(), body=b'', tag=None):
        """An answer to a request of the peer's; tag: another one than the leg's, as a fork would have it."""
        to = request.get('To')
        if not tag_of(to):
            to += f';tag={tag or self.local_tag}'
        lines = [f'SIP/2.0 {status} {reason or reason_of(status)}', *[f'Via: {v}' for v in request.all('Via')],
                 *[f'Record-Route: {v}' for v in request.all('Record-Route')],
                 f'From: {request.get("From")}', f'To: {to}', f'Call-ID: {request.get("Call-ID")}',
                 f'CSeq: {request.get("CSeq")}']
        if 100 < status < 300 and request.method in ('INVITE', 'UPDATE'):
            lines.append(f'Contact: {self.phone.contact}')
        lines += headers
        if body and not any(h.lower().startswith('content-type') for h in headers):
            lines.append(SDP_TYPE)
        data = '\r\n'.join([*lines, f'Content-Length: {len(body)}', '', '']).encode() + body
        self.phone.send(data)
        return Message(data)

    def answer(self, status=200, reason='', headers=(), body=None, tag=None):
        """An answer to the last INVITE of the peer's."""
        if body is None:
            body = ANSWER if 200 <= status < 300 else b''
        return self.reply(self.peer_invite, status, reason, headers, body, tag)

    # ---- what comes ----

    def expect(self, *what, seconds=None, of=None):
        """The next message of this leg (100 and copies aside), which must be one of these: a status or a method.

        of: look only at answers to that request.
        """
        number = of.get('CSeq') if of else None
        message = self.phone.next(
            lambda m: m.get('Call-ID') == self.call_id and m.status != 100 and
            (of is None or (m.status and m.get('CSeq') == number)), seconds)
        if message is None or (message.status or message.method) not in what:
            raise AssertionError(f'{self.phone.user}: {what} should come, not {message and message.start!r}:\n'
                                 + self.phone.trace())
        self.learn(message)
        return message

    def learn(self, message):
        """What a message changes: the peer's tag and target, the INVITE to be answered."""
        contact = message.get('Contact')
        if message.status:
            if 'INVITE' in message.get('CSeq') and tag_of(message.get('To')) and message.status < 300:
                self.remote = message.get('To')
                self.target = uri_of(contact) if contact else self.target
        elif message.method in ('INVITE', 'UPDATE'):
            self.target = uri_of(contact) if contact else self.target
            if message.method == 'INVITE':
                self.peer_invite = message

    def silent(self, seconds=0.3):
        """Nothing (new) comes for so long."""
        message = self.phone.next(lambda m: m.get('Call-ID') == self.call_id and m.status != 100, seconds)
        if message is not None:
            raise AssertionError(f'{self.phone.user}: nothing should come, not {message.start!r}:\n'
                                 + self.phone.trace())

    def bye(self, headers=()):
        """Hangs up, and is answered 200."""
        answer = self.ask('BYE', headers)
        if answer.status != 200:
            raise AssertionError(f'{self.phone.user}: BYE is answered {answer.start!r}:\n{self.phone.trace()}')
        return answer

    def hung_up(self, seconds=None):
        """The peer's BYE, answered 200."""
        bye = self.expect('BYE', seconds=seconds)
        self.reply(bye, 200)
        return bye


def reason_of(status):
    return {180: 'Ringing', 183: 'Session Progress', 200: 'OK', 202: 'Accepted', 302: 'Moved Temporarily',
            481: 'Call/Transaction Does Not Exist', 486: 'Busy Here', 487: 'Request Terminated',
            491: 'Request Pending', 603: 'Decline'}.get(status, 'Whatever')
