// A relay we did not write (@nostr-relay), on a free port of loopback.
//
// usage: node relay.mjs [DATABASE]      (default: in memory)
// Prints one line, the relay's address, when it listens. Ends with SIGTERM.
import { NostrRelay } from '@nostr-relay/core';
import { EventRepositorySqlite } from '@nostr-relay/event-repository-sqlite';
import { Validator } from '@nostr-relay/validator';
import { WebSocketServer } from 'ws';

const events = new EventRepositorySqlite(process.argv[2] ?? ':memory:');
await events.init();
const relay = new NostrRelay(events);
const validator = new Validator();
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });

server.on('connection', (socket) => {
  relay.handleConnection(socket);
  socket.on('message', async (data) => {
    try {
      await relay.handleMessage(socket, await validator.validateIncomingMessage(data));
    } catch (error) {
      socket.send(JSON.stringify(['NOTICE', String(error?.message ?? error)]));
    }
  });
  socket.on('close', () => relay.handleDisconnect(socket));
  socket.on('error', () => socket.terminate());
});
server.on('listening', () => console.log(`ws://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
