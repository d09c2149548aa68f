// A WebSocket client over a plain socket, independent of the SDK: sends any bytes, well formed or not, and can stop
// reading. Knows RFC 6455, not Sluice's frames.
import { createHash, randomBytes } from 'node:crypto';
import { type Socket, connect } from 'node:net';
import { within } from './eventually.ts';

export interface RawClientOptions {
  subprotocol?: string;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

export interface RawMessage {
  isBinary: boolean;
  bytes: Buffer;
}

export interface Closed {
  /** 1006 where the connection ended without a close frame. */
  code: number;
  reason: string;
}

const OPCODES = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const WAIT_MS = 10_000;

/** The server answered the upgrade with something other than 101. */
export class UpgradeRefused extends Error {
  override readonly name = 'UpgradeRefused';
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`the upgrade was answered with ${status}`);
    this.status = status;
    this.body = body;
  }
}

export class RawClient implements Disposable {
  readonly messages: RawMessage[] = [];
  readonly closed: Promise<Closed>;
  readonly subprotocol: string;
  readonly #socket: Socket;
  #listener: ((message: RawMessage) => void) | undefined;
  #buffer: Buffer;
  #fragments: Buffer[] = [];
  #isBinary = false;
  #close: Closed | undefined;
  #onClosed!: (closed: Closed) => void;
  #taken = 0;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket, subprotocol: string, early: Buffer) {
    this.#socket = socket;
    this.subprotocol = subprotocol;
    this.#buffer = early;
    this.closed = new Promise((resolve) => (this.#onClosed = resolve));
    socket.on('data', (bytes: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
      this.#parse();
    });
    socket.on('close', () => {
      this.#close ??= { code: 1006, reason: '' };
      this.#onClosed(this.#close);
      this.#wake?.();
    });
    this.#parse();
  }

  /** Resolves after the 101: a frame in the same packet as the upgrade request would be lost by some servers. */
  static async connect(url: string, options: RawClientOptions = {}): Promise<RawClient> {
    const { hostname, port, pathname, search } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.on('error', () => {}); // 'close' follows and tells
    const key = randomBytes(16).toString('base64');
    const headers = {
      Host: `${hostname}:${port}`,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': key,
      'Sec-WebSocket-Version': '13',
      ...(options.subprotocol === undefined ? {} : { 'Sec-WebSocket-Protocol': options.subprotocol }),
      ...options.headers,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`);
    try {
      const { head, rest } = await within(readHead(socket), options.timeoutMs ?? WAIT_MS, 'no answer to the upgrade');
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
      if (status !== 101) throw new UpgradeRefused(status, rest.toString());
      const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
      if (headerOf(head, 'sec-websocket-accept') !== accept) throw new Error('wrong Sec-WebSocket-Accept');
      return new RawClient(socket, headerOf(head, 'sec-websocket-protocol') ?? '', rest);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#close === undefined && !this.#socket.destroyed;
  }

  /** Bytes received so far, frames and their headers. */
  get bytesReceived(): number {
    return this.#socket.bytesRead;
  }

  /** One WebSocket message: text for a string, binary for bytes. */
  send(message: string | Uint8Array): void {
    if (typeof message === 'string') this.sendFrame(OPCODES.text, Buffer.from(message));
    else this.sendFrame(OPCODES.binary, message);
  }

  /** One WebSocket frame of any kind, also a forbidden one. */
  sendFrame(opcode: number, payload: Uint8Array, options: { isFinal?: boolean; isMasked?: boolean } = {}): void {
    this.sendBytes(encodeWebSocketFrame(opcode, payload, options));
  }

  sendClose(code = 1000, reason = ''): void {
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(code);
    payload.write(reason, 2);
    this.sendFrame(OPCODES.close, payload);
  }

  /** Any bytes, outside of every framing. */
  sendBytes(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  onMessage(listener: (message: RawMessage) => void): void {
    this.#listener = listener;
    for (const message of this.messages.splice(0)) listener(message);
  }

  /** The next message not yet taken; rejects when the connection ends before or the deadline passes. */
  async nextMessage(timeoutMs = WAIT_MS): Promise<RawMessage> {
    const arrive = async (): Promise<RawMessage> => {
      for (;;) {
        const message = this.messages[this.#taken];
        if (message !== undefined) {
          this.#taken += 1;
          return message;
        }
        if (this.#close) throw new Error(`closed with ${this.#close.code} ${this.#close.reason}`);
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    };
    return await within(arrive(), timeoutMs, 'no message');
  }

  /** Like a phone in a tunnel: the socket stays open, nothing is taken from it, not even pings. */
  stopReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  /** Ends the TCP connection with no close frame; `reset` with a RST. */
  destroy(how: 'end' | 'reset' = 'end'): void {
    if (how === 'reset') this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #parse(): void {
    for (;;) {
      const frame = readFrame(this.#buffer);
      if (!frame) return;
      this.#buffer = this.#buffer.subarray(frame.size);
      this.#take(frame);
    }
  }

  #take({ opcode, isFinal, payload }: Frame): void {
    if (opcode === OPCODES.ping) return this.sendFrame(OPCODES.pong, payload);
    if (opcode === OPCODES.pong) return;
    if (opcode === OPCODES.close) {
      this.#close ??= {
        code: payload.length >= 2 ? payload.readUInt16BE() : 1005,
        reason: payload.subarray(2).toString(),
      };
      this.sendFrame(OPCODES.close, payload.subarray(0, 2));
      this.#socket.end();
      return;
    }
    if (opcode !== OPCODES.continuation) this.#isBinary = opcode === OPCODES.binary;
    this.#fragments.push(payload);
    if (!isFinal) return;
    // Copied: a message must not pin the socket's whole chunk.
    const message = { isBinary: this.#isBinary, bytes: Buffer.concat(this.#fragments) };
    this.#fragments = [];
    if (this.#listener) return this.#listener(message);
    this.messages.push(message);
    this.#wake?.();
  }
}

export function encodeWebSocketFrame(
  opcode: number,
  payload: Uint8Array,
  options: { isFinal?: boolean; isMasked?: boolean } = {},
): Buffer {
  const { isFinal = true, isMasked = true } = options;
  const lengthBytes = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + lengthBytes);
  header[0] = (isFinal ? 0x80 : 0) | opcode;
  header[1] = (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? payload.length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) header.writeUInt16BE(payload.length, 2);
  if (lengthBytes === 8) header.writeBigUInt64BE(BigInt(payload.length), 2);
  if (!isMasked) return Buffer.concat([header, payload]);
  const mask = randomBytes(4);
  const masked = Buffer.from(payload);
  for (let index = 0; index < masked.length; index += 1) masked[index]! ^= mask[index & 3]!;
  return Buffer.concat([header, mask, masked]);
}

interface Frame {
  opcode: number;
  isFinal: boolean;
  payload: Buffer;
  /** Header and payload. */
  size: number;
}

/** The first frame of the buffer, or undefined while it is incomplete. Servers do not mask. */
function readFrame(buffer: Buffer): Frame | undefined {
  if (buffer.length < 2) return undefined;
  let length = buffer[1]! & 0x7f;
  let start = 2;
  if (length === 126) {
    if (buffer.length < 4) return undefined;
    length = buffer.readUInt16BE(2);
    start = 4;
  } else if (length === 127) {
    if (buffer.length < 10) return undefined;
    length = Number(buffer.readBigUInt64BE(2));
    start = 10;
  }
  if (buffer.length < start + length) return undefined;
  const payload = buffer.subarray(start, start + length);
  return { opcode: buffer[0]! & 0x0f, isFinal: (buffer[0]! & 0x80) !== 0, payload, size: start + length };
}

async function readHead(socket: Socket): Promise<{ head: string; rest: Buffer }> {
  return await new Promise((resolve, reject) => {
    let buffer = Buffer.alloc(0);
    const onClose = (): void => reject(new Error('the connection ended before the upgrade was answered'));
    const onData = (bytes: Buffer): void => {
      buffer = Buffer.concat([buffer, bytes]);
      const end = buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', onData);
      socket.off('close', onClose);
      resolve({ head: buffer.toString('latin1', 0, end), rest: buffer.subarray(end + 4) });
    };
    socket.on('data', onData);
    socket.on('close', onClose);
  });
}

function headerOf(head: string, name: string): string | undefined {
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return undefined;
}
