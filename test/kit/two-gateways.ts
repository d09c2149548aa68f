// A second gateway beside the first, with the same settings: where clients go when theirs is gone.
import { showOnFailure, test as base } from './fixtures.ts';
import { type Gateway, startGateway } from './gateway.ts';

export const test = base.extend<{ otherGateway: Gateway }>({
  // The connection is named so that the streams exist before the gateway looks for them.
  otherGateway: async ({ nats, connection, gatewayEnv, task }, use) => {
    void connection;
    await using gateway = await startGateway({ natsUrl: nats.url, env: gatewayEnv });
    await use(gateway);
    showOnFailure(task, 'the other gateway', gateway.log());
  },
});
