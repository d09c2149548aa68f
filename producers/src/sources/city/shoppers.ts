// Customers fill their carts on two devices, spend coins, and order through the services: merchants and drivers take such
// an order from hand to hand by commands. Pure.
import { between, pick } from '../../random.ts';
import { itemIdOf } from '../../services/cart/carts.ts';
import { commander, madeBy, type Theme, type ThemeOptions } from './act.ts';
import { customerSender, CUSTOMERS, driverSender, MERCHANTS, merchantSender } from './people.ts';
import { PRODUCTS_PER_SHOP, productOf } from './shops.ts';
import { cornerOf, planRoute, spotAlong } from './streets.ts';

const SECOND_MS = 1_000;
const METRES_PER_REPORT = 60;
const DRIVERS = 80;

/** u-1 cannot make up their mind, on the phone and at the desk: there is always something to see in this cart. */
export function* undecided({ startMs, random, pace, createId }: ThemeOptions): Theme {
  const command = commander(createId);
  const shopper = customerSender(1);
  let atMs = startMs;
  const pass = (low: number, high: number): void => {
    atMs += (between(random, low, high) * SECOND_MS) / pace;
  };
  for (;;) {
    const { productId } = productOf(1 + Math.floor(random() * MERCHANTS), 1 + Math.floor(random() * PRODUCTS_PER_SHOP));
    const itemId = itemIdOf(productId);
    pass(3, 7);
    // Both devices at nearly the same time: both are in.
    yield command(atMs, shopper, 'cart.add_item', { productId });
    pass(0, 0.2);
    yield command(atMs, shopper, 'cart.add_item', { productId });
    pass(3, 7);
    yield command(atMs, shopper, 'cart.update_item', { itemId, quantity: 1 + Math.floor(random() * 4) });
    pass(3, 7);
    yield random() < 0.8
      ? command(atMs, shopper, 'cart.remove_item', { itemId })
      : command(atMs, shopper, 'cart.clear', {});
  }
}

/** One shopper after the other. */
export function* shoppers({ startMs, random, pace, createId }: ThemeOptions): Theme {
  const command = commander(createId);
  let atMs = startMs;
  const pass = (low: number, high: number): void => {
    atMs += (between(random, low, high) * SECOND_MS) / pace;
  };
  for (let round = 0; ; round++) {
    const shopper = customerSender(2 + Math.floor(random() * (CUSTOMERS - 1)));
    const merchant = 1 + Math.floor(random() * MERCHANTS);
    const products = [1, 2, 3].map((step) => productOf(merchant, 1 + ((round + step) % PRODUCTS_PER_SHOP)).productId);
    pass(3, 8);
    // Two devices at nearly the same time: both are in.
    yield command(atMs, shopper, 'cart.add_item', { productId: products[0]!, quantity: 1 });
    pass(0, 0.2);
    yield command(atMs, shopper, 'cart.add_item', { productId: products[1]! });
    pass(2, 5);
    yield command(atMs, shopper, 'cart.add_item', { productId: products[0]! });
    pass(1, 4);
    yield command(atMs, shopper, 'cart.add_item', { productId: products[2]!, quantity: 2 });
    pass(3, 8);
    if (random() < 0.2) {
      yield command(atMs, shopper, 'cart.clear', {});
      continue;
    }
    if (random() < 0.3) yield command(atMs, shopper, 'wallet.redeem', { amount: Math.round(between(random, 1, 10)) });
    const items = [
      { productId: products[0]!, quantity: 2 },
      { productId: products[1]!, quantity: 1 },
      { productId: products[2]!, quantity: 2 },
    ];
    const route = planRoute(cornerOf(merchant, 1), cornerOf(merchant + round, 5), random);
    const { address: _, ...destination } = spotAlong(route, route.metres);
    const placed = command(atMs, shopper, 'order.place', { merchantId: `m-${merchant}`, items, destination });
    yield placed;
    const orderId = madeBy(placed, 'o');
    const owner = merchantSender(merchant);
    for (const status of ['confirmed', 'preparing', 'ready']) {
      pass(2, 6);
      yield command(atMs, owner, 'order.update_status', { orderId, status });
    }
    const driving = driverSender(1 + Math.floor(random() * DRIVERS));
    pass(2, 5);
    yield command(atMs, driving, 'order.update_status', { orderId, status: 'out_for_delivery' });
    for (let gone = 0; gone < route.metres + METRES_PER_REPORT; gone += METRES_PER_REPORT) {
      pass(4, 6);
      const location = spotAlong(route, gone);
      yield command(atMs, driving, 'delivery.report_location', { orderId, location });
    }
    pass(2, 5);
    yield command(atMs, driving, 'order.update_status', { orderId, status: 'delivered' });
    if (random() < 0.5) yield command(atMs, shopper, 'chat.send_message', thanks(shopper.sub, random));
  }
}

const THANKS = ['It was delicious, thank you!', 'Fast as ever.', 'All fine, thanks.'];

const thanks = (sub: string, random: ThemeOptions['random']): { chatId: string; message: string } => ({
  chatId: `chat-${sub}`,
  message: pick(random, THANKS),
});
