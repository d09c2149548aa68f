// Every fault that the local tooling reports on purpose: a stable code for programs and tests, a sentence for people.

export type DeployErrorCode =
  | 'nats_server_exited'
  | 'nats_server_not_ready'
  | 'nats_server_unavailable'
  | 'nats_cli_unavailable'
  | 'not_built'
  | 'not_running'
  | 'already_running'
  | 'part_exited'
  | 'part_not_ready'
  | 'interrupted'
  | 'tail_failed'
  | 'catalogue_unusable'
  | 'streams_refused'
  | 'bad_arguments';

/** A broken environment or a wrong call, said in a sentence that tells what to do next. */
export class DeployError extends Error {
  override readonly name = 'DeployError';
  readonly code: DeployErrorCode;

  constructor(code: DeployErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
