import { defineConfig } from 'vitest/config';

// Workspace packages are tested from source (the `source` condition); processes that tests spawn run from dist,
// which `npm test` builds first.
const shared = {
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
};

const endWithParent = new URL('./deploy/bin/end-with-parent.mjs', import.meta.url).href;

const project = (name: string, include: string[], test: Record<string, unknown> = {}) => ({
  ...shared,
  test: { name, include, environment: 'node', execArgv: ['--import', endWithParent], ...test },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', ['{schemas,client,producers,gateway,deploy}/src/**/*.test.ts', 'test/{kit,bench}/**/*.test.ts'], {
        exclude: ['**/*.property.test.ts', '**/node_modules/**', '**/dist/**'],
      }),
      project('property', ['{schemas,client,producers,gateway}/src/**/*.property.test.ts'], {
        setupFiles: ['test/kit/property-runs.ts'],
        testTimeout: 60_000,
      }),
      project('e2e', ['test/e2e/**/*.e2e.test.ts'], { testTimeout: 30_000, hookTimeout: 60_000 }),
      project('chaos', ['test/chaos/**/*.chaos.test.ts'], {
        testTimeout: 180_000,
        hookTimeout: 60_000,
        fileParallelism: false,
      }),
      // Needs a container engine, which not everybody has: `npm test` leaves it out, `npm run test:containers` runs it.
      project('containers', ['{test/containers,examples}/**/*.containers.test.ts'], {
        setupFiles: ['test/containers/engine.ts'],
        testTimeout: 120_000,
        fileParallelism: false,
      }),
    ],
  },
});
