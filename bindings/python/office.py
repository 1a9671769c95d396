"""The other side of the smoke test: the real server as a child process, its commands, and a desk in the office.

Standard library only. Nothing here waits without a bound, and nothing sleeps.
"""

import datetime
import json
import os
import queue
import re
import secrets
import subprocess
import threading
import urllib.error
import urllib.request

# Whatever takes longer has failed.
PATIENCE_S = 30


class Server:
    """The server's binary on a database of its own, on a port of this machine."""

    def __init__(self, binary, folder, directory):
        self.binary = binary
        self.database = os.path.join(folder, "server.db")
        self.directory = directory
        self.port = 0
        self.log = []
        self._process = None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def start(self):
        """Starts it, on the same port as before if it ran before, and waits until it says that it listens."""
        command = [
            self.binary, "serve",
            "--listen", "127.0.0.1:%d" % self.port,
            "--database", self.database,
            "--directory", self.directory,
            "--synthetic-people",
            "--plain-cookies",
        ]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8")
        address = queue.Queue()
        threading.Thread(target=self._read, args=(self._process.stderr, address), daemon=True).start()
        self.port = address.get(timeout=PATIENCE_S)
        if not self.port:
            raise RuntimeError("the server ended: " + "\n".join(self.log[-5:]))

    def _read(self, lines, address):
        for line in lines:
            self.log.append(line.rstrip())
            said = re.search(r"listening on \S+:(\d+)", line)
            if said:
                address.put(int(said.group(1)))
        address.put(0)

    def stop(self):
        """Stops it as a supervisor would."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise
            finally:
                self._process = None

    def errand(self, *words, **options):
        """Runs one of the server's commands on its database; returns what it printed, line by line."""
        done = subprocess.run(
            [self.binary, *words, "--database", self.database],
            input=options.get("entered", ""),
            capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE_S,
        )
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (" ".join(words), done.stderr))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def code_for(self, name):
        """A one-time code for a person's phone."""
        return self.errand("device", "code", "--name", name, "--url", self.url)[0]["code"]

    def desk_of(self, name):
        """A person at a desk, signed in."""
        password = secrets.token_hex(12)
        login = "smoke-" + secrets.token_hex(4)
        self.errand("person", "password", "--name", name, "--login", login, entered=password + "\n")
        return Desk(self.url, login, password)


class Desk:
    """A browser in the office: the JSON API with a cookie and an Origin."""

    def __init__(self, url, login, password):
        self.url = url
        self.cookie = None
        _, headers = self._ask("POST", "/v1/session", {"login": login, "password": password})
        self.cookie = headers["Set-Cookie"].split(";")[0]

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Origin", self.url)
        if self.cookie:
            request.add_header("Cookie", self.cookie)
        data = None
        if body is not None:
            data = json.dumps(body).encode("utf-8")
            request.add_header("Content-Type", "application/json")
        # Not through a proxy of the environment: the server is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, data, timeout=PATIENCE_S) as answer:
                return json.load(answer), answer.headers
        except urllib.error.HTTPError as error:
            raise RuntimeError("%s %s: %d %s" % (method, path, error.code, error.read().decode("utf-8", "replace")))

    def case(self, case_id):
        """A case as a page shows it."""
        return self._ask("GET", "/v1/cases/" + case_id)[0]

    def act(self, case_id, action, body=None):
        """Does something to a case as a page that was made just now shows it."""
        page = self.case(case_id)
        deed = {
            "action": action,
            "body": body or {},
            "on": page["on"],
            "seen": page["seen"],
            "key": secrets.token_hex(8),
            "acted_at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return self._ask("POST", "/v1/cases/%s/actions" % case_id, deed)[0]["entry"]

    def adopt_proposals(self):
        """Looks at what components would be with all proposals that wait, and puts that in force."""
        preview = self._ask("POST", "/v1/imports/proposals", {"surveys": []})[0]
        if preview["faults"]:
            raise RuntimeError("faults: %s" % preview["faults"])
        self._ask("POST", "/v1/imports/%s/adopt" % preview["id"], {})
