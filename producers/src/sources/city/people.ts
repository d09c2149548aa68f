// Who lives in the city. The same number is always the same person.
import type { Sender } from './act.ts';

export interface Person {
  readonly name: string;
  readonly phone: string;
}

export interface Driver extends Person {
  readonly vehicle: string;
}

const FIRST = [
  'Asha',
  'Ravi',
  'Meera',
  'Imran',
  'Lakshmi',
  'Joseph',
  'Farah',
  'Kiran',
  'Divya',
  'Arjun',
  'Nisha',
  'Tomas',
];
const LAST = ['Rao', 'Iyer', 'Khan', 'Das', 'Nair', 'Fernandes', 'Gupta', 'Shetty', 'Pillai', 'Bose', 'Menon'];
const VEHICLES = ['scooter', 'bicycle', 'motorbike', 'electric scooter'];

const nameOf = (number: number): string => `${FIRST[number % FIRST.length]!} ${LAST[number % LAST.length]!}`;

export const customer = (number: number): Person => ({
  name: nameOf(number),
  // 98000 00000 and up are nobody's numbers.
  phone: `+91 98000 ${String(number).padStart(5, '0')}`,
});

export const driver = (number: number): Driver => ({
  name: nameOf(number * 7 + 3),
  phone: `+91 98001 ${String(number).padStart(5, '0')}`,
  vehicle: VEHICLES[number % VEHICLES.length]!,
});

/** As many as the orders know. */
export const CUSTOMERS = 60;
export const MERCHANTS = 23;

const CUSTOMER_ROLE = 'customer';
const AGENT_ROLE = 'agent';

export const customerSender = (number: number): Sender => ({
  sub: `u-${number}`,
  role: CUSTOMER_ROLE,
  name: nameOf(number),
});

export const merchantSender = (number: number): Sender => ({
  sub: `owner-${number}`,
  role: 'merchant_owner',
  name: nameOf(number * 3 + 2),
  merchantId: `m-${number}`,
});

export const driverSender = (number: number): Sender => ({
  sub: `d-${number}`,
  role: 'delivery_partner',
  name: driver(number).name,
});

export const agent = (number: number): Sender => ({
  sub: `a-${number}`,
  role: AGENT_ROLE,
  name: nameOf(number * 5 + 1),
});

const SHOPS = [
  'Sagar Tiffins',
  'The Green Leaf',
  'Biryani House',
  'Corner Bakery',
  'Noodle Bar',
  'Spice Route',
  'Juice Box',
];

export const shopName = (merchant: number): string => {
  const round = Math.floor((merchant - 1) / SHOPS.length);
  return `${SHOPS[(merchant - 1) % SHOPS.length]!}${round === 0 ? '' : ` ${round + 1}`}`;
};
