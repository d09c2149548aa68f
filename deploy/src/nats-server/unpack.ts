// Takes one file out of a release archive (.tar.gz or .zip) held in memory. Pure; throws on an archive it cannot read.

import { gunzipSync, inflateRawSync } from 'node:zlib';

/** The bytes of the first regular file with that base name. */
export function unpackFile(archive: Buffer, archiveName: string, fileName: string): Buffer | undefined {
  return archiveName.endsWith('.zip') ? fromZip(archive, fileName) : fromTar(gunzipSync(archive), fileName);
}

const TAR_BLOCK = 512;

function fromTar(tar: Buffer, fileName: string): Buffer | undefined {
  let at = 0;
  while (at + TAR_BLOCK <= tar.length) {
    const name = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    if (name === '') return undefined;
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8);
    if (!Number.isSafeInteger(size)) throw new Error(`not a tar header at byte ${at}`);
    const type = tar.toString('latin1', at + 156, at + 157);
    const start = at + TAR_BLOCK;
    if ((type === '0' || type === '\0') && baseName(name) === fileName) return tar.subarray(start, start + size);
    at = start + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
  return undefined;
}

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3: the directory at the end is the authority, because
// streamed archives leave the sizes in the local headers empty.
const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;

function fromZip(zip: Buffer, fileName: string): Buffer | undefined {
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(END_OF_DIRECTORY);
  const end = zip.lastIndexOf(signature);
  if (end < 0) throw new Error('no zip directory');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    if (zip.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new Error(`not a zip entry at byte ${at}`);
    const nameLength = zip.readUInt16LE(at + 28);
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    if (baseName(name) === fileName) return zipEntry(zip, at);
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return undefined;
}

function zipEntry(zip: Buffer, entry: number): Buffer {
  const method = zip.readUInt16LE(entry + 10);
  const packedSize = zip.readUInt32LE(entry + 20);
  const local = zip.readUInt32LE(entry + 42);
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const packed = zip.subarray(start, start + packedSize);
  if (method === 0) return packed;
  if (method === 8) return inflateRawSync(packed);
  throw new Error(`zip method ${method} is not supported`);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
