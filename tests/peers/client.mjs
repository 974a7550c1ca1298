// A Nostr client we did not write (nostr-tools), as two programs that talk JSON.
//
//   send     {"relay", "protocol", "secret", "to", "content"}
//            publishes one message and prints {"id", "rumor_id", "accepted"}
//   receive  {"relay", "protocol", "secret", "count", "timeout_seconds"}
//            prints {"ready": true} when the relay's stored messages were read, and one line for
//            each message that opens: {"id", "rumor_id", "from", "kind", "created_at", "content",
//            "tags"}; {"id", "error"} for one that does not. Status 0 after `count` messages,
//            6 when the time is over first.
//
// protocol is "nip17" or "nip04"; keys are hexadecimal. The request is read from standard input.
import { readFileSync } from 'node:fs';
import { finalizeEvent, getPublicKey } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import * as nip04 from 'nostr-tools/nip04';
import * as nip59 from 'nostr-tools/nip59';
import WebSocket from 'ws';

useWebSocketImplementation(WebSocket);
const EXIT_TIMED_OUT = 6;
const print = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const now = () => Math.floor(Date.now() / 1000);

function seal(request, secret) {
  const tags = [['p', request.to]];
  if (request.protocol === 'nip04') {
    const content = nip04.encrypt(secret, request.to, request.content);
    return { event: finalizeEvent({ kind: 4, created_at: now(), tags, content }, secret) };
  }
  const message = { kind: 14, created_at: now(), tags, content: request.content };
  const rumor = nip59.createRumor(message, secret);
  const sealed = nip59.createSeal(rumor, secret, request.to);
  return { event: nip59.createWrap(sealed, request.to), rumor_id: rumor.id };
}

function open(request, secret, event) {
  if (request.protocol === 'nip04') {
    const { id, pubkey: from, kind, created_at, tags } = event;
    const content = nip04.decrypt(secret, from, event.content);
    return { id, from, kind, created_at, content, tags };
  }
  const rumor = nip59.unwrapEvent(event, secret);
  const { id: rumor_id, pubkey: from, kind, created_at, content, tags } = rumor;
  return { id: event.id, rumor_id, from, kind, created_at, content, tags };
}

async function send(relay, request, secret) {
  const { event, rumor_id } = seal(request, secret);
  await relay.publish(event);
  print({ id: event.id, rumor_id, accepted: true });
  return 0;
}

function receive(relay, request, secret) {
  const kinds = [request.protocol === 'nip04' ? 4 : 1059];
  const wanted = request.count ?? 1;
  let seen = 0;
  return new Promise((resolve) => {
    setTimeout(() => resolve(EXIT_TIMED_OUT), (request.timeout_seconds ?? 10) * 1000);
    relay.subscribe([{ kinds, '#p': [getPublicKey(secret)] }], {
      oneose: () => print({ ready: true }),
      onevent: (event) => {
        try {
          print(open(request, secret, event));
        } catch (error) {
          print({ id: event.id, error: String(error?.message ?? error) });
          return;
        }
        if (++seen === wanted) resolve(0);
      },
    });
  });
}

const verbs = { send, receive };
const verb = verbs[process.argv[2]];
if (!verb) {
  console.error('usage: client.mjs send|receive <request.json');
  process.exit(2);
}
let status = 1;
try {
  const request = JSON.parse(readFileSync(0, 'utf8'));
  const secret = Uint8Array.from(Buffer.from(request.secret, 'hex'));
  const relay = await Relay.connect(request.relay);
  status = await verb(relay, request, secret);
  relay.close();
} catch (error) {
  console.error(String(error?.stack ?? error));
}
process.exit(status);
