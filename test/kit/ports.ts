// Free loopback ports for servers that must come back on the same port.
// Taken below the ephemeral range (32768 and up on Linux): while a server is down, a client that keeps dialling an
// ephemeral port can be given that very port as its own and connect to itself.
import { createServer } from 'node:net';

const LOWEST = 11_000;
const HIGHEST = 32_000;

// Workers start at different places; the bind check settles the rest.
let next = LOWEST + ((process.pid * 131) % (HIGHEST - LOWEST));

export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 2000; attempt += 1) {
    next = next >= HIGHEST ? LOWEST : next + 1;
    const port = next; // another caller moves `next` while this one waits
    if (await isFree(port, host)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} on ${host}`);
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

async function isFree(port: number, host: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
