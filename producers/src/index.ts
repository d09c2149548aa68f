// The public door of the producers package: re-exports only.
export { ProducerError, PRODUCER_ERRORS, type ProducerErrorCode, type ProducerErrorDetails } from './errors.ts';
export {
  type Conflict,
  createPublisher,
  type Publisher,
  type PublisherOptions,
  type PublisherSettings,
  type PublishOptions,
} from './publisher.ts';
export {
  createLoadPublisher,
  type LoadOptions,
  type LoadPublisher,
  type LoadReport,
  type LoadRun,
} from './sources/load.ts';
export { type LoadType, monotonicNowMs } from './sources/load/load-event.ts';
export { carryOutPlans, planStreams, type StreamOutcome } from './provisioning.ts';
export {
  createGrants,
  type GrantOptions,
  GRANTS_BUCKET,
  type Grants,
  type GrantsOptions,
  toGrantBucketConfig,
} from './grants.ts';
export type { Stored } from './reply.ts';
export { DEFAULT_RETRY, type RetryPolicy } from './retry.ts';
export type { FieldPlan, FieldVerdict, PlanOptions, StreamPlan } from './stream-plan.ts';
export {
  applyStreams,
  streamConfigsOf,
  type StreamDifference,
  type StreamOptions,
  type StreamReport,
  type StreamSource,
  toCommandStreamConfig,
  toStreamConfig,
} from './streams.ts';
export {
  type AnyService,
  applied,
  type Consequence,
  type DecisionContext,
  defineService,
  type Effect,
  type NewEvent,
  type PastEvent,
  type PastEventOf,
  rejected,
  type ServiceCommand,
  type ServiceCommandOf,
  type ServiceDefinition,
  type Verdict,
} from './service/definition.ts';
export { contextOf } from './service/decision.ts';
export { carrierOf, type HostOptions, runServices } from './service/host.ts';
export { type RunningService, type ServiceFault, type ServiceOptions, startService } from './service/service.ts';
export { SERVICES } from './services/registry.ts';
