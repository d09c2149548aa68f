// Brings the streams of a NATS server to what a catalogue wants, in two steps: a plan that people can read, and carrying
// it out. Never deletes or purges a stream.
import { JetStreamApiError, type JetStreamManager } from '@nats-io/jetstream';
import { ProducerError } from './errors.ts';
import { planStream, type PlanOptions, type StreamPlan } from './stream-plan.ts';
import { findStream, streamConfigsOf, type StreamSource } from './streams.ts';

/** Reads only. Throws `unavailable`. */
export const planStreams = async (
  manager: JetStreamManager,
  source: StreamSource,
  options: PlanOptions = {},
): Promise<readonly StreamPlan[]> => {
  const plans: StreamPlan[] = [];
  for (const wanted of streamConfigsOf(source, options))
    plans.push(planStream(wanted, await findStream(manager, wanted.name), options));
  return plans;
};

export type StreamOutcome =
  | { readonly stream: string; readonly kind: 'created' | 'changed' | 'equal' }
  /** Somebody changed the stream since the plan was made, or the server has reasons of its own. Nothing was done to it. */
  | { readonly stream: string; readonly kind: 'refused'; readonly reason: string };

/**
 * Does what the plans say and nothing else; a stream that has changed since is left alone. The caller has shown the plans
 * to somebody, and none of them is impossible.
 */
export const carryOutPlans = async (
  manager: JetStreamManager,
  source: StreamSource,
  plans: readonly StreamPlan[],
  options: PlanOptions = {},
): Promise<readonly StreamOutcome[]> => {
  const wanted = new Map(streamConfigsOf(source, options).map((config) => [config.name, config]));
  const outcomes: StreamOutcome[] = [];
  for (const plan of plans) {
    const config = wanted.get(plan.stream);
    const now = config && planStream(config, await findStream(manager, plan.stream), options);
    outcomes.push(
      now && JSON.stringify(now) === JSON.stringify(plan)
        ? await carryOut(manager, plan)
        : { stream: plan.stream, kind: 'refused', reason: 'it has changed since the plan was made' },
    );
  }
  return outcomes;
};

const carryOut = async (manager: JetStreamManager, plan: StreamPlan): Promise<StreamOutcome> => {
  const { stream, kind, config } = plan;
  if (kind === 'equal') return { stream, kind };
  if (kind === 'impossible') return { stream, kind: 'refused', reason: 'no server changes that' };
  try {
    if (kind === 'create') await manager.streams.add(config);
    else await manager.streams.update(stream, config);
    return { stream, kind: kind === 'create' ? 'created' : 'changed' };
  } catch (cause) {
    if (cause instanceof JetStreamApiError) return { stream, kind: 'refused', reason: cause.message };
    throw new ProducerError('unavailable', { path: stream, reason: String(cause) }, cause);
  }
};
