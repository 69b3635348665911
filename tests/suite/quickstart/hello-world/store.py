"""store.py PORT: the two calls of Dapr's state API that the tutorial makes."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATE = "/v1.0/state/statestore"
kept = {}


class Store(BaseHTTPRequestHandler):
    def do_POST(self):
        pairs = json.loads(self.rfile.read(int(self.headers["content-length"])))
        kept.update((pair["key"], pair["value"]) for pair in pairs)
        self.answer(204 if self.path == STATE else 404)

    def do_GET(self):
        value = kept[self.path.removeprefix(STATE + "/")]
        self.answer(200, json.dumps(value, separators=(",", ":")).encode())

    def answer(self, status, body=b""):
        self.send_response(status)
        if body:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Store)
print("ready", flush=True)
server.serve_forever()
