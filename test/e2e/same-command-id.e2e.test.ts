// One command id under two names: the identity of a command is (user, name, id), for services too.
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { readEvents, readOutcomes, sendCommand, serviceTest as test, storeEvent } from '../kit/services.ts';

test('two commands of a user with the same id and different names are both done and both told, also by a copy that starts later', async ({
  connection,
  run,
}) => {
  const product = { productId: 'p-1', storeId: 's-1', timestamp: new Date().toISOString() };
  await storeEvent(connection, 'product.price_updated', ['s-1', 'p-1'], { ...product, price: 4, previous: 4 });
  await storeEvent(connection, 'product.stock_updated', ['s-1', 'p-1'], { ...product, stock: 9, previous: 9 });
  const first = await run('cart');
  await sendCommand(connection, 'cart.add_item', { sub: 'u-1' }, { productId: 'p-1' }, 'same');
  await eventually(async () => (await readOutcomes(connection)).length === 1);
  await first.stop();
  await sendCommand(connection, 'cart.clear', { sub: 'u-1' }, {}, 'same');
  await run('cart');
  await eventually(async () => (await readOutcomes(connection)).length === 2);

  const outcomes = await readOutcomes(connection);
  expect(outcomes.map(({ kind, userId, commandId, payload }) => [kind, userId, commandId, payload['command']])).toEqual(
    [
      ['applied', 'u-1', 'same', 'cart.add_item'],
      ['applied', 'u-1', 'same', 'cart.clear'],
    ],
  );
  const carts = await readEvents(connection, 'SHOP', 'cart.u-1.*.sync');
  expect(carts.at(-1)!.payload['items']).toEqual([]);
});
