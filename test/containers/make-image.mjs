// Makes an image like the official one, without a registry: the project's own static nats-server and nothing else.
// Prints the image's name: SLUICE_TEST_NATS_IMAGE=$(node test/containers/make-image.mjs) npm run test:containers
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveNatsServerBinary } from '@sluice/deploy';
import { GenericContainer, Wait, getContainerRuntimeClient } from 'testcontainers';

const DOCKERFILE = `FROM scratch
COPY nats-server /nats-server
EXPOSE 4222 6222 8222
ENTRYPOINT ["/nats-server"]
`;

if (process.platform !== 'linux')
  throw new Error('Only Linux programs run in containers: use the official image here.');
const { path, version } = await resolveNatsServerBinary({
  onProgress: ({ text }) => process.stderr.write(`${text}\n`),
});
const image = process.env.SLUICE_TEST_NATS_IMAGE || `sluice-test-nats:${version}`;
const context = await mkdtemp(join(tmpdir(), 'sluice-image-'));
try {
  await copyFile(path, join(context, 'nats-server'));
  await chmod(join(context, 'nats-server'), 0o755);
  await writeFile(join(context, 'Dockerfile'), DOCKERFILE);
  const engine = await getContainerRuntimeClient();
  await engine.image.build(context, { t: image, dockerfile: 'Dockerfile' });
} finally {
  await rm(context, { recursive: true, force: true });
}
// A server from the PATH may need libraries that an empty image has not.
const proof = new GenericContainer(image).withCommand(['--version']).withWaitStrategy(Wait.forOneShotStartup());
await (await proof.start()).stop();
process.stdout.write(`${image}\n`);
