"""What goes on in the soak: phones that come and go, messages, rubbish, an administrator who cannot sit still."""
import random
import secrets
import socket
import struct
import threading
import time

import harness
from harness import Phone, credentials

# What may be taken out and put back in while others use it.
UNLOADABLE = ['res_sip_options', 'res_sip_messaging', 'res_sip_registrar', 'res_sip_nat', 'res_sip_acl',
              'res_sip_authenticator_digest', 'res_sip_endpoint_identifier_ip', 'res_sip_logger',
              'res_sip_outbound_authenticator_digest']


class World:
    """What all actors share: the server, the end, what was counted, and whether a module is out at the moment."""

    def __init__(self, server, users, rate, longest, burst):
        self.server, self.users, self.rate, self.burst = server, users, rate, burst
        self.longest = longest  # seconds that a binding is asked for at most
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.counts, self.bad = {}, []
        self.outages = 0  # odd: a module is out

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def judge(self, what, answer, wanted, outage):
        """Counts an answer; one that is not wanted is wrong unless a module was out meanwhile."""
        status = answer.status if answer else 0
        self.count(f'{what} {status or "unanswered"}')
        if status not in wanted and outage == self.outages and not outage % 2:
            with self.lock:
                self.bad.append(f'{what}: {answer!r}'[:1500])
        return status in wanted


class Actor(threading.Thread):
    """Takes a step at a time, `share` of the world's rate in the mean, after a burst of them in the beginning."""

    bursts = True

    def __init__(self, world, name, share):
        super().__init__(name=name, daemon=True)
        self.world, self.server = world, world.server
        self.every = 1 / (world.rate * share)
        self.rng = random.Random(name)
        self.failure = None

    def run(self):
        try:
            for _ in range(self.world.burst if self.bursts else 0):
                self.step()
            while not self.world.over.wait(self.rng.expovariate(1 / self.every) if self.every > 0.02 else self.every):
                self.step()
        except Exception as e:  # told at the end
            self.failure = f'{self.name}: {type(e).__name__}: {e}'
        finally:
            self.leave()

    def leave(self):
        pass

    def register(self, phone, what, **kw):
        outage = self.world.outages
        kw.setdefault('expires', self.rng.randint(2, self.world.longest))
        return self.world.judge(what, phone.register(**kw), (200,), outage)


class Churn(Actor):
    """New phones over UDP: registered, some leave, some are forgotten, some do not know their password."""

    def step(self):
        user = self.rng.choice(self.world.users)
        outage = self.world.outages
        with Phone(self.server, user) as phone:
            if self.rng.random() < 0.1:
                self.world.judge('wrong password', phone.register(password='wrong'), (401,), outage)
            elif self.register(phone, 'register udp') and self.rng.random() < 0.5:
                self.register(phone, 'unregister udp', expires=0)


class Loyal(Actor):
    """One phone that stays, and refreshes with the nonce it has as long as that is taken."""

    def __init__(self, world, name, share, user):
        super().__init__(world, name, share)
        self.phone = Phone(self.server, user)
        self.challenge, self.nc = None, 0

    def step(self):
        outage = self.world.outages
        for _ in range(3):
            headers = [f'Contact: {self.phone.contact}', f'Expires: {self.world.longest}']
            if self.challenge:
                self.nc += 1
                value = credentials(self.challenge, 'REGISTER', 'sip:127.0.0.1', self.phone.user, 'secret', self.nc)
                headers.append(f'Authorization: {value}')
            answer = self.phone.ask('REGISTER', headers=headers, to=f'<sip:{self.phone.user}@127.0.0.1>')
            if not answer or answer.status != 401:
                break
            self.challenge, self.nc = answer.get('WWW-Authenticate'), 0
        self.world.judge('refresh', answer, (200,), outage)

    def leave(self):
        self.phone.close()


class Connections(Actor):
    """Phones over TCP: some end well, some are cut, some never say a whole word."""

    def step(self):
        user = self.rng.choice(self.world.users)
        dice = self.rng.random()
        with Phone(self.server, user, transport='tcp') as phone:
            if dice < 0.2:
                phone.send(b'REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: half')
                self.world.count('half a message')
            else:
                self.register(phone, 'register tcp')
                self.world.judge('options tcp', phone.ask_authenticated('OPTIONS'), (200, 401), self.world.outages)
            if dice > 0.6:  # a reset instead of an end
                phone.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


class Chat(Actor):
    """A phone that sends MESSAGEs to another one, which answers. Both register anew now and then."""

    def __init__(self, world, name, share, users, transports):
        super().__init__(world, name, share)
        self.users, self.transports = users, transports
        self.phones = None
        self.until = 0

    def leave(self):
        for phone in self.phones or ():
            phone.close()
        self.phones = None

    def meet(self):
        self.leave()
        self.phones = [Phone(self.server, u, transport=t) for u, t in zip(self.users, self.transports)]
        self.until = time.monotonic() + self.world.longest / 2
        return self.register(self.phones[1], 'register chat', expires=self.world.longest)

    def step(self):
        outage = self.world.outages
        if (not self.phones or time.monotonic() > self.until) and not self.meet():
            self.leave()
            return
        sender, receiver = self.phones
        uri = f'sip:{self.users[1]}@127.0.0.1'
        answer = sender.ask('MESSAGE', uri, ['Content-Type: text/plain'], b'hello')
        if answer and answer.status == 401:
            value = credentials(answer.get('WWW-Authenticate'), 'MESSAGE', uri, sender.user, 'secret')
            text = bytes(self.rng.randrange(32, 127) for _ in range(self.rng.randint(1, 900)))
            sender.send(sender.request('MESSAGE', uri, ['Content-Type: text/plain', f'Authorization: {value}'], text))
            got = receiver.receive(1 if outage % 2 else None)
            while got and got.method is None:  # a late answer to a REGISTER
                got = receiver.receive()
            if got:
                receiver.answer(got)
            answer = sender.final()
        if not self.world.judge('message ' + '-'.join(self.transports), answer, (200,), outage):
            self.leave()  # late messages are nobody's


class Rubbish(Actor):
    """What no phone would send: noise, half-understood requests, users that nobody knows."""

    def step(self):
        with Phone(self.server, 'nobody-' + secrets.token_hex(3)) as phone:
            dice = self.rng.random()
            if dice < 0.4:
                phone.send(secrets.token_bytes(self.rng.randint(1, 1400)))
            elif dice < 0.7:
                phone.send(phone.request('REGISTER')[:self.rng.randint(20, 250)])
            else:
                self.world.judge('unknown user', phone.register(), (401,), self.world.outages)
        self.world.count('rubbish')


class Administrator(Actor):
    """Reloads good and broken files in turn, and takes modules out for a moment."""

    bursts = False

    def __init__(self, world, name, share, good, broken):
        super().__init__(world, name, share)
        self.good, self.broken, self.version = good, broken, 0

    def step(self):
        self.version += 1
        if self.version % 3 == 0:
            self.cycle(UNLOADABLE[self.version // 3 % len(UNLOADABLE)])
        elif self.version % 3 == 1:
            self.server.write('pjsip.conf', self.good(self.version))
            self.server.reload()
            self.world.count('reload')
        else:
            self.server.write('pjsip.conf', self.broken(self.version))
            if self.server.cli('pjsip', 'reload', check=False).returncode == 0:
                raise AssertionError('a broken file was taken')
            self.world.count('reload refused')

    def cycle(self, module):
        self.world.outages += 1
        r = self.server.cli('module', 'unload', module, check=False)
        self.world.count(f'unload {module}' if r.returncode == 0 else f'unload {module} refused')
        if r.returncode and 'in use' not in r.stdout + r.stderr:
            raise AssertionError(f'unload {module}: {r.stdout}{r.stderr}')
        if r.returncode == 0:
            time.sleep(0.05)
            self.server.cli('module', 'load', module)
        self.world.outages += 1


def cast(world, good, broken):
    """The actors. The shares of phones add up to one step each at the world's rate."""
    users = world.users
    chats = [('udp', 'udp'), ('udp', 'tcp'), ('tcp', 'udp'), ('tcp', 'tcp')]
    actors = [Churn(world, f'churn-{i}', 0.2) for i in range(2)]
    actors += [Connections(world, f'connections-{i}', 0.12) for i in range(2)]
    actors += [Loyal(world, f'loyal-{i}', 0.02, users[i]) for i in range(4)]
    actors += [Chat(world, f'chat-{i}', 0.06, (f'from{i}', f'to{i}'), t) for i, t in enumerate(chats)]
    actors.append(Rubbish(world, 'rubbish', 0.08))
    actors.append(Administrator(world, 'administrator', 0.02, good, broken))
    return actors
