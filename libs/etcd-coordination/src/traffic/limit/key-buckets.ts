import { createHash } from 'node:crypto';
import { TokenBucket, type BucketPace } from './token-bucket.js';

/** Longer ones are known by their hash: they come from strangers. */
const LONG_KEY = 64;
/** How many are looked at to make room for one. */
const LOOKS = 8;

/**
 * The buckets of a rule's keys. A key whose bucket is full again is as good as one that never came, and
 * is forgotten when another one needs the room.
 *
 * Where there is no such key, those that find no room share one bucket. So whoever makes up keys can
 * neither fill the memory, nor have others forgotten that they have used up theirs; and gets no more
 * out of ever new ones than the limit once more, beyond what the known ones have.
 */
export class KeyBuckets {
  private readonly buckets = new Map<string, TokenBucket>();
  private overflow: TokenBucket | null = null;
  /** Goes round and round. */
  private hand: Iterator<[string, TokenBucket]> = this.buckets.entries();

  constructor(
    /** Of so many keys it is known how much they have used. */
    public most: number,
    /** Told whenever a key finds no room, and shares a bucket with others. */
    private readonly overflows: () => void = () => undefined,
  ) {}

  /** How many keys are known. */
  get size(): number {
    return this.buckets.size;
  }

  /** The bucket of a key, full if the key is new. */
  of(key: string, now: number, pace: BucketPace): TokenBucket {
    const id = key.length > LONG_KEY ? hashed(key) : key;
    const known = this.buckets.get(id);
    if (known) return known;
    if (this.buckets.size >= this.most && !this.makeRoom(now, pace)) {
      this.overflows();
      return (this.overflow ??= new TokenBucket(pace.capacity, now));
    }
    const bucket = new TokenBucket(pace.capacity, now);
    this.buckets.set(id, bucket);
    return bucket;
  }

  /** Brings all up to now at this pace, before another one holds. */
  fill(now: number, pace: BucketPace): void {
    for (const bucket of this.buckets.values()) bucket.fill(now, pace);
    this.overflow?.fill(now, pace);
  }

  /** Whether one that is full again was forgotten. Looks at a few at a time, so that no call waits for it. */
  private makeRoom(now: number, pace: BucketPace): boolean {
    for (let look = 0; look < LOOKS; look += 1) {
      let next = this.hand.next();
      if (next.done) {
        this.hand = this.buckets.entries();
        next = this.hand.next();
      }
      if (next.done) return false;
      const [key, bucket] = next.value;
      if (bucket.isFull(now, pace)) return this.buckets.delete(key);
    }
    return false;
  }
}

function hashed(key: string): string {
  return createHash('sha256').update(key).digest('base64');
}
