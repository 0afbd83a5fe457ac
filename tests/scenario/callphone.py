"""A scripted phone that calls: dialogs, in which it sends what it is told, over the phone of harness.py."""
import re
import secrets
import time

from harness import DEADLINE, Phone, credentials

SDP = ('v=0\r\no=- {n} {v} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n'
       'm=audio {port} RTP/AVP 0\r\na={direction}\r\n')


def sdp(port=4000, direction='sendrecv', version=1):
    return SDP.format(n=port, v=version, port=port, direction=direction)


def tag_of(value):
    m = re.search(r';\s*tag=([^;>\s]+)', value or '')
    return m.group(1) if m else None


def uri_of(value):
    m = re.search(r'<([^>]*)>', value)
    return m.group(1) if m else value.split(';')[0].strip()


class CallPhone(Phone):
    """Keeps what it received and nobody has asked for yet; answers OPTIONS never."""

    def __init__(self, server, user, **kw):
        super().__init__(server, user, **kw)
        self.kept = []

    def wait(self, wanted, seconds=None, what=''):
        """The next message for which wanted(message) is true; others are kept."""
        end = time.monotonic() + (seconds or DEADLINE)
        for i, m in enumerate(self.kept):
            if wanted(m):
                return self.kept.pop(i)
        while True:
            left = end - time.monotonic()
            m = self.receive(left) if left > 0 else None
            if m is None:
                if seconds:
                    return None
                raise AssertionError(f'{self.user}: {what} did not come; there is: '
                                     f'{[k.start for k in self.kept]}')
            if wanted(m):
                return m
            self.kept.append(m)

    def wait_request(self, method, seconds=None, call_id=None):
        return self.wait(lambda m: m.method == method and (not call_id or m.get('Call-ID') == call_id), seconds,
                         f'{method} request')

    def nothing(self, method, seconds=0.3):
        """Whether no such request comes."""
        return self.wait_request(method, seconds) is None

    def invite(self, to, body=sdp(), headers=(), password=None, **kw):
        """Sends an INVITE (with credentials when asked for) and gives its call; no answer is waited for."""
        return OutCall(self, to if ':' in to else f'sip:{to}@{self.domain}', body, headers, password, **kw)

    def ringing(self, seconds=None):
        """The call of the next INVITE that comes."""
        request = self.wait(lambda m: m.method == 'INVITE' and not tag_of(m.get('To')), seconds, 'a call')
        return InCall(self, request) if request else None


class Call:
    """One dialog of a phone."""

    def __init__(self, phone, call_id, local, remote, target):
        self.phone, self.call_id, self.local, self.remote, self.target = phone, call_id, local, remote, target
        self.cseq = secrets.randbelow(10000) + 1
        self.routes = []
        self.hops = 70

    @property
    def local_tag(self):
        return tag_of(self.local)

    @property
    def remote_tag(self):
        return tag_of(self.remote)

    def bytes(self, method, headers=(), body='', cseq=None, branch=None, uri=None):
        body = body if isinstance(body, bytes) else body.encode()
        if cseq is None and method != 'ACK':
            self.cseq += 1
        p = self.phone
        lines = [f'{method} {uri or self.target} SIP/2.0',
                 f'Via: SIP/2.0/{p.transport.upper()} {p.host}:{p.address[1]}'
                 f';branch={branch or "z9hG4bK" + secrets.token_hex(8)};rport',
                 f'Max-Forwards: {self.hops}', *[f'Route: {r}' for r in self.routes],
                 f'From: {self.local}', f'To: {self.remote}', f'Call-ID: {self.call_id}',
                 f'CSeq: {cseq or self.cseq} {method}']
        if method in ('INVITE', 'UPDATE', 'REFER', 'SUBSCRIBE', 'NOTIFY'):
            lines.append(f'Contact: {p.contact}')
        lines += [*headers]
        if body and not any(h.lower().startswith('content-type') for h in headers):
            lines.append('Content-Type: application/sdp')
        lines += [f'Content-Length: {len(body)}', '', '']
        return '\r\n'.join(lines).encode() + body

    def send(self, method, headers=(), body='', **kw):
        """A request inside, without waiting; its CSeq number."""
        self.phone.send(self.bytes(method, headers, body, **kw))
        return self.cseq

    def response(self, cseq=None, method=None, final=True, seconds=None):
        cseq = cseq or self.cseq
        return self.phone.wait(
            lambda m: m.status and m.get('Call-ID') == self.call_id and m.get('CSeq').split()[0] == str(cseq) and
            (not method or m.get('CSeq').split()[1] == method) and (m.status >= 200 or not final), seconds,
            f'answer to {method} {cseq}')

    def ask(self, method, headers=(), body='', **kw):
        """The same with its final answer; INVITE's 2xx is acknowledged."""
        cseq = self.send(method, headers, body, **kw)
        answer = self.response(cseq, method)
        if method == 'INVITE':
            self.ack(answer, cseq)
        return answer

    def ack(self, answer, cseq=None, body=''):
        data = self.bytes('ACK', body=body, cseq=cseq or self.cseq)
        self.phone.send(data)

    def wait(self, method, seconds=None):
        return self.phone.wait_request(method, seconds, self.call_id)

    def answer(self, request, status=200, reason='OK', body='', headers=()):
        body = body if isinstance(body, bytes) else body.encode()
        to = request.get('To')
        if not tag_of(to):
            to += f';tag={self.local_tag}'
        lines = [f'SIP/2.0 {status} {reason}', *[f'Via: {v}' for v in request.all('Via')],
                 *[f'Record-Route: {r}' for r in request.all('Record-Route')],
                 f'From: {request.get("From")}', f'To: {to}', f'Call-ID: {request.get("Call-ID")}',
                 f'CSeq: {request.get("CSeq")}', *([f'Contact: {self.phone.contact}'] if status < 300 else []), *headers]
        if body and not any(h.lower().startswith('content-type') for h in headers):
            lines.append('Content-Type: application/sdp')
        lines += [f'Content-Length: {len(body)}', '', '']
        self.phone.send('\r\n'.join(lines).encode() + body)

    def expect(self, method, status=200, body='', headers=()):
        """Waits for a request inside and answers it."""
        request = self.wait(method)
        self.answer(request, status, 'OK' if status < 300 else 'No', body, headers)
        return request

    def bye(self):
        return self.ask('BYE')


class OutCall(Call):
    def __init__(self, phone, uri, body, headers, password, hops=70):
        super().__init__(phone, secrets.token_hex(10), f'<sip:{phone.user}@{phone.domain}>;tag={secrets.token_hex(4)}',
                         f'<{uri}>', uri)
        self.hops = hops
        self.invite_headers = list(headers)
        self.body = body
        self.invite_branch = 'z9hG4bK' + secrets.token_hex(8)
        self.invite_cseq = self.send('INVITE', self.invite_headers, body, branch=self.invite_branch)
        first = self.phone.wait(lambda m: m.status and m.get('Call-ID') == self.call_id, what='an answer to INVITE')
        if first.status in (401, 407):
            self.hop_ack(first)
            name = 'Authorization' if first.status == 401 else 'Proxy-Authorization'
            challenge = first.get('WWW-Authenticate') or first.get('Proxy-Authenticate')
            value = credentials(challenge, 'INVITE', uri, phone.user, password or phone.password)
            self.invite_headers.append(f'{name}: {value}')
            self.invite_branch = 'z9hG4bK' + secrets.token_hex(8)
            self.invite_cseq = self.send('INVITE', self.invite_headers, body, branch=self.invite_branch)
        else:
            self.phone.kept.insert(0, first)

    def hop_ack(self, answer):
        """The ACK of a refusal: in the INVITE's transaction."""
        data = self.bytes('ACK', cseq=self.invite_cseq, branch=self.invite_branch)
        self.phone.send(data.replace(f'To: {self.remote}'.encode(), f'To: {answer.get("To")}'.encode()))

    def provisional(self, status, seconds=None):
        answer = self.phone.wait(
            lambda m: m.status == status and m.get('Call-ID') == self.call_id and 'INVITE' in m.get('CSeq'), seconds,
            f'{status}')
        if answer:
            self.take(answer)
        return answer

    def take(self, answer):
        if tag_of(answer.get('To')):
            self.remote = answer.get('To')
        if answer.get('Contact'):
            self.target = uri_of(answer.get('Contact'))
        self.routes = list(reversed(answer.all('Record-Route')))

    def final(self, seconds=None, ack=True, ack_body=''):
        """The final answer, acknowledged."""
        answer = self.phone.wait(
            lambda m: m.status and m.status >= 200 and m.get('Call-ID') == self.call_id and
            m.get('CSeq') == f'{self.invite_cseq} INVITE', seconds, 'final answer to INVITE')
        if not answer:
            return None
        if answer.status >= 300:
            self.hop_ack(answer)
            return answer
        self.take(answer)
        if ack:
            self.ack(answer, self.invite_cseq, ack_body)
        return answer

    def cancel(self, headers=()):
        data = self.bytes('CANCEL', headers, cseq=self.invite_cseq, branch=self.invite_branch)
        # To has no tag in the CANCEL of an INVITE outside of a dialog, and the URI is the INVITE's.
        text = data.decode().replace(f'To: {self.remote}', f'To: <{uri_of(self.remote)}>')
        text = text.replace(f'CANCEL {self.target} ', f'CANCEL {uri_of(self.remote)} ')
        self.phone.send(text)

    def up(self):
        """Answered 200, acknowledged."""
        answer = self.final()
        assert answer.status == 200, answer
        return self


class InCall(Call):
    def __init__(self, phone, request):
        super().__init__(phone, request.get('Call-ID'), f'{request.get("To")};tag={secrets.token_hex(4)}',
                         request.get('From'), uri_of(request.get('Contact')))
        self.request = request
        self.routes = request.all('Record-Route')

    def ring(self, status=180, body='', headers=()):
        self.answer(self.request, status, 'Ringing', body, headers)
        return self

    def accept(self, body=sdp(5000), headers=()):
        self.answer(self.request, 200, 'OK', body, headers)
        return self

    def refuse(self, status, reason='No', headers=()):
        self.answer(self.request, status, reason, headers=headers)
        return self

    def up(self, body=sdp(5000)):
        """Accepts, and waits for the ACK."""
        self.accept(body)
        self.acked()
        return self

    def acked(self):
        return self.wait('ACK')

    def cancelled(self):
        """Waits for CANCEL; answers it and the INVITE."""
        cancel = self.wait('CANCEL')
        self.answer(cancel)
        self.refuse(487, 'Request Terminated')
        return cancel
