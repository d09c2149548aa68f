// The services of the reference domain by name: what `cli.js service <name>` can run.
import type { AnyService } from '../service/definition.ts';
import { promotionsService } from './promotions/service.ts';

export const SERVICES: Readonly<Record<string, AnyService>> = Object.fromEntries(
  [promotionsService].map((service: AnyService) => [service.name, service]),
);
