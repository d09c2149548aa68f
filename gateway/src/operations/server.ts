// The operations port: /livez, /readyz, /metrics. Not for clients: it belongs inside the network.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Readiness } from './health.ts';

export interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly readiness: () => Readiness;
  readonly metrics: { readonly contentType: string; readonly text: () => Promise<string> };
}

export interface OperationsServer {
  /** The port that was taken. Rejects if it is in use. */
  listen(): Promise<number>;
  /** Ends open requests too. */
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const REQUEST_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 64;

export const createOperationsServer = (options: OperationsOptions): OperationsServer => {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void respond(request, response, options);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.port, options.host, () => {
          server.off('error', reject);
          const address = server.address();
          resolve(typeof address === 'object' && address ? address.port : options.port);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
};

/** Never rejects. */
const respond = async (
  request: IncomingMessage,
  response: ServerResponse,
  options: OperationsOptions,
): Promise<void> => {
  const { status, type, body } = await answer(request, options).catch(() => plain(500, 'internal\n'));
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : body);
};

const answer = async ({ method, url = '/' }: IncomingMessage, options: OperationsOptions): Promise<Answer> => {
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'only GET and HEAD\n');
  const [path = '/'] = url.split('?');
  switch (path) {
    // Alive means that the event loop turns: everything else is for readiness, a restart would not mend it.
    case '/livez':
      return plain(200, 'ok\n');
    case '/readyz': {
      const readiness = options.readiness();
      return {
        status: readiness.isReady ? 200 : 503,
        type: 'application/json',
        body: `${JSON.stringify({ ready: readiness.isReady, reasons: readiness.reasons })}\n`,
      };
    }
    case '/metrics':
      return { status: 200, type: options.metrics.contentType, body: await options.metrics.text() };
    default:
      return plain(404, 'there are /livez, /readyz and /metrics\n');
  }
};

const plain = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body });
