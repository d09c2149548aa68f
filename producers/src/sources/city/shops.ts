// Merchants change prices and stock, and now and then sell something off at once. Pure.
import { between, pick, type Random } from '../../random.ts';
import { commander, type ShopEvent, type Theme, type ThemeOptions } from './act.ts';
import { customerSender, CUSTOMERS, MERCHANTS } from './people.ts';

const SECOND_MS = 1_000;
export const PRODUCTS_PER_SHOP = 4;

export interface Product {
  readonly storeId: string;
  readonly productId: string;
}

export const productOf = (merchant: number, number: number): Product => ({
  storeId: `m-${merchant}`,
  productId: `p-${merchant}-${number}`,
});

const ALL: readonly Product[] = Array.from({ length: MERCHANTS * PRODUCTS_PER_SHOP }, (_, index) =>
  productOf(1 + Math.floor(index / PRODUCTS_PER_SHOP), 1 + (index % PRODUCTS_PER_SHOP)),
);

/** What it costs on an ordinary day: always the same for the same product. */
const usualPrice = ({ productId }: Product): number =>
  60 + ((productId.length * 37 + productId.charCodeAt(2) * 13) % 340);

const FULL_SHELF = 200;
const LOW_SHELF = 40;

/** Every shop opens and fills its shelves; then prices and stock change for ever. */
export function* shops({ startMs, random, pace }: ThemeOptions): Theme {
  let atMs = startMs;
  const prices = new Map(ALL.map((product) => [product, usualPrice(product)]));
  for (const { storeId } of ALL.filter((_, index) => index % PRODUCTS_PER_SHOP === 0)) {
    const payload = { storeId, open: true, timestamp: isoOf(atMs) };
    yield { kind: 'event', atMs, type: 'store.status_changed', keys: { storeId }, payload };
  }
  for (const product of ALL) {
    yield priced(atMs, product, prices.get(product)!, prices.get(product)!);
    yield stocked(atMs, product, FULL_SHELF, LOW_SHELF);
  }
  for (;;) {
    atMs += (between(random, 2, 6) * SECOND_MS) / pace;
    const product = pick(random, ALL);
    if (random() < 0.6) {
      const previous = prices.get(product)!;
      const price = Math.round(usualPrice(product) * between(random, 0.8, 1.2));
      prices.set(product, price);
      yield priced(atMs, product, price, previous);
    } else {
      // Counted by hand: what the orders took meanwhile is in it.
      yield stocked(atMs, product, FULL_SHELF, Math.round(between(random, 0, LOW_SHELF)));
    }
  }
}

const OFFERS = ['Lunch for two', 'Sweets of the day', 'Family dinner', 'Late night snacks'];
const OFFERED = 30;
const SALE_SECONDS = 120;
const BUYS_FOR_SECONDS = 90;

/** A sale every few minutes; more want it than there are pieces. */
export function* flashSales(options: ThemeOptions): Theme {
  const { startMs, random, pace, createId } = options;
  const command = commander(createId);
  let atMs = startMs;
  for (;;) {
    atMs += (between(random, 20, 60) * SECOND_MS) / pace;
    const { productId } = pick(random, ALL);
    const saleId = `sale-${createId()}`;
    yield* started(atMs, saleId, productId, (SALE_SECONDS * SECOND_MS) / pace, random);
    for (const endMs = atMs + (BUYS_FOR_SECONDS * SECOND_MS) / pace; atMs < endMs;) {
      atMs += (between(random, 0.5, 4) * SECOND_MS) / pace;
      const buyer = customerSender(1 + Math.floor(random() * CUSTOMERS));
      yield command(atMs, buyer, 'promotion.buy', { saleId, productId });
    }
    atMs += (between(random, 60, 120) * SECOND_MS) / pace;
  }
}

function* started(
  atMs: number,
  saleId: string,
  productId: string,
  lastsMs: number,
  random: Random,
): Generator<ShopEvent> {
  const sale = {
    ...{ id: saleId, title: pick(random, OFFERS), description: `${OFFERED} pieces, first come, first served` },
    ...{ discount: 10 * Math.round(between(random, 2, 5)), category: 'food', endsAt: isoOf(atMs + lastsMs) },
    ...{ imageUrl: 'https://images.example.org/offer.jpg', timestamp: isoOf(atMs) },
  };
  const stock = { saleId, productId, stockRemaining: OFFERED, totalStock: OFFERED, percentageRemaining: 100 };
  // The shelf before the announcement: nobody is told of what cannot be bought.
  const keys = { saleId, productId };
  yield { kind: 'event', atMs, type: 'promotion.stock_update', keys, payload: { ...stock, timestamp: isoOf(atMs) } };
  const announced = { saleId, productId: 'sale' };
  yield { kind: 'event', atMs, type: 'promotion.flash_sale_started', keys: announced, payload: sale };
}

const isoOf = (atMs: number): string => new Date(Math.round(atMs)).toISOString();

const priced = (atMs: number, product: Product, price: number, previous: number): ShopEvent => ({
  ...{ kind: 'event', atMs, type: 'product.price_updated', keys: { ...product } },
  payload: { ...product, price, previous, timestamp: isoOf(atMs) },
});

const stocked = (atMs: number, product: Product, stock: number, previous: number): ShopEvent => ({
  ...{ kind: 'event', atMs, type: 'product.stock_updated', keys: { ...product } },
  payload: { ...product, stock, previous, timestamp: isoOf(atMs) },
});
