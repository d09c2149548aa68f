import { expect, test } from 'vitest';
import { Metrics, parseMetrics } from './gateway.ts';

const TEXT = `# HELP sluice_events_total Events.
# TYPE sluice_events_total counter
sluice_events_total{stream="ORDER",result="ok"} 41
sluice_events_total{stream="PAYMENT",result="ok"} 1
sluice_events_total{stream="ORDER",result="a \\"quoted\\", one"} 2
sluice_up 1
sluice_lag_seconds_bucket{le="+Inf"} 7
sluice_tiny 1.5e-3 1700000000000
`;

test('samples are summed over the labels that are not named', () => {
  const metrics = new Metrics(parseMetrics(TEXT));

  expect(metrics.sum('sluice_events_total')).toBe(44);
  expect(metrics.sum('sluice_events_total', { stream: 'ORDER' })).toBe(43);
  expect(metrics.sum('sluice_events_total', { result: 'a \\"quoted\\", one' })).toBe(2);
  expect(metrics.sum('sluice_tiny')).toBe(0.0015);
  expect(metrics.sum('sluice_absent')).toBe(0);
  expect(metrics.has('sluice_up')).toBe(true);
  expect(metrics.has('sluice_absent')).toBe(false);
});
