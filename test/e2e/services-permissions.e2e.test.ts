// Services from the command line, as the user that deploy/nats/permissions.conf gives them: all that they do is allowed.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { startNatsServer } from '../kit/nats-server.ts';
import {
  createServiceStreams,
  outcomeOf,
  readEvents,
  sendCommand,
  startServiceProcess,
  storeEvent,
} from '../kit/services.ts';

const CONF = readFileSync(new URL('../../deploy/nats/permissions.conf', import.meta.url), 'utf8');
const password = (user: string): string => `${user}-password-of-the-test`;
const config = CONF.replaceAll(/\$NATS_(\w+)_PASSWORD/g, (_, user: string) => `"${password(user.toLowerCase())}"`);

test('all services start, decide, react and give grants as the user `service`', async () => {
  await using nats = await startNatsServer({ config });
  await using admin = await nats.connect({ user: 'admin', pass: password('admin') });
  await createServiceStreams(admin);
  const product = { productId: 'p-1', storeId: 'm-1', timestamp: new Date().toISOString() };
  await storeEvent(admin, 'product.price_updated', ['m-1', 'p-1'], { ...product, price: 2, previous: 2 });
  const services = await startServiceProcess(nats.url, 'all', 2, {
    SLUICE_NATS_USER: 'service',
    SLUICE_NATS_PASSWORD: password('service'),
    SLUICE_NATS_INBOX_PREFIX: '_INBOX_service',
  });
  try {
    const items = [{ productId: 'p-1', quantity: 2 }];
    const placed = await outcomeOf(
      admin,
      await sendCommand(admin, 'order.place', { sub: 'u-1' }, { merchantId: 'm-1', items }),
    );
    const { orderId } = placed.payload['result'] as { orderId: string };
    await eventually(async () => (await readEvents(admin, 'PAYMENT', `payment.*.*.${orderId}.confirmed`)).length === 1);
    const owner = { sub: 'o-1', role: 'merchant_owner', merchantId: 'm-1' };
    const courier = { sub: 'd-1', role: 'delivery_partner' };
    for (const [actor, status] of [
      ...['confirmed', 'preparing', 'ready'].map((each) => [owner, each] as const),
      [courier, 'out_for_delivery'] as const,
    ]) {
      const sent = await sendCommand(admin, 'order.update_status', actor, { orderId, status });
      expect((await outcomeOf(admin, sent)).kind).toBe('applied');
    }
    await eventually(async () => {
      const reply = await admin.request('$JS.API.STREAM.INFO.KV_grants');
      const { messages } = reply.json<{ state: { messages: number } }>().state;
      return messages === 1;
    });
    expect(services.log().filter((line) => line.includes('"kind":"fault"'))).toEqual([]);
  } finally {
    expect((await services.stop()).code).toBe(0);
  }
}, 60_000);
