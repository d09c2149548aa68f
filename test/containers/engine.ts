// Set-up of every container suite: an engine that answers, and the image. Without them no test could say anything.
import { ImageName, getContainerRuntimeClient } from 'testcontainers';
import { NATS_IMAGE } from './nats-container.ts';

const engine = await getContainerRuntimeClient().catch(() => {
  throw missing('Container suites need an engine that answers (Docker, Podman): start one, or set DOCKER_HOST to it.');
});
const image = ImageName.fromString(NATS_IMAGE);
if (!(await engine.image.exists(image))) {
  await engine.image.pull(image).catch((error: unknown) => {
    throw missing(
      `The image ${NATS_IMAGE} is not here and cannot be pulled (${String(error)}). Without a registry: ` +
        'export SLUICE_TEST_NATS_IMAGE=$(node test/containers/make-image.mjs)',
    );
  });
}

/** An error about this machine: where it was thrown tells nothing. */
function missing(message: string): Error {
  const error = new Error(message);
  error.stack = `${error.name}: ${message}`;
  return error;
}
