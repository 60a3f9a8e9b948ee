import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
} from '@aws-sdk/client-s3';
import { ObjectNotFound, type UnfinishedObject } from '../blob-store.ts';
import { SEGMENTS_PREFIX } from '../keys.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { call } from './s3-call.ts';

/** Multipart uploads below our prefix that were begun before, and got no part within, the last `minAgeMs`. */
export async function* unfinishedUploads(
  bucket: S3Bucket,
  minAgeMs: number,
): AsyncGenerator<UnfinishedObject, void, undefined> {
  const { client } = bucket;
  const { Bucket, Key: Prefix } = bucket.object(SEGMENTS_PREFIX);
  let from: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (from) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      Bucket,
      Prefix,
      ...from,
    });
    const page = await call('list unfinished uploads', (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    const beforeMs = Date.now() - minAgeMs;
    for (const { Key, UploadId: id, Initiated: begun } of page.Uploads ?? []) {
      if (!Key?.startsWith(Prefix) || !id || !begun || begun.getTime() > beforeMs) continue;
      const upload = { key: bucket.keyOf(Key), id };
      if ((await newestPartMs(bucket, upload)) <= beforeMs) yield upload;
    }
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    from =
      page.IsTruncated && KeyMarker
        ? { KeyMarker, ...(UploadIdMarker ? { UploadIdMarker } : {}) }
        : undefined;
  }
}

/** One that is completed or aborted meanwhile counts as done. */
export async function abortUpload(bucket: S3Bucket, { key, id }: UnfinishedObject): Promise<void> {
  const command = new AbortMultipartUploadCommand({ ...bucket.object(key), UploadId: id });
  await call('abort an unfinished upload', (abortSignal) =>
    bucket.client.send(command, { abortSignal }),
  ).catch((error: unknown) => {
    if (!(error instanceof ObjectNotFound)) throw error;
  });
}

/** 0 without parts; never for an upload that has ended meanwhile. */
async function newestPartMs(bucket: S3Bucket, { key, id }: UnfinishedObject): Promise<number> {
  let newest = 0;
  let marker: string | undefined;
  do {
    const next = marker === undefined ? {} : { PartNumberMarker: marker };
    const command = new ListPartsCommand({ ...bucket.object(key), UploadId: id, ...next });
    const page = await call('list the parts of an upload', (abortSignal) =>
      bucket.client.send(command, { abortSignal }),
    ).catch((error: unknown) => {
      if (error instanceof ObjectNotFound) return undefined;
      throw error;
    });
    if (!page) return Number.POSITIVE_INFINITY;
    for (const { LastModified } of page.Parts ?? []) {
      newest = Math.max(newest, LastModified?.getTime() ?? 0);
    }
    marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined);
  return newest;
}
