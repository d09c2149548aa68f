// The one screen that npm start ends on. Pure.

export interface ScreenFacts {
  readonly gatewayUrl: string;
  readonly natsUrl: string;
  readonly logsFolder: string;
  readonly dataFolder: string;
  readonly token: string;
  /** An order of the simulated city that is under way now; undefined without a city. */
  readonly liveOrderId?: string;
  readonly now: Date;
}

export function renderScreen(facts: ScreenFacts): string {
  const event = JSON.stringify({ orderId: 'o-17', status: 'delivered', timestamp: facts.now.toISOString() });
  const live = facts.liveOrderId === undefined ? [] : [`    npx sluice tail 'order:${facts.liveOrderId}'`];
  return [
    '',
    `  Sluice is ready at ${facts.gatewayUrl}`,
    `  NATS at ${facts.natsUrl}, data in ${facts.dataFolder}, logs in ${facts.logsFolder}`,
    '',
    '  A development token: user u-1 with the role admin, who may see every order',
    `    ${facts.token}`,
    '  Others:',
    '    npx sluice token --sub u-1                                          the customer u-1',
    '    npx sluice token --sub u-2 --role merchant_owner --merchant m-1     the merchant m-1',
    '    npx sluice token --sub a-1 --role agent                             a support agent',
    '',
    '  Watch an order in one terminal',
    `    npx sluice tail 'order:o-17'`,
    '  and publish an event in another',
    `    npx sluice nats pub order.m-1.u-1.o-17.status_changed '${event}'`,
    ...(live.length === 0 ? [] : ['', '  Watch an order of the simulated city', ...live]),
    '  or something else of it',
    '    npx sluice tail admin:dashboard',
    '    npx sluice tail user:u-1',
    '    npx sluice tail merchant:m-1',
    '    npx sluice tail leaderboard:daily',
    '    npx sluice tail chat:chat-u-1        feed:u-1, cart:cart-u-1, broadcast, activities',
    '',
    '  Ctrl-C stops everything.',
    '',
  ].join('\n');
}
