// Process entry: the only file that reads the environment and signals.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { compileCatalogue, orders, rez, withCanary, type Catalogue, type CatalogueDefinition } from '@sluice/schemas';
import { formatFaults, loadConfig } from './config.ts';
import { GatewayError } from './errors.ts';
import { createGateway } from './gateway.ts';
import { systemClock } from './operations/clock.ts';
import { createLog } from './operations/log.ts';

const SHIPPED: Readonly<Record<string, CatalogueDefinition>> = { rez, orders };

const loadCatalogue = async (from: string, canaryStream: string | undefined): Promise<Catalogue> => {
  let definition = SHIPPED[from];
  if (!definition) {
    const module = (await import(pathToFileURL(from).href)) as { readonly catalogue?: CatalogueDefinition };
    if (!module.catalogue) throw new GatewayError('catalogue_invalid', `${from} exports no "catalogue"`);
    definition = module.catalogue;
  }
  const compiled = compileCatalogue(canaryStream === undefined ? definition : withCanary(definition, canaryStream));
  if (compiled.ok) return compiled.value;
  throw new GatewayError('catalogue_invalid', `the catalogue contradicts itself:\n- ${compiled.error.join('\n- ')}`);
};

const config = loadConfig({ env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
if (!config.ok) {
  process.stderr.write(`The configuration is not usable:\n${formatFaults(config.error)}\n`);
  process.exit(2);
}
const log = createLog({ level: config.value.logLevel, isPretty: config.value.logPretty });
// What nobody caught leaves the process in a state that nobody knows: it ends, and clients go on elsewhere. Said by the log,
// which hides tokens; Node itself would print them.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    log.fatal({ err: error }, 'a fault that nobody caught');
    process.exit(1);
  });
}
let isStopping = false;
try {
  const catalogue = await loadCatalogue(config.value.catalogue, config.value.canaryStream);
  const gateway = createGateway(config.value, { catalogue, clock: systemClock, log, random: Math.random });
  const stop = (signal: string): void => {
    isStopping = true;
    log.info({ signal }, 'stopping');
    void gateway.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  // A supervisor that dies without a word (npm start that is killed) must not leave a gateway behind.
  if (process.send) process.once('disconnect', () => stop('parent gone'));
  await gateway.start();
} catch (error) {
  // A start that is stopped fails, and the stop ends the process.
  if (isStopping) log.info({ err: error }, 'the start was given up');
  else {
    const { code, message, details } = GatewayError.from(error);
    log.fatal({ code, details, err: error }, message);
    process.exit(1);
  }
}
