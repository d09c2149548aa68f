// Tests of the domain beside the table of families: what is there for services, commands, grants and old names. Data for
// docs/DOMAIN-TESTS.md.

export interface FurtherTest {
  title: string;
  file: string;
  /** Families that it is about. */
  families: readonly string[];
}

const e2e = (name: string): string => `test/e2e/${name}.e2e.test.ts`;
const entry = (file: string, title: string, ...families: string[]): FurtherTest => ({ title, file, families });

export const FURTHER_TESTS: readonly FurtherTest[] = [
  entry(
    e2e('families/stories'),
    'an order is placed, shows on the screen of the shop, and its statuses on that of the customer',
    'order',
    'command',
  ),
  entry(
    e2e('first-states'),
    'a shop begins with all that is open and nothing that has ended, from the tail or from JetStream',
    'order',
  ),
  entry(
    e2e('families/stories'),
    'a chat on two devices of one customer and on the screen of an agent is one and the same',
    'chat',
  ),
  entry(e2e('families/stories'), 'a cart is the same on two devices, whichever of them changes it', 'cart'),
  entry(
    e2e('families/stories'),
    'a post shows on the feeds of those who follow, and a like on that of its author',
    'feed',
  ),
  entry(e2e('families/stories'), 'coins that are earned move ranks on every screen, and answer a call', 'leaderboard'),
  entry(
    e2e('services-shop'),
    'an order from its placing to the door, paid, seen by its courier, and worth coins',
    'order',
    'delivery',
    'payment',
    'wallet',
  ),
  entry(e2e('services-shop'), 'two devices that edit one cart at once converge on what both did', 'cart'),
  entry(
    e2e('services-shop'),
    'a new price and a short stock reach the carts that hold the product, once',
    'cart',
    'product',
  ),
  entry(e2e('services-shop'), 'concurrent debits never take a wallet below zero', 'wallet'),
  entry(e2e('services-contention'), '200 buyers of 100 items buy exactly 100', 'promotion'),
  entry(
    e2e('services-crash'),
    'two copies of orders, the one at work is killed again and again in the middle of a burst',
    'order',
  ),
  entry(
    e2e('social-services'),
    'members speak, others are rejected by command id, and a revoked member is one of them',
    'chat',
    'command',
  ),
  entry(e2e('social-services'), 'an agent who goes is seen to go in every support chat that they serve', 'chat'),
  entry(e2e('social-services'), 'a post, its likes and comments reach every follower once, in order', 'feed'),
  entry(e2e('social-services'), 'coins make ranks: who is overtaken is told, and the board shows it', 'leaderboard'),
  entry(e2e('social-services'), 'whoever joins twice counts once, through two copies at once too', 'activity'),
  entry(e2e('social-services'), 'a push is asked for only for those who are not connected', 'notification', 'user'),
  entry(e2e('social-services'), 'every order is news once, and the figures count it', 'dashboard', 'order'),
  entry(e2e('ephemeral'), 'reaches everybody else on the chat, on every pod, and no device of the typist', 'chat'),
  entry(e2e('ephemeral'), 'is taken back when the connection goes, and not when it was over', 'chat'),
  entry(
    e2e('conflation'),
    'comes as the newest of each subject, in order, and the last one comes',
    'order',
    'promotion',
  ),
  entry(e2e('expiry'), 'is shown to nobody: not live, not first, not caught up', 'promotion'),
  entry(e2e('presence'), 'several devices on two pods are one user, from the first to the last', 'user'),
  entry(e2e('presence'), 'a pod is killed: its users went, told once; those who have another device did not', 'user'),
  entry(e2e('commands'), 'through two pods at once is stored once, and both are told the same (I6)', 'command'),
  entry(
    e2e('joining'),
    'a client is joined to what is its role’s, after what it asks for itself, and learns what is now and what comes',
    'notification',
    'dashboard',
  ),
  entry('schemas/src/rez/legacy.test.ts', 'order.statusChanged has the estimate and the partner in metadata', 'order'),
  entry(
    'schemas/src/rez/legacy.test.ts',
    'delivery.locationUpdated has the distance as distanceRemaining, and the arrival as text',
    'order',
  ),
  entry('schemas/src/rez/legacy.test.ts', 'message:read is one per message, and says who as userId', 'chat'),
  entry('schemas/src/rez/legacy.test.ts', 'message:send has the message as text, and is acknowledged', 'chat'),
];
