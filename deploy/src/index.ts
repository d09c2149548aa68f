// The public door: what the tests, the benchmarks and other tools of this checkout use.
export { DeployError } from './errors.ts';
export type { DeployErrorCode } from './errors.ts';
export { sharedGuard } from './guard.ts';
export type { Guard } from './guard.ts';
export { launchNatsServer } from './nats-server/launch.ts';
export type { ExitReport, LaunchOptions, NatsServerProcess } from './nats-server/launch.ts';
export { NATS_CLI_VERSION, NATS_SERVER_VERSION } from './nats-server/pins.ts';
export { resolveNatsCli, resolveNatsServer, resolveNatsServerBinary } from './nats-server/resolve.ts';
export type { ResolvedBinary, ResolvedServer, ResolveOptions } from './nats-server/resolve.ts';
export type { Progress } from './nats-server/toolbox.ts';
