// A recorder that also keeps the frames themselves, in the order in which they came: for what must not come after what.
import type { DownFrame } from '@sluice/schemas';
import { Recorder } from './recorder.ts';

export class FrameLog extends Recorder {
  readonly frameLog: DownFrame[] = [];

  override frames(): (frame: DownFrame) => void {
    const record = super.frames();
    return (frame) => {
      this.frameLog.push(frame);
      record(frame);
    };
  }

  /** What came after the first frame that matches; throws if none does. */
  after(matches: (frame: DownFrame) => boolean): DownFrame[] {
    const index = this.frameLog.findIndex(matches);
    if (index < 0) throw new Error(`no such frame among ${this.frameLog.length}`);
    return this.frameLog.slice(index + 1);
  }
}
