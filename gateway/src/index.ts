// The public door, for those who run a gateway inside a program of their own.
export { createGateway, type Gateway, type GatewayDependencies } from './gateway.ts';
export { formatFaults, loadConfig, type Config, type ConfigFault, type ConfigSources } from './config.ts';
export { GatewayError, type GatewayErrorCode } from './errors.ts';
export { systemClock, type Clock, type TimerHandle } from './operations/clock.ts';
export { createLog } from './operations/log.ts';
